#include "client/migrate/end.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

/* How long an end may be out of reach. */
#define PATIENCE_US  INT64_C(60000000)
#define PAUSE_MIN_US INT64_C(200000)
#define PAUSE_MAX_US INT64_C(5000000)

bool migrate_fail(struct migrate_failure *failure, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(failure->text, sizeof(failure->text), format, args);
	va_end(args);
	failure->code = code;
	failure->is_passing = false;
	failure->retry_after_s = 0;
	failure->status = 0;
	return false;
}

int64_t migrate_pause_us(const struct migrate_failure *failure, int64_t since_us, unsigned attempt)
{
	int64_t pause_us = PAUSE_MIN_US << (attempt < 5 ? attempt : 5);
	int64_t asked_us = (int64_t)failure->retry_after_s * US_PER_S;

	if (pause_us < asked_us)
		pause_us = asked_us;
	if (pause_us > PAUSE_MAX_US)
		pause_us = PAUSE_MAX_US;
	bool is_over = monotonic_now_us() + pause_us - since_us > PATIENCE_US;
	return failure->is_passing && !is_over ? pause_us : -1;
}

bool migrate_selects(const struct migrate_selection *selection, const char *ns)
{
	for (size_t i = 0; i < selection->glob_count; i++)
		if (fnmatch(selection->globs[i], ns, 0) == 0)
			return true;
	return selection->glob_count == 0;
}
