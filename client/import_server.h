/* A server that an import goes to, asked with patience: what fails for a while (no answer, 429,
 * 503, 504) is tried again for a minute, unless a signal comes (interrupt.h). */
#ifndef STEADYCACHE_CLIENT_IMPORT_SERVER_H
#define STEADYCACHE_CLIENT_IMPORT_SERVER_H

#include "client/migrate/end.h"
#include "client/remote.h"

struct import_server {
	struct remote remote;
	struct migrate_failure failure; /* the last; CLIENT_DONE after a success */
};

/* As server_end_ask, with patience. `ret_missing`: 404 is a success too, and sets it; may be NULL.
 */
bool import_server_ask(struct import_server *server, const struct remote_request *request,
		       struct remote_answer *answer, bool *ret_missing);

/* After the `attempt`-th of several tries since `since_us` has ended with server->failure: waits,
 * and tells whether to try again. */
bool import_server_goes_on(const struct import_server *server, int64_t since_us, unsigned attempt);

#endif
