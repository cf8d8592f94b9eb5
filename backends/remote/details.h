/* Sentences that the upstream sent, kept as long as the backend: op->detail may be one. I/O
 * thread. */
#ifndef STEADYCACHE_REMOTE_DETAILS_H
#define STEADYCACHE_REMOTE_DETAILS_H

#include "base/slice.h"

#define DETAILS_MAX 64

/* A zeroed one is empty. */
struct remote_details {
	char *sentences[DETAILS_MAX];
};

void remote_details_deinit(struct remote_details *details);

/* A lasting copy of a sentence. NULL: there are too many different ones, or it is not printable
 * UTF-8 of a reasonable length. */
const char *remote_details_keep(struct remote_details *details, struct slice sentence);

#endif
