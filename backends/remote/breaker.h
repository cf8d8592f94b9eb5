/* The circuit breaker: whether the upstream is worth asking.
 *
 * Closed: everything is sent. After `threshold` failures in a row, without a success in between, it
 * opens: operations fail at once, so that clients need not each wait for a time-out and the
 * upstream is left in peace, and probes are sent instead. The first success closes it.
 *
 * Requests that break off together, as those on one connection do, are one failure.
 *
 * Two probes may be in flight: a quick one, repeated every BREAKER_PROBE_INTERVAL_US and given up
 * after BREAKER_PROBE_QUICK_US, which notices within a second that an upstream that used to
 * swallow connections is back; and a patient one with the whole time-out, without which an
 * upstream whose answers merely take long would stay shut out for ever.
 *
 * Plain data, no clock, no lock: the I/O thread owns it and passes the time. */
#ifndef STEADYCACHE_REMOTE_BREAKER_H
#define STEADYCACHE_REMOTE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_THRESHOLD         5
#define BREAKER_PROBE_INTERVAL_US INT64_C(200000)
#define BREAKER_PROBE_QUICK_US    INT64_C(400000)

enum remote_breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN,
	BREAKER_HALF_OPEN, /* open, and a probe is in flight */
};

enum remote_probe { PROBE_QUICK, PROBE_PATIENT, PROBE_KINDS };

struct remote_breaker {
	unsigned threshold;
	unsigned failures;  /* in a row */
	int64_t counted_us; /* when the last of them ended */
	bool is_open;
	bool under_way[PROBE_KINDS];
	int64_t next_probe_us; /* monotonic */
};

void remote_breaker_init(struct remote_breaker *breaker, unsigned threshold);

/* "closed", "open", "half_open". */
const char *remote_breaker_state_name(enum remote_breaker_state state);
enum remote_breaker_state remote_breaker_state(const struct remote_breaker *breaker);

/* Report an answer that shows that the upstream is alive. True if this closed the breaker. */
bool remote_breaker_success(struct remote_breaker *breaker);
/* Report a request that failed because of the upstream. True if this opened the breaker. */
bool remote_breaker_failure(struct remote_breaker *breaker, int64_t now_us);
/* Report one that was sent at `sent_us` and broke off. It does not count if it was under way when
 * the last failure was counted. */
bool remote_breaker_broke_off(struct remote_breaker *breaker, int64_t sent_us, int64_t now_us);

/* Whether to send a probe of `kind` now; if so it counts as in flight. */
bool remote_breaker_take_probe(struct remote_breaker *breaker, enum remote_probe kind,
			       int64_t now_us);
/* It ended; report success or failure separately. */
void remote_breaker_end_probe(struct remote_breaker *breaker, enum remote_probe kind,
			      int64_t now_us);
/* When remote_breaker_take_probe may next say yes; INT64_MAX: not before something ends. */
int64_t remote_breaker_next_us(const struct remote_breaker *breaker);

#endif
