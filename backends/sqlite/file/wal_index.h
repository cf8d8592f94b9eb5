/* The header of the WAL index, which identifies a state of the database.
 *
 * The first 48 bytes of the "-shm" file (sqlite.org/walformat.html) have a counter of commits, the
 * length of the log, the checksum over all of its frames, and its salts. They differ after every
 * commit of any process, and equal headers mean equal contents: the checksum covers the log, and a
 * log that is reset has another salt. A commit is answered after its header was written. */
#ifndef STEADYCACHE_SQLITE_WAL_INDEX_H
#define STEADYCACHE_SQLITE_WAL_INDEX_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WAL_STATE_WORDS 6 /* 48 bytes */

/* A header that was read, perhaps while somebody wrote it: such a mixture of two headers equals
 * none that is read after the writing. */
struct wal_state {
	uint64_t words[WAL_STATE_WORDS];
};

static inline bool wal_state_equal(const struct wal_state *a, const struct wal_state *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The index of an open connection in WAL mode that has already read something: the mapping that
 * SQLite itself uses, valid as long as the connection. NULL if there is none. */
const volatile uint64_t *wal_index_map(sqlite3 *db);

/* Reads the header. `index` must not be NULL. Any thread. */
static inline void wal_index_read(const volatile uint64_t *index, struct wal_state *ret)
{
	for (unsigned i = 0; i < WAL_STATE_WORDS; i++)
		ret->words[i] = __atomic_load_n(&index[i], __ATOMIC_ACQUIRE);
}

/* The number of frames of the log according to a header. */
uint32_t wal_index_frames(const struct wal_state *state);

/* Reads the header after a commit of ours. `before`: the header while that transaction already held
 * the write lock; `frames`: the length of the log that SQLite reported for that commit
 * (sqlite3_wal_hook), 0 if it wrote none. True: *ret is the very state that our commit made, with
 * no other since. False: somebody else has committed, or is about to. */
bool wal_index_read_own(const volatile uint64_t *index, const struct wal_state *before,
			uint32_t frames, struct wal_state *ret);

#endif
