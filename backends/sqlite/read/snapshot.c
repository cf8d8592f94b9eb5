#include "backends/sqlite/read/snapshot.h"

#include <string.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/read/readers.h"
#include "base/invariant.h"

int snapshot_refresh(struct reader *reader)
{
	struct wal_state now = {0};

	if (reader->wal_index)
		wal_index_read(reader->wal_index, &now);
	if (reader->in_transaction && reader->wal_index && wal_state_equal(&now, &reader->seen))
		return SQLITE_OK;
	readers_end_transaction(reader);
	int code = database_run(reader->begin);
	if (code != SQLITE_DONE)
		return code;
	reader->in_transaction = true;
	reader->snapshot++;
	reader->seen = now;
	reader->is_exact = false;
	return SQLITE_OK;
}

/* The first look-up after BEGIN, which is always that of a namespace, has taken the snapshot: if
 * the header is still the one from before, the snapshot is of that state and of no later one. */
static void note_exactness(struct reader *reader)
{
	struct wal_state now;

	if (reader->is_exact || !reader->wal_index)
		return;
	wal_index_read(reader->wal_index, &now);
	reader->is_exact = wal_state_equal(&now, &reader->seen);
}

struct cached_namespace *snapshot_find_namespace(struct sqlite_store *store, struct reader *reader,
						 struct slice name, int *ret_code)
{
	struct cached_namespace *found = NULL;

	INVARIANT(reader->in_transaction);
	*ret_code = SQLITE_OK;
	for (unsigned i = 0; i < CACHED_NAMESPACES && !found; i++) {
		struct cached_namespace *cached = &reader->namespaces[i];

		if (cached->name_len == name.len && memcmp(cached->name, name.data, name.len) == 0)
			found = cached;
	}
	if (found && found->snapshot == reader->snapshot)
		return found;
	if (!found) {
		found = &reader->namespaces[reader->next_cached++ % CACHED_NAMESPACES];
		*found = (struct cached_namespace){.name_len = name.len};
		memcpy(found->name, name.data, name.len);
	}
	unsigned faults = mapping_faults(&store->file.mapping);
	(void)sqlite3_bind_text(reader->find_namespace, 1, name.data, (int)name.len, SQLITE_STATIC);
	int code = sqlite3_step(reader->find_namespace);
	found->id = code == SQLITE_ROW ? sqlite3_column_int64(reader->find_namespace, 0) : 0;
	found->idle_us =
		code == SQLITE_ROW ? sqlite3_column_int64(reader->find_namespace, 1) * US_PER_S : 0;
	found->has_stale = false;
	int reset = sqlite3_reset(reader->find_namespace);
	if (!mapping_is_intact(&store->file.mapping, faults))
		code = reset = SQLITE_IOERR_MMAP;
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		found->snapshot = 0;
		*ret_code = reset;
		return NULL;
	}
	if (found->id != 0 && !found->counters)
		found->counters = counters_of(&store->counters, name);
	found->snapshot = reader->snapshot;
	note_exactness(reader);
	return found;
}
