#include "backends/sqlite/write/changes.h"

#include <stdlib.h>

#include "backends/sqlite/file/key_index.h"
#include "backends/sqlite/write/transaction.h"
#include "base/array.h"
#include "base/invariant.h"

void changes_begin(struct transaction *tx)
{
	struct changes *changes = &tx->changes;

	/* Under the write lock: nobody else can make another one now. */
	atomic_store(&tx->store->values.writer_works, true);
	if (changes->wal_index)
		wal_index_read(changes->wal_index, &changes->before);
}

void changes_forget(struct changes *changes)
{
	changes->count = 0;
	changes->lost = false;
	changes->commit_frames = 0;
}

static void note_change(struct changes *changes, const struct values_change *change)
{
	struct values_change *grown =
		array_with_room(changes->items, changes->count, &changes->capacity, sizeof(*grown));

	if (!grown) {
		changes->lost = true;
		return;
	}
	changes->items = grown;
	grown[changes->count++] = *change;
}

void changes_note_removal(struct transaction *tx, int64_t namespace_id, int64_t hash)
{
	if (tx->changes.wal_index)
		note_change(&tx->changes,
			    &(struct values_change){.namespace_id = namespace_id, .hash = hash});
}

void changes_note_overwrite(struct transaction *tx, int64_t namespace_id, int64_t id,
			    const struct cache_item *item)
{
	if (tx->changes.wal_index)
		note_change(&tx->changes,
			    &(struct values_change){
				    .namespace_id = namespace_id,
				    .hash = key_index_hash(tx->store->file.hash_seed, item->key),
				    .id = id,
				    .key = item->key,
				    .value = item->value});
}

void changes_publish(struct transaction *tx)
{
	struct changes *changes = &tx->changes;
	struct wal_state after;

	if (!changes->wal_index)
		return;
	INVARIANT(atomic_load(&tx->store->values.writer_works));
	bool known = wal_index_read_own(changes->wal_index, &changes->before,
					changes->commit_frames, &after) &&
		     !changes->lost;
	values_move(&tx->store->values, known ? &changes->before : NULL, &after, changes->items,
		    changes->count);
	atomic_store(&tx->store->values.writer_works, false);
}

void changes_drop(struct transaction *tx)
{
	atomic_store(&tx->store->values.writer_works, false);
}

void changes_deinit(struct changes *changes)
{
	free(changes->items);
	*changes = (struct changes){0};
}
