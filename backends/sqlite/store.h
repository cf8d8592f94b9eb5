/* Shared by the parts of the SQLite backend. sqlite.c opens and closes it; below that
 *
 *   read/          gets on the caller's thread, listings and statistics on the background thread
 *   write/         the one thread that writes: groups of operations, one commit each
 *   background.c   the thread for longer work, and for housekeeping
 *   file/          the database file: connections, schema, locks, faults, room on the volume
 *
 * file/ knows of nothing above it. read/ and write/ know of each other only uses.h and values.h;
 * threads wake each other through the store's inboxes. */
#ifndef STEADYCACHE_SQLITE_STORE_H
#define STEADYCACHE_SQLITE_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "backends/sqlite/counters.h"
#include "backends/sqlite/file/file.h"
#include "backends/sqlite/inbox.h"
#include "backends/sqlite/read/large.h"
#include "backends/sqlite/read/values.h"
#include "backends/sqlite/settings.h"
#include "backends/sqlite/write/uses.h"
#include "base/order_clock.h"
#include "store/backend.h"
#include "store/rules.h"

struct background;
struct readers;
struct writer;

struct sqlite_store {
	struct backend backend; /* first, because callers of the contract get a pointer to it */
	struct backend_config config;
	struct sqlite_settings settings;
	struct cache_clock clock;
	struct sqlite_file file;

	struct order_clock order_clock; /* of last accesses and creations */
	/* In its place the file keeps this one, of a store that it follows; NULL: none. */
	const struct order_clock *_Atomic followed_clock;
	struct counters_table counters;
	struct uses uses;
	struct values values;
	struct large large;
	/* Held by the writer from BEGIN to COMMIT, and by statistics while they take their snapshot
	 * and copy the waiting uses, so that no use is counted twice or missed. */
	pthread_mutex_t uses_order;

	struct inbox to_writer, to_background;
	struct readers *readers;
	struct writer *writer;
	struct background *background;

	/* The writer's figures (gauges.c). */
	struct {
		atomic_ullong groups, ops, failed, busy_us;
		atomic_bool locked; /* another program has held the write lock for some time */
	} written;
};

static inline int64_t store_now_us(const struct sqlite_store *store)
{
	return cache_clock_now_us(&store->clock);
}

#endif
