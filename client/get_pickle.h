/* `get --pickle`: a value of SteadyText's, collected and shown in readable form. */
#ifndef STEADYCACHE_CLIENT_GET_PICKLE_H
#define STEADYCACHE_CLIENT_GET_PICKLE_H

#include "base/buffer.h"

/* A sink for a value (`user` is a struct buffer). False with errno: it is too long, or memory ran
 * out. */
bool get_pickle_collect(void *user, struct slice bytes);

/* The exit code after get_pickle_collect has failed (errno), with a line on stderr. */
int get_pickle_uncollected(void);

/* Appends the text of the value, which ends with a line feed, to *ret. On a terminal, what would
 * act on it is escaped. CLIENT_DONE, or another code after a line on stderr. */
int get_pickle_text(struct slice value, bool is_terminal, struct buffer *ret);

#endif
