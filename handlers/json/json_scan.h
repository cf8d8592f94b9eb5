/* A fast reader for the most frequent requests: one flat object of a few known members, which may
 * include a list of strings or of such objects.
 *
 * It accepts a subset of JSON, strictly. Anything else, valid or not, is left unchanged for the
 * other reader (json_read.h), which accepts all of JSON or says what is wrong. So errors are made
 * in one place, and this reader only has to be sure of what it accepts. */
#ifndef STEADYCACHE_HANDLERS_JSON_SCAN_H
#define STEADYCACHE_HANDLERS_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum scan_type {
	SCAN_STRING,
	SCAN_WHOLE,
	SCAN_SCALAR, /* a number, true, false or null: as written */
	SCAN_ANY,    /* only for json_read: a string, or a scalar as written */
	SCAN_OBJECT, /* only for json_read: an object as written */
};

/* The kind of a value, as json_read reports it. */
enum scan_kind { KIND_OTHER, KIND_STRING, KIND_NUMBER, KIND_NULL, KIND_ARRAY, KIND_OBJECT };

struct scan_member {
	struct slice name;
	enum scan_type type;
	bool required;

	bool found; /* out */
	/* out: points into the text; a string is decoded, and may contain NULs. Without data if
	 * json_read has found another type. */
	struct slice string;
	/* out: 0 to 10^15 - 1; from json_read up to 2^63 - 1, or -1 if it is not such a number. */
	int64_t whole;
	enum scan_kind kind; /* out of json_read */
};

/* A member whose value is an array: of objects with no members but `members`, or, if `member_count`
 * is 0, of strings. It is required. */
struct scan_list {
	struct slice name;
	const struct scan_member *members;
	size_t member_count;
	size_t max_count; /* elements; a longer list is not accepted */

	/* out: the elements one after the other: each has as many entries as it has members, or one
	 * whose string is the element. The caller frees it; NULL if the scan failed. */
	struct scan_member *found;
	size_t count; /* elements; with json_read including those beyond max_count, which it does
		       * not keep */
	/* out of json_read: */
	bool is_there, is_array;
	size_t first_wrong; /* the first element that is not a string, or not an object; SIZE_MAX:
			     * none */
};

/* How many entries of list->found an element has. */
static inline size_t json_scan_stride(const struct scan_list *list)
{
	return list->member_count > 0 ? list->member_count : 1;
}

/* Reads `text`, an object with no members but `members` (and `list`, unless that is NULL), each at
 * most once and all required ones among them. Decodes strings in place. False: the text is
 * unchanged. */
bool json_scan(char *text, size_t len, struct scan_member *members, size_t count,
	       struct scan_list *list);

#endif
