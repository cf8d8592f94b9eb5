/* Numbers and times of a line. */
#include "handlers/json/json_number.h"
#include "handlers/transfer/import_line_parts.h"

/* Of a second: millionths. */
#define TIME_DECIMALS 6

static bool is_null(struct slice text)
{
	return slice_equal(text, SLICE("null"));
}

bool import_read_time(struct import_line *line, size_t index, int64_t *ret)
{
	const struct scan_member *member = &line->members[index];
	bool is_exact;

	if (!member->found || is_null(member->string) ||
	    json_number_scaled(member->string, TIME_DECIMALS, HISTORY_MAX_US, ret, &is_exact))
		return true;
	return import_refuse(line,
			     "\"%s\" must be a time in seconds since 1970, of up to the year 2255",
			     import_member_name(line, index));
}

bool import_read_whole(struct import_line *line, size_t index, int64_t max, uint64_t *ret)
{
	const struct scan_member *member = &line->members[index];
	int64_t number = 0;

	if (!member->found || is_null(member->string))
		return true;
	if (!json_number_whole(member->string, max, &number))
		return import_refuse(line, "\"%s\" must be a whole number from 0 to %lld",
				     import_member_name(line, index), (long long)max);
	*ret = (uint64_t)number;
	return true;
}
