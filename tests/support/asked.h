/* What became of requests that a test put to a transport of the redis backend, by their number. The
 * thread of the test. */
#ifndef STEADYCACHE_TESTS_ASKED_H
#define STEADYCACHE_TESTS_ASKED_H

#include "backends/remote/transport.h"

#define ASKED_MAX 300

struct asked {
	unsigned done; /* how often */
	unsigned number;
	enum remote_failure failure;
	bool reached, is_partial;
	unsigned count;
	size_t bytes;
	char first[64], last[64]; /* texts of replies */
};

extern struct asked asked[ASKED_MAX];
extern unsigned asked_count, done_order[ASKED_MAX], done_count;

/* Forgets all. */
void asked_reset(void);

/* Submits `request` with a command of one word for each of `words`, which blanks separate. The
 * transport takes it. */
struct asked *asked_submit(struct remote_transport *transport, struct remote_request request,
			   const char *words);

#endif
