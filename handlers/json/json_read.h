/* A reader for all of JSON (RFC 8259) that keeps what it is asked for and passes over the rest: a
 * text of any number of members costs one pass and no memory but for the list that is wanted.
 *
 * A byte order mark in front is ignored, and so are members that are not asked for, whatever they
 * hold. Of two members of one name the last counts. */
#ifndef STEADYCACHE_HANDLERS_JSON_READ_H
#define STEADYCACHE_HANDLERS_JSON_READ_H

#include "handlers/json/json_scan.h"

/* Objects and arrays within each other. */
#define JSON_DEPTH_MAX 512

/* Why a text was not read. */
struct json_fault {
	bool no_memory;
	const char *what;    /* static: "is no object", or what is wrong at the place below */
	size_t line, column; /* from 1; 0: in the text as a whole */
	char path[64];       /* the member at fault, "items[3].value"; else empty */
};

/* Reads `text`, which is written over: `members` (those with an empty name are left out) and
 * `list`, where that is not NULL. Whether what is required is there, and of the right type, is the
 * caller's to see. *ret_unknown, where it is not NULL, becomes the first member that was not asked
 * for, or stays empty. False: see *fault; the list is empty. */
bool json_read(char *text, size_t len, struct scan_member *members, size_t count,
	       struct scan_list *list, struct slice *ret_unknown, struct json_fault *fault);

#endif
