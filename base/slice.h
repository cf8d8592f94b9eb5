/* Borrowed runs of bytes: struct slice, and what is done with it.
 *
 * Keys and values come from strangers and may hold any byte, so the project passes them as
 * slices and never calls strlen on them. */
#ifndef STEADYCACHE_BASE_SLICE_H
#define STEADYCACHE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "steadycache/slice.h"

/* A slice over a string literal. */
#define SLICE(literal) ((struct slice){.data = (literal), .len = sizeof(literal) - 1})

/* A slice over the NUL-terminated `text` (NULL gives the empty slice). */
static inline struct slice slice_of(const char *text)
{
	return (struct slice){.data = text, .len = text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The same, of ASCII, ignoring case. */
static inline bool slice_equal_in_any_case(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_starts_with(struct slice whole, struct slice prefix)
{
	return whole.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(whole.data, prefix.data, prefix.len) == 0);
}

/* Without the blanks and tabs around it. */
static inline struct slice slice_trim(struct slice text)
{
	while (text.len > 0 && (*text.data == ' ' || *text.data == '\t'))
		text = (struct slice){text.data + 1, text.len - 1};
	while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Byte order, a prefix before the longer key: negative, 0 or positive. */
static inline int slice_compare(struct slice a, struct slice b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.data, b.data, common) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

#endif
