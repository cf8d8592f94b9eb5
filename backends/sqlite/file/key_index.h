/* How the index of entries (schema.c: entries_key) finds a key: by its first 64 bytes, and by a
 * hash of the whole key to tell apart those with the same beginning. */
#ifndef STEADYCACHE_SQLITE_KEY_INDEX_H
#define STEADYCACHE_SQLITE_KEY_INDEX_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/slice.h"

/* The index has this many bytes of each key. */
#define INDEXED_KEY_BYTES 64
#define KEY_BOUND_BYTES   (INDEXED_KEY_BYTES + 1)

/* The condition by which a statement finds a key, with the numbers of the parameters that
 * key_index_bind() sets. */
#define KEY_CONDITION(a, b, c, d)                                                                  \
	"ns = ?" #a " AND ifnull(substr(key, 1, 64), x'') = ?" #b " AND hash = ?" #c               \
	" AND key = ?" #d

/* The hash of a key. Keyed with a seed of the file, so that nobody can make keys that collide; if
 * two do, the whole key tells them apart. */
int64_t key_index_hash(uint64_t seed, struct slice key);

/* Binds the four parameters of KEY_CONDITION, from `parameter` on. Borrows `key` until the
 * statement is reset. */
void key_index_bind(sqlite3_stmt *statement, int parameter, int64_t namespace_id, struct slice key,
		    uint64_t seed);

/* How much of `key` the index has. */
size_t key_index_len(struct slice key);
/* Writes the first byte string after all indexed keys that begin with `prefix`; returns its
 * length. */
size_t key_index_prefix_bound(struct slice prefix, char bound[static KEY_BOUND_BYTES]);

#endif
