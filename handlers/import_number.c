/* Numbers and times of a line. */
#include "handlers/import_line_parts.h"

static bool is_null(struct slice text)
{
	return slice_equal(text, SLICE("null"));
}

/* A decimal number >= 0 in millionths, rounded to the nearest. */
static bool parse_millionths(struct slice text, int64_t max, int64_t *ret)
{
	int64_t number = 0;
	int decimals = -1; /* behind the point */
	bool has_digits = false;
	bool rounds_up = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '.' && decimals < 0 && has_digits) {
			decimals = 0;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		has_digits = true;
		if (decimals == 6)
			rounds_up = c >= '5';
		if (decimals >= 0 && decimals++ >= 6)
			continue;
		if (number > (max - (c - '0')) / 10)
			return false;
		number = number * 10 + (c - '0');
	}
	for (int i = decimals < 0 ? 0 : decimals; i < 6; i++) {
		if (number > max / 10)
			return false;
		number *= 10;
	}
	*ret = number + rounds_up;
	return has_digits && *ret <= max;
}

bool import_read_time(struct import_line *line, size_t index, int64_t *ret)
{
	struct scan_member *member = &line->members[index];

	if (!member->found || is_null(member->string) ||
	    parse_millionths(member->string, HISTORY_MAX_US, ret))
		return true;
	return import_refuse(line,
			     "\"%s\" must be a time in seconds since 1970, of up to the year 2255",
			     member->name.data);
}

bool import_read_whole(struct import_line *line, size_t index, int64_t max, uint64_t *ret)
{
	struct scan_member *member = &line->members[index];
	uint64_t number = 0;
	struct slice text = member->string;

	if (!member->found || is_null(text))
		return true;
	/* The other reader may have made a real number of it. */
	if (text.len > 2 && memcmp(text.data + text.len - 2, ".0", 2) == 0)
		text.len -= 2;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || number > (uint64_t)max)
			return import_refuse(line, "\"%s\" must be a whole number from 0 to %lld",
					     member->name.data, (long long)max);
		number = number * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (number > (uint64_t)max)
		return import_refuse(line, "\"%s\" must be a whole number from 0 to %lld",
				     member->name.data, (long long)max);
	*ret = number;
	return true;
}
