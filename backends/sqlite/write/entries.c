#include "backends/sqlite/write/entries.h"

#include <string.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/key_index.h"
#include "backends/sqlite/write/idle.h"
#include "backends/sqlite/write/transaction.h"

int entries_find(struct transaction *tx, const struct ns_row *row, struct slice key,
		 struct found_entry *ret)
{
	sqlite3_stmt *find = tx->statements.find_entry;

	key_index_bind(find, 1, row->id, key, tx->store->file.hash_seed);
	int code = sqlite3_step(find);
	*ret = (struct found_entry){.found = code == SQLITE_ROW};
	if (ret->found) {
		ret->id = sqlite3_column_int64(find, 0);
		ret->expires_us = sqlite3_column_int64(find, 1);
		ret->size = sqlite3_column_int64(find, 3);
		ret->used_bytes = (int64_t)cache_used_bytes(
			key.len, (size_t)sqlite3_column_bytes(find, 4), (uint64_t)ret->size);
		if (sqlite3_column_bytes(find, 2) == (int)sizeof(ret->etag.bytes))
			memcpy(ret->etag.bytes, sqlite3_column_blob(find, 2),
			       sizeof(ret->etag.bytes));
	}
	int reset = sqlite3_reset(find);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return reset;
	return ret->found ? idle_find(tx, row, ret->id, &ret->is_idle) : SQLITE_OK;
}

int entries_find_all(struct transaction *tx, const struct ns_row *row, const struct cache_op *op,
		     struct found_entry *ret)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++)
		code = entries_find(tx, row, op->items[i].key, &ret[i]);
	return code;
}

int entries_find_history(struct transaction *tx, int64_t id, bool *found, int64_t *ret_frequency,
			 int64_t *ret_created_us)
{
	sqlite3_stmt *find = tx->statements.find_history;

	(void)sqlite3_bind_int64(find, 1, id);
	int code = sqlite3_step(find);
	*found = code == SQLITE_ROW;
	*ret_frequency = sqlite3_column_int64(find, 0);
	*ret_created_us = sqlite3_column_int64(find, 1);
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

int entries_set_expiry(struct transaction *tx, int64_t id, int64_t expires_us)
{
	(void)sqlite3_bind_int64(tx->statements.set_expiry, 1, id);
	(void)sqlite3_bind_int64(tx->statements.set_expiry, 2, expires_us);
	int code = database_run(tx->statements.set_expiry);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* What an entry counts in the accounts of its namespace, and its hash. */
struct counted_entry {
	int64_t size, used_bytes, hash;
};

static int find_counted(struct transaction *tx, int64_t id, bool *found, struct counted_entry *ret)
{
	sqlite3_stmt *find = tx->statements.find_size;

	(void)sqlite3_bind_int64(find, 1, id);
	int code = sqlite3_step(find);
	*found = code == SQLITE_ROW;
	*ret = (struct counted_entry){
		.size = sqlite3_column_int64(find, 0),
		.hash = sqlite3_column_int64(find, 1),
	};
	ret->used_bytes = (int64_t)cache_used_bytes((size_t)sqlite3_column_int64(find, 3),
						    (size_t)sqlite3_column_bytes(find, 2),
						    (uint64_t)ret->size);
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

int entries_delete_rows(struct transaction *tx, int64_t id)
{
	struct use waiting;

	(void)sqlite3_bind_int64(tx->statements.delete_uses, 1, id);
	(void)sqlite3_bind_int64(tx->statements.delete_entry, 1, id);
	int code = database_run(tx->statements.delete_uses);
	if (code == SQLITE_DONE)
		code = database_run(tx->statements.delete_entry);
	if (code != SQLITE_DONE)
		return code;
	(void)uses_take(&tx->store->uses, id, &waiting);
	tx->removed++;
	return SQLITE_OK;
}

int entries_remove(struct transaction *tx, struct ns_row *row, int64_t id, bool *ret_removed)
{
	struct counted_entry entry;
	int64_t frequency = 0;
	int64_t created_us = 0;
	int code = entries_find_history(tx, id, ret_removed, &frequency, &created_us);

	if (code != SQLITE_OK || !*ret_removed)
		return code;
	code = find_counted(tx, id, ret_removed, &entry);
	if (code != SQLITE_OK)
		return code;
	if (!*ret_removed)
		return SQLITE_CORRUPT; /* the two tables always change together */
	code = entries_delete_rows(tx, id);
	if (code != SQLITE_OK)
		return code;
	changes_note_removal(tx, row->id, entry.hash);
	row->entry_count--;
	row->size_sum -= entry.size;
	row->used_bytes -= entry.used_bytes;
	row->frequency_sum -= frequency;
	row->dirty = true;
	return SQLITE_OK;
}
