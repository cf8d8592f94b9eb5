#include "handlers/transfer/import_member.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/slice.h"
#include "base/status.h"
#include "handlers/json/json_number.h"
#include "handlers/respond/status.h"

/* Of a second: millionths. */
#define TIME_DECIMALS 6

bool import_member_refuse(struct import_line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line->error, IMPORT_ERROR_BYTES, format, args);
	va_end(args);
	return false;
}

bool import_member_refuse_no_memory(struct import_line *line)
{
	line->no_memory = true;
	return import_member_refuse(line, "%s", status_text(CACHE_NO_MEMORY));
}

static bool is_null(struct slice text)
{
	return slice_equal(text, SLICE("null"));
}

bool import_member_time(struct import_line *line, size_t index, int64_t *ret)
{
	const struct scan_member *member = &line->members[index];
	bool is_exact;

	if (!member->found || is_null(member->string) ||
	    json_number_scaled(member->string, TIME_DECIMALS, HISTORY_MAX_US, ret, &is_exact))
		return true;
	return import_member_refuse(
		line, "\"%s\" must be a time in seconds since 1970, of up to the year 2255",
		import_member_name(line, index));
}

bool import_member_whole(struct import_line *line, size_t index, int64_t max, uint64_t *ret)
{
	const struct scan_member *member = &line->members[index];
	int64_t number = 0;

	if (!member->found || is_null(member->string))
		return true;
	if (!json_number_whole(member->string, max, &number))
		return import_member_refuse(line, "\"%s\" must be a whole number from 0 to %lld",
					    import_member_name(line, index), (long long)max);
	*ret = (uint64_t)number;
	return true;
}
