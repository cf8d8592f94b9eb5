#include "backends/remote/breaker.h"

void remote_breaker_init(struct remote_breaker *breaker, unsigned threshold)
{
	*breaker = (struct remote_breaker){.threshold = threshold};
}

enum remote_breaker_state remote_breaker_state(const struct remote_breaker *breaker)
{
	if (!breaker->is_open)
		return BREAKER_CLOSED;
	return breaker->under_way[PROBE_QUICK] || breaker->under_way[PROBE_PATIENT]
		       ? BREAKER_HALF_OPEN
		       : BREAKER_OPEN;
}

const char *remote_breaker_state_name(enum remote_breaker_state state)
{
	static const char *const names[] = {
		[BREAKER_CLOSED] = "closed",
		[BREAKER_OPEN] = "open",
		[BREAKER_HALF_OPEN] = "half_open",
	};

	return names[state];
}

bool remote_breaker_success(struct remote_breaker *breaker)
{
	bool was_open = breaker->is_open;

	breaker->failures = 0;
	breaker->is_open = false;
	return was_open;
}

bool remote_breaker_failure(struct remote_breaker *breaker, int64_t now_us)
{
	if (breaker->failures < breaker->threshold)
		breaker->failures++;
	breaker->counted_us = now_us;
	if (breaker->is_open || breaker->failures < breaker->threshold)
		return false;
	breaker->is_open = true;
	breaker->next_probe_us = now_us + BREAKER_PROBE_INTERVAL_US;
	return true;
}

bool remote_breaker_broke_off(struct remote_breaker *breaker, int64_t sent_us, int64_t now_us)
{
	return sent_us >= breaker->counted_us && remote_breaker_failure(breaker, now_us);
}

bool remote_breaker_take_probe(struct remote_breaker *breaker, enum remote_probe kind,
			       int64_t now_us)
{
	if (!breaker->is_open || breaker->under_way[kind] || now_us < breaker->next_probe_us)
		return false;
	breaker->under_way[kind] = true;
	return true;
}

void remote_breaker_end_probe(struct remote_breaker *breaker, enum remote_probe kind,
			      int64_t now_us)
{
	breaker->under_way[kind] = false;
	breaker->next_probe_us = now_us + BREAKER_PROBE_INTERVAL_US;
}

int64_t remote_breaker_next_us(const struct remote_breaker *breaker)
{
	bool all_under_way = breaker->under_way[PROBE_QUICK] && breaker->under_way[PROBE_PATIENT];

	return breaker->is_open && !all_under_way ? breaker->next_probe_us : INT64_MAX;
}
