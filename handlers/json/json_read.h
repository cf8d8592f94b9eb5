/* A reader for all of JSON (RFC 8259) that keeps the members that it is asked for and skips the
 * rest: a text with any number of members costs one pass, and memory only for the requested list.
 *
 * A byte order mark at the beginning is ignored, and so are other members, whatever they contain.
 * If a member is repeated, the last one counts. */
#ifndef STEADYCACHE_HANDLERS_JSON_READ_H
#define STEADYCACHE_HANDLERS_JSON_READ_H

#include "handlers/json/json_scan.h"

/* Deepest nesting of objects and arrays. */
#define JSON_DEPTH_MAX 512

/* Why a text was not read. */
struct json_fault {
	bool no_memory;
	const char *what;    /* static: "is no object", or what is wrong at the place below */
	size_t line, column; /* from 1; 0: the text as a whole */
	char path[64];       /* the faulty member, "items[3].value"; else empty */
};

/* Reads `text`, and overwrites it: `members` (except those with an empty name) and `list`, unless
 * that is NULL. The caller checks whether required members exist and have the right type.
 * *ret_unknown, if it is not NULL, becomes the first member that was not asked for, or stays empty.
 * False: see *fault; the list is empty. */
bool json_read(char *text, size_t len, struct scan_member *members, size_t count,
	       struct scan_list *list, struct slice *ret_unknown, struct json_fault *fault);

#endif
