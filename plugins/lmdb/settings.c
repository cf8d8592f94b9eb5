#include "settings.h"

#include <stdio.h>
#include <string.h>

#define MAX_SIZE_MB UINT64_C(1000000000)

/* A decimal number of digits only, from `min` to `max`. */
static bool read_number(const char *text, size_t len, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t number = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || number > max)
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*ret = number;
	return number >= min && number <= max;
}

static bool read_one(const char *text, size_t len, struct lmdb_settings *ret, char *error,
		     size_t error_size)
{
	static const char name[] = "max_size_mb";
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? (size_t)(equals - text) : len;
	uint64_t mb;

	if (name_len != sizeof(name) - 1 || memcmp(text, name, name_len) != 0) {
		(void)snprintf(error, error_size,
			       "lmdb: it has no option \"%.*s\"; the only one is max_size_mb",
			       (int)(name_len < 60 ? name_len : 60), text);
		return false;
	}
	if (!equals ||
	    !read_number(equals + 1, len - name_len - 1, LMDB_MIN_SIZE_MB, MAX_SIZE_MB, &mb)) {
		(void)snprintf(error, error_size,
			       "lmdb: max_size_mb takes a whole number of MiB from %d on",
			       LMDB_MIN_SIZE_MB);
		return false;
	}
	ret->max_size_bytes = mb << 20;
	return true;
}

bool lmdb_settings_read(const char *text, struct lmdb_settings *ret, char *error, size_t error_size)
{
	*ret = (struct lmdb_settings){.max_size_bytes = UINT64_MAX};
	while (text && *text) {
		size_t len = strcspn(text, "&");

		if (!read_one(text, len, ret, error, error_size))
			return false;
		text += len;
		text += *text == '&';
	}
	return true;
}
