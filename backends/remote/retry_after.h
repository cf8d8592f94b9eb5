/* When an HTTP server wants to be asked again. */
#ifndef STEADYCACHE_REMOTE_RETRY_AFTER_H
#define STEADYCACHE_REMOTE_RETRY_AFTER_H

#include <stdint.h>

/* Reads the value of a Retry-After header: seconds, or an HTTP date relative to `now_s` (Unix
 * time). -1 if it is neither; capped at a day. */
int64_t remote_retry_after_s(const char *value, int64_t now_s);

#endif
