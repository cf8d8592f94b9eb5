/* The header fields of a request, read once. That they are good, and where the body ends, the guard
 * of the connection has seen before (guard.h). */
#ifndef STEADYCACHE_SERVER_HEAD_H
#define STEADYCACHE_SERVER_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "server/http/head_scan.h"
#include "server/log/trace.h"

/* Fields that are kept for head_find; those beyond are looked up in the library. */
#define HEAD_FIELDS 24

struct head_field {
	const char *name;
	const char *value; /* never NULL */
	size_t name_len;
};

struct head {
	struct MHD_Connection *connection;
	struct trace trace;      /* as it came: trace_check */
	uint64_t content_length; /* declared; 0 where there is no body, or LENGTH_UNKNOWN */
	size_t count;
	uint64_t lengths; /* which lengths names have: most that are asked for are not there */
	bool overflow;    /* there are more fields */
	struct head_field fields[HEAD_FIELDS];
};

/* Reads the fields of `connection`. `head->trace` is zeroed by the caller. The head borrows from it
 * until the request is completed. The length of the body is the caller's to set. */
void head_read(struct head *head, struct MHD_Connection *connection);

/* The value of the first field of that name, without regard to case; NULL where there is none. */
const char *head_find(const struct head *head, struct slice name);
/* The value of the field of that name that has `index` such before it; NULL where there is none. */
const char *head_find_line(const struct head *head, struct slice name, size_t index);

#endif
