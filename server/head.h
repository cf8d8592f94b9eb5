/* The head of a request: its header fields, read once, and what they say about where the body ends.
 *
 * The library itself looks only at the first field of a name. A proxy in front of the server may
 * look at the last one, and then the two disagree about where the next request begins (request
 * smuggling). So whatever can be read in two ways is refused, and the connection closed. */
#ifndef STEADYCACHE_SERVER_HEAD_H
#define STEADYCACHE_SERVER_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/base/slice.h"
#include "server/trace.h"

/* Fields that are kept for head_find; those beyond are looked up in the library. */
#define HEAD_FIELDS 24

/* Content length of a body that is sent in chunks. */
#define LENGTH_UNKNOWN UINT64_MAX

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
	bool overflow; /* there are more fields */
	struct head_field fields[HEAD_FIELDS];
};

/* Reads the fields of `connection`. `head->trace` is zeroed by the caller. The head borrows from it
 * until the request is completed. `version` is the request's ("HTTP/1.1"). 0, or the status to
 * answer with before the connection is closed, with a sentence in *ret_problem. */
unsigned head_read(struct head *head, struct MHD_Connection *connection, const char *version,
		   const char **ret_problem);

/* The value of the first field of that name, without regard to case; NULL where there is none. */
const char *head_find(const struct head *head, struct slice name);
/* Whether there is more than one. */
bool head_repeats(const struct head *head, struct slice name);

#endif
