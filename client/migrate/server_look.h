/* Looks at entries of a running server a second time (again.h): a HEAD for each, and a GET for
 * those that have changed. The empty key has no URL, and one may be too long for it: they are not
 * looked at. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_SERVER_LOOK_H
#define STEADYCACHE_CLIENT_MIGRATE_SERVER_LOOK_H

#include "client/migrate/end.h"

struct server_look;

/* `url` is the caller's. Connects when it is needed. NULL: out of memory. */
struct server_look *server_look_open(const char *url, long timeout_s);

/* As `look` of a source. Any thread. */
bool server_look_run(struct server_look *look, const struct migrate_batch *batch,
		     struct migrate_batch *ret, struct migrate_failure *failure);

/* NULL is allowed. */
void server_look_close(struct server_look *look);

#endif
