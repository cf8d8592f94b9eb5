/* A fast reader for the requests that come all the time: one flat object of a few known members,
 * and perhaps a list of strings, or of such objects, among them.
 *
 * It takes a subset of JSON and is strict about it. Whatever it does not take, well-formed or not,
 * is left untouched for the other reader (json_read.h), which takes all of JSON or says what is
 * wrong. So there is one place that makes errors, and this one only has to be sure of what it
 * accepts. */
#ifndef STEADYCACHE_HANDLERS_JSON_SCAN_H
#define STEADYCACHE_HANDLERS_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum scan_type {
	SCAN_STRING,
	SCAN_WHOLE,
	SCAN_SCALAR, /* a number, true, false or null: as it stands there */
	SCAN_ANY,    /* of json_read alone: a string, or a scalar as it stands there */
};

/* What stands there, as json_read tells it. */
enum scan_kind { KIND_OTHER, KIND_STRING, KIND_NUMBER, KIND_NULL, KIND_ARRAY, KIND_OBJECT };

struct scan_member {
	struct slice name;
	enum scan_type type;
	bool required;

	bool found; /* out */
	/* out: inside the text; a string is decoded, and may hold NULs. Without data where
	 * json_read has found something else than the type says. */
	struct slice string;
	/* out: 0 to 10^15 - 1; from json_read up to 2^63 - 1, or -1 where no such number is. */
	int64_t whole;
	enum scan_kind kind; /* out of json_read */
};

/* A member whose value is an array. Of objects with no members but `members`; where
 * `member_count` is 0, of strings. It has to be there. */
struct scan_list {
	struct slice name;
	const struct scan_member *members;
	size_t member_count;
	size_t max_count; /* elements; a longer one is not taken */

	/* out: what was found, element after element: for each as many as it has members, or one
	 * whose string is the element. The caller's, to be freed; NULL where the scan failed. */
	struct scan_member *found;
	size_t count; /* elements; of json_read with those beyond max_count, which it does not keep
		       */
	/* out of json_read: */
	bool is_there, is_array;
	size_t first_wrong; /* the first element that is no string, or no object; SIZE_MAX: none */
};

/* Reads `text`, an object with no members but `members` (and `list`, where that is not NULL), each
 * at most once and all required ones among them. Strings are decoded in place. False: the text was
 * not changed. */
bool json_scan(char *text, size_t len, struct scan_member *members, size_t count,
	       struct scan_list *list);

#endif
