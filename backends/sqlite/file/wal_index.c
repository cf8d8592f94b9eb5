#include "backends/sqlite/file/wal_index.h"

#define WAL_INDEX_BYTES 32768

/* Closing a second open of the file would drop the locks that this process holds on it. */
const volatile uint64_t *wal_index_map(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	volatile void *region = NULL;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file) !=
		    SQLITE_OK ||
	    !file || !file->pMethods || file->pMethods->iVersion < 2 || !file->pMethods->xShmMap ||
	    file->pMethods->xShmMap(file, 0, WAL_INDEX_BYTES, 0, &region) != SQLITE_OK)
		return NULL;
	return region;
}

/* The 32-bit number at byte `offset`. */
static uint32_t number_at(const struct wal_state *state, size_t offset)
{
	uint32_t number;

	memcpy(&number, (const char *)state->words + offset, sizeof(number));
	return number;
}

static uint32_t commits_of(const struct wal_state *state)
{
	return number_at(state, 8);
}

uint32_t wal_index_frames(const struct wal_state *state)
{
	return number_at(state, 16);
}

/* The counter of commits increases by one with each, so "one more than before" means that at most
 * one was made since; the length of the log shows that it is ours. The index has the header twice,
 * and the two differ while somebody writes them. */
bool wal_index_read_own(const volatile uint64_t *index, const struct wal_state *before,
			uint32_t frames, struct wal_state *ret)
{
	struct wal_state second;

	wal_index_read(index, ret);
	wal_index_read(index + WAL_STATE_WORDS, &second);
	if (!wal_state_equal(ret, &second))
		return false;
	if (frames == 0)
		return wal_state_equal(ret, before);
	return commits_of(ret) == commits_of(before) + 1 && wal_index_frames(ret) == frames;
}
