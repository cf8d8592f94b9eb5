/* A fast reader for the requests that come all the time: one flat object of a few known members,
 * and perhaps a list of strings, or of such objects, among them.
 *
 * It takes a subset of JSON and is strict about it. Whatever it does not take, well-formed or not,
 * is left untouched for the library (json_in.h), which then accepts it or says what is wrong. So
 * there is one place that makes errors, and this one only has to be sure of what it accepts. */
#ifndef STEADYCACHE_HANDLERS_JSON_SCAN_H
#define STEADYCACHE_HANDLERS_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/base/slice.h"

enum scan_type {
	SCAN_STRING,
	SCAN_WHOLE,
	SCAN_SCALAR, /* a number, true, false or null: as it stands there */
};

struct scan_member {
	struct slice name;
	enum scan_type type;
	bool required;

	bool found;          /* out */
	struct slice string; /* out: inside the text; a string is decoded, and may hold NULs */
	int64_t whole;       /* out: 0 to 10^15 - 1 */
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
	size_t count; /* elements */
};

/* Reads `text`, an object with no members but `members` (and `list`, where that is not NULL), each
 * at most once and all required ones among them. Strings are decoded in place. False: the text was
 * not changed. */
bool json_scan(char *text, size_t len, struct scan_member *members, size_t count,
	       struct scan_list *list);

#endif
