/* Small requests to endpoints of credentials, one at a time, by a thread that may wait. */
#ifndef STEADYCACHE_AWS_FETCH_H
#define STEADYCACHE_AWS_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct aws_fetcher;

/* NULL: out of memory or descriptors. */
struct aws_fetcher *aws_fetcher_open(void);

/* Asks `url` by `method`, with `header` ("Name: value") if it is not NULL, within 3 seconds;
 * through no proxy, and without following anything. The status, with what was answered (up to 64
 * KiB) in `ret_body`, to be freed in any case; 0, with a few words: no answer. */
long aws_fetch(struct aws_fetcher *fetcher, const char *method, const char *url, const char *header,
	       struct buffer *ret_body, char *error, size_t error_size);

/* Ends the present request and those to come at once. Any thread. */
void aws_fetcher_stop(struct aws_fetcher *fetcher);
/* NULL is allowed. */
void aws_fetcher_close(struct aws_fetcher *fetcher);

#endif
