/* The header fields of a request, read once. The connection's guard has already checked that they
 * are valid, and where the body ends (guard.h). */
#ifndef STEADYCACHE_SERVER_HEAD_H
#define STEADYCACHE_SERVER_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "server/http/head_scan.h"
#include "server/log/trace.h"

/* Fields that are kept for head_find; further ones are looked up in the library. */
#define HEAD_FIELDS 24

struct head_field {
	const char *name;
	const char *value; /* never NULL */
	size_t name_len;
};

struct head {
	struct MHD_Connection *connection;
	struct trace trace;      /* as received: trace_check */
	uint64_t content_length; /* declared; 0 if there is no body, or LENGTH_UNKNOWN */
	size_t count;
	uint64_t lengths; /* the lengths of all names: most names that are asked for are absent */
	bool overflow;    /* there are more fields */
	struct head_field fields[HEAD_FIELDS];
};

/* Reads the fields of `connection`. The caller zeroes `head->trace`, and sets the length of the
 * body. The head borrows from the connection until the request is completed. */
void head_read(struct head *head, struct MHD_Connection *connection);

/* The value of the first field of that name, ignoring case; NULL if there is none. */
const char *head_find(const struct head *head, struct slice name);
/* The value of the `index`-th field of that name, from 0; NULL if there is none. */
const char *head_find_line(const struct head *head, struct slice name, size_t index);

/* Visits all fields, in their order; names and values are not NULL. */
void head_each(const struct head *head,
	       void (*visit)(void *user, struct slice name, const char *value), void *user);

#endif
