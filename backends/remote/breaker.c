#include "backends/remote/breaker.h"

void d1_breaker_init(struct breaker *breaker, unsigned threshold)
{
	*breaker = (struct breaker){.threshold = threshold};
}

enum breaker_state d1_breaker_state(const struct breaker *breaker)
{
	if (!breaker->is_open)
		return BREAKER_CLOSED;
	return breaker->under_way[PROBE_QUICK] || breaker->under_way[PROBE_PATIENT]
		       ? BREAKER_HALF_OPEN
		       : BREAKER_OPEN;
}

const char *d1_breaker_state_name(const struct breaker *breaker)
{
	static const char *const names[] = {
		[BREAKER_CLOSED] = "closed",
		[BREAKER_OPEN] = "open",
		[BREAKER_HALF_OPEN] = "half_open",
	};

	return names[d1_breaker_state(breaker)];
}

bool d1_breaker_success(struct breaker *breaker)
{
	bool was_open = breaker->is_open;

	breaker->failures = 0;
	breaker->is_open = false;
	return was_open;
}

bool d1_breaker_failure(struct breaker *breaker, int64_t now_us)
{
	if (breaker->failures < breaker->threshold)
		breaker->failures++;
	if (breaker->is_open || breaker->failures < breaker->threshold)
		return false;
	breaker->is_open = true;
	breaker->next_probe_us = now_us + BREAKER_PROBE_INTERVAL_US;
	return true;
}

bool d1_breaker_take_probe(struct breaker *breaker, enum breaker_probe kind, int64_t now_us)
{
	if (!breaker->is_open || breaker->under_way[kind] || now_us < breaker->next_probe_us)
		return false;
	breaker->under_way[kind] = true;
	return true;
}

void d1_breaker_end_probe(struct breaker *breaker, enum breaker_probe kind, int64_t now_us)
{
	breaker->under_way[kind] = false;
	breaker->next_probe_us = now_us + BREAKER_PROBE_INTERVAL_US;
}

int64_t d1_breaker_next_us(const struct breaker *breaker)
{
	bool all_under_way = breaker->under_way[PROBE_QUICK] && breaker->under_way[PROBE_PATIENT];

	return breaker->is_open && !all_under_way ? breaker->next_probe_us : INT64_MAX;
}
