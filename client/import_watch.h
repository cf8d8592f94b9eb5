/* What becomes of entries in a server after it has taken them. */
#ifndef STEADYCACHE_CLIENT_IMPORT_WATCH_H
#define STEADYCACHE_CLIENT_IMPORT_WATCH_H

#include "client/import_server.h"

/* The namespaces that something is stored in. A zeroed one is empty. */
struct import_watch {
	struct import_watched *first;
};

/* How many entries the namespace has lost so far, since whenever. Those that are missing without
 * having been evicted count too: a server may be told to keep nothing. */
bool import_watch_evicted(struct import_watch *watch, struct import_server *server, const char *ns,
			  uint64_t *ret);

/* The namespace has taken `count` more entries. Does nothing for one that was never asked about. */
void import_watch_add(struct import_watch *watch, const char *ns, size_t count);

/* Whether what the server has survives its end: whether none of its backends is a memory without a
 * copy on a disk. If it does not say, they do not count as surviving. */
bool import_watch_survives(struct import_server *server, bool *ret);

void import_watch_deinit(struct import_watch *watch);

#endif
