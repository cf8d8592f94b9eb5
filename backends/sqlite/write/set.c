#include "backends/sqlite/write/set.h"

#include <stdlib.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/key_index.h"
#include "backends/sqlite/write/admit.h"
#include "backends/sqlite/write/entries.h"

/* How many items before its turn the key of one is fetched into the processor's cache. */
#define FETCHED_AHEAD 4

/* Frequency and times of a new entry: its own, or 1 and now. */
struct beginning {
	int64_t frequency, last_access_us, created_us;
};

/* A time of a history. A time in the future becomes now. Those of a store that the file follows are
 * of its clock already. */
static int64_t past_of(const struct transaction *tx, int64_t then_us)
{
	if (tx->store->settings.follows)
		return then_us;
	return order_clock_of_past(&tx->store->order_clock, then_us, tx->now_us);
}

static struct beginning beginning_of(const struct transaction *tx, const struct cache_item *item)
{
	const struct cache_history *history = item->history;
	struct beginning ret = {1, tx->order_us, tx->order_us};

	if (history && history->frequency > 0)
		ret.frequency = (int64_t)history->frequency;
	if (history && history->last_access_us > 0)
		ret.last_access_us = past_of(tx, history->last_access_us);
	if (history && history->created_at_us > 0)
		ret.created_us = past_of(tx, history->created_at_us);
	return ret;
}

/* Of a store that the file follows the time in the history is the one that it knows to be written;
 * that of the value may be a later one. */
static int64_t expiry_of(const struct cache_item *item)
{
	return item->history && item->history->expires_at_us != HISTORY_TTL
		       ? item->history->expires_at_us
		       : item->value->expires_at_us;
}

static int insert_entry(struct transaction *tx, struct ns_row *row, const struct cache_item *item)
{
	struct beginning beginning = beginning_of(tx, item);
	const struct cache_value *value = item->value;
	struct slice head = cache_value_head(value);
	struct slice bytes = cache_value_bytes(value);
	sqlite3_stmt *insert = tx->statements.insert_entry;

	(void)sqlite3_bind_int64(insert, 1, row->id);
	(void)sqlite3_bind_int64(insert, 2, key_index_hash(tx->store->file.hash_seed, item->key));
	(void)sqlite3_bind_blob64(insert, 3, item->key.len ? item->key.data : "", item->key.len,
				  SQLITE_STATIC);
	(void)sqlite3_bind_blob(insert, 4, value->etag.bytes, sizeof(value->etag.bytes),
				SQLITE_STATIC);
	(void)sqlite3_bind_int(insert, 5, value->flags);
	(void)sqlite3_bind_text(insert, 6, head.data, (int)head.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(insert, 7, value->modified_at_us);
	(void)sqlite3_bind_int64(insert, 8, expiry_of(item));
	(void)sqlite3_bind_blob64(insert, 9, bytes.len ? bytes.data : "", bytes.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(insert, 10, (int64_t)item->size_bytes);
	int code = database_run(insert);
	if (code != SQLITE_DONE)
		return code;
	row->entry_count++;
	row->frequency_sum += beginning.frequency;
	sqlite3_stmt *uses = tx->statements.insert_uses;
	(void)sqlite3_bind_int64(uses, 1, sqlite3_last_insert_rowid(tx->db));
	(void)sqlite3_bind_int64(uses, 2, beginning.frequency);
	(void)sqlite3_bind_int64(uses, 3, beginning.last_access_us);
	(void)sqlite3_bind_int64(uses, 4, beginning.created_us);
	(void)sqlite3_bind_int64(uses, 5, row->id);
	(void)sqlite3_bind_int(uses, 6, row->settings.policy == EVICT_FIFO);
	(void)sqlite3_bind_int(uses, 7, row->settings.max_idle_s > 0);
	code = database_run(uses);
	if (beginning.frequency > 1)
		heads_arrive(&tx->heads, row->id, beginning.last_access_us);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Parameters 1 to 8 of update_entry and update_hinted. */
static void bind_update(sqlite3_stmt *update, const struct cache_item *item, int64_t id)
{
	const struct cache_value *value = item->value;
	struct slice head = cache_value_head(value), bytes = cache_value_bytes(value);

	(void)sqlite3_bind_int64(update, 1, id);
	(void)sqlite3_bind_blob(update, 2, value->etag.bytes, sizeof(value->etag.bytes),
				SQLITE_STATIC);
	(void)sqlite3_bind_int(update, 3, value->flags);
	(void)sqlite3_bind_text(update, 4, head.data, (int)head.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(update, 5, value->modified_at_us);
	(void)sqlite3_bind_int64(update, 6, expiry_of(item));
	(void)sqlite3_bind_blob64(update, 7, bytes.len ? bytes.data : "", bytes.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(update, 8, (int64_t)item->size_bytes);
}

static int update_entry(struct transaction *tx, const struct cache_item *item, int64_t id)
{
	bind_update(tx->statements.update_entry, item, id);
	int code = database_run(tx->statements.update_entry);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* An overwrite counts as a use. Like every use it waits in memory, so that only the page with the
 * value is written now; if too many wait already, it is written at once. */
static int count_overwrite(struct transaction *tx, struct ns_row *row, int64_t id)
{
	struct use use = {
		.id = id,
		.namespace_id = row->id,
		.last_access_us = tx->order_us,
		.count = 1,
	};

	if (uses_add(&tx->store->uses, &use))
		return fold_keep_given(tx, &use) ? SQLITE_OK : SQLITE_NOMEM;
	return fold_use(tx, &use);
}

/* An entry that had expired, or that has a history, starts over. */
static int restart_uses(struct transaction *tx, struct ns_row *row, const struct cache_item *item,
			int64_t id)
{
	struct beginning beginning = beginning_of(tx, item);
	int64_t frequency = 0;
	int64_t created_us = 0;
	bool found = false;
	struct use use;
	int code = entries_find_history(tx, id, &found, &frequency, &created_us);

	if (code != SQLITE_OK || !found)
		return code != SQLITE_OK ? code : SQLITE_CORRUPT;
	fold_take(tx);
	if (uses_take(&tx->store->uses, id, &use) && !fold_keep_taken(tx, &use))
		return SQLITE_NOMEM;
	row->frequency_sum += beginning.frequency - frequency;
	bool is_as_old = beginning.created_us == created_us;
	sqlite3_stmt *restart = is_as_old ? tx->statements.move_uses : tx->statements.restart_uses;
	(void)sqlite3_bind_int64(restart, 1, id);
	(void)sqlite3_bind_int64(restart, 2, beginning.frequency);
	(void)sqlite3_bind_int64(restart, 3, beginning.last_access_us);
	if (!is_as_old)
		(void)sqlite3_bind_int64(restart, 4, beginning.created_us);
	code = database_run(restart);
	if (beginning.frequency > 1)
		heads_arrive(&tx->heads, row->id, beginning.last_access_us);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Eviction relies on nothing having been used before its namespace existed. */
static void widen_age(const struct transaction *tx, struct ns_row *row,
		      const struct cache_item *item)
{
	if (!item->history || item->history->last_access_us <= 0)
		return;
	int64_t last_access_us = past_of(tx, item->history->last_access_us);
	if (last_access_us < row->created_us)
		row->created_us = last_access_us;
}

static int store_item(struct transaction *tx, struct ns_row *row, struct cache_item *item,
		      const struct found_entry *entry)
{
	int code;

	item->value->modified_at_us = tx->now_us;
	item->value->expires_at_us = rules_expiry_us(item, row->settings.default_ttl_s, tx->now_us);
	item->created = !entries_is_live(tx, entry);
	item->status = CACHE_OK;
	row->size_sum += (int64_t)item->size_bytes;
	row->used_bytes += admit_used_bytes(item);
	row->dirty = true;
	sweep_arrived(tx, item->value->expires_at_us);
	widen_age(tx, row, item);
	told_note(tx, row, CHANGE_SET, item->key);
	if (!entry->found)
		return insert_entry(tx, row, item);
	row->size_sum -= entry->size;
	row->used_bytes -= entry->used_bytes;
	code = update_entry(tx, item, entry->id);
	if (code != SQLITE_OK)
		return code;
	changes_note_overwrite(tx, row->id, entry->id, item);
	if (item->created)
		row->counted.expirations++;
	return item->created || item->history ? restart_uses(tx, row, item, entry->id)
					      : count_overwrite(tx, row, entry->id);
}

/* Capacity 0: nothing is stored, and an existing value must not be served any more. */
static enum applied store_nothing(struct transaction *tx, struct ns_row *row, struct cache_op *op,
				  const struct found_entry *entries)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++) {
		bool live = entries_is_live(tx, &entries[i]);
		bool removed = false;

		op->items[i].status = CACHE_OK;
		op->items[i].created = !live;
		if (entries[i].found)
			code = entries_remove(tx, row, entries[i].id, &removed);
		if (removed && live)
			row->counted.evictions++;
		else if (removed)
			row->counted.expirations++;
		if (removed)
			told_note(tx, row, live ? CHANGE_EVICT : CHANGE_EXPIRE, op->items[i].key);
	}
	op->status = CACHE_OK;
	return code == SQLITE_OK ? APPLIED : applied_fail(tx, op, code);
}

static enum applied store_items(struct transaction *tx, struct ns_row *row, struct cache_op *op,
				const struct found_entry *entries)
{
	int code = SQLITE_OK;

	/* Later uses of the transaction are later. */
	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++, tx->order_us++)
		code = store_item(tx, row, &op->items[i], &entries[i]);
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	row->counted.sets += op->item_count;
	return APPLIED;
}

static enum applied set_items(struct transaction *tx, struct ns_row *row, struct cache_op *op,
			      struct found_entry *entries)
{
	int code = entries_find_all(tx, row, op, entries);

	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	bool live = entries_is_live(tx, &entries[0]);
	if (!rules_condition_holds(op, live ? &entries[0].etag : NULL))
		return applied_refuse(op, CACHE_PRECONDITION_FAILED, NULL);
	if (row->settings.capacity == 0)
		return store_nothing(tx, row, op, entries);
	enum applied applied = admit_set(tx, row, op, entries);
	if (applied != APPLIED || op->status != CACHE_OK)
		return applied;
	return store_items(tx, row, op, entries);
}

/* ---- The file as a copy of another store (settings.h: follows) ---- */

/* What is known of a row now that it has the item's value and history. */
static void note_hint(struct transaction *tx, const struct cache_item *item, int64_t hash,
		      int64_t id)
{
	const struct hint hint = {
		.hash = hash,
		.id = id,
		.size_bytes = (int64_t)item->size_bytes,
		.frequency = (uint32_t)beginning_of(tx, item).frequency,
		.type_len = (uint32_t)cache_value_head(item->value).len,
	};

	hints_note(&tx->hints, &hint);
}

static int move_uses_hinted(struct transaction *tx, struct ns_row *row,
			    const struct cache_item *item, const struct hint *hint)
{
	struct beginning beginning = beginning_of(tx, item);
	sqlite3_stmt *move = tx->statements.move_uses_hinted;
	struct use use;

	(void)sqlite3_bind_int64(move, 1, hint->id);
	(void)sqlite3_bind_int64(move, 2, beginning.frequency);
	(void)sqlite3_bind_int64(move, 3, beginning.last_access_us);
	(void)sqlite3_bind_int64(move, 4, hint->frequency);
	(void)sqlite3_bind_int64(move, 5, beginning.created_us);
	int code = database_run(move);
	if (code != SQLITE_DONE)
		return code;
	if (sqlite3_changes(tx->db) == 0)
		return restart_uses(tx, row, item, hint->id);
	fold_take(tx);
	if (uses_take(&tx->store->uses, hint->id, &use) && !fold_keep_taken(tx, &use))
		return SQLITE_NOMEM;
	row->frequency_sum += beginning.frequency - (int64_t)hint->frequency;
	if (beginning.frequency > 1)
		heads_arrive(&tx->heads, row->id, beginning.last_access_us);
	return SQLITE_OK;
}

/* *ret_followed: the hint was right, and the row is written. */
static int follow_hint(struct transaction *tx, struct ns_row *row, const struct cache_item *item,
		       const struct hint *hint, bool *ret_followed)
{
	sqlite3_stmt *update = tx->statements.update_hinted;
	struct slice key = item->key;

	bind_update(update, item, hint->id);
	(void)sqlite3_bind_int64(update, 9, row->id);
	(void)sqlite3_bind_int64(update, 10, hint->hash);
	(void)sqlite3_bind_int64(update, 11, hint->size_bytes);
	(void)sqlite3_bind_int64(update, 12, hint->type_len);
	(void)sqlite3_bind_blob64(update, 13, key.len ? key.data : "", key.len, SQLITE_STATIC);
	int code = database_run(update);
	if (code != SQLITE_DONE)
		return code;
	*ret_followed = sqlite3_changes(tx->db) > 0;
	if (!*ret_followed)
		return SQLITE_OK;
	row->size_sum += (int64_t)item->size_bytes - hint->size_bytes;
	row->used_bytes +=
		admit_used_bytes(item) -
		(int64_t)cache_used_bytes(key.len, hint->type_len, (uint64_t)hint->size_bytes);
	return move_uses_hinted(tx, row, item, hint);
}

static int follow_value(struct transaction *tx, struct ns_row *row, struct cache_item *item,
			int64_t hash)
{
	const struct hint *hint = hints_find(&tx->hints, hash);
	struct found_entry entry = {0};
	bool followed = false;
	int code = SQLITE_OK;

	widen_age(tx, row, item);
	if (hint)
		code = follow_hint(tx, row, item, hint, &followed);
	if (code != SQLITE_OK)
		return code;
	if (followed) {
		note_hint(tx, item, hash, hint->id);
		return SQLITE_OK;
	}
	code = entries_find(tx, row, item->key, &entry);
	if (code != SQLITE_OK)
		return code;
	row->size_sum += (int64_t)item->size_bytes - entry.size;
	row->used_bytes += admit_used_bytes(item) - entry.used_bytes;
	if (entry.found)
		code = update_entry(tx, item, entry.id);
	else
		code = insert_entry(tx, row, item);
	if (code == SQLITE_OK && entry.found)
		code = restart_uses(tx, row, item, entry.id);
	if (code == SQLITE_OK)
		note_hint(tx, item, hash,
			  entry.found ? entry.id : sqlite3_last_insert_rowid(tx->db));
	return code;
}

static int follow_item(struct transaction *tx, struct ns_row *row, struct cache_item *item)
{
	struct found_entry entry = {0};

	item->status = CACHE_OK;
	row->dirty = true;
	if (item->value)
		return follow_value(tx, row, item,
				    key_index_hash(tx->store->file.hash_seed, item->key));
	int code = entries_find(tx, row, item->key, &entry);
	if (code == SQLITE_OK && entry.found && entry.expires_us != item->history->expires_at_us)
		code = entries_set_expiry(tx, entry.id, item->history->expires_at_us);
	return code == SQLITE_OK && entry.found ? restart_uses(tx, row, item, entry.id) : code;
}

static enum applied follow_items(struct transaction *tx, struct ns_row *row, struct cache_op *op)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++) {
		/* They are all over memory. */
		if (i + FETCHED_AHEAD < op->item_count)
			__builtin_prefetch(op->items[i + FETCHED_AHEAD].key.data);
		code = follow_item(tx, row, &op->items[i]);
	}
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	op->status = CACHE_OK;
	return APPLIED;
}

enum applied set_apply(struct transaction *tx, struct cache_op *op)
{
	enum applied applied = FAILED;
	struct ns_row *row = ns_row_find_or_create(tx, op, &applied);

	if (!row)
		return applied;
	if (tx->store->settings.follows)
		return follow_items(tx, row, op);
	struct found_entry *entries = calloc(op->item_count, sizeof(*entries));
	if (!entries)
		return applied_fail(tx, op, SQLITE_NOMEM);
	applied = set_items(tx, row, op, entries);
	free(entries);
	return applied;
}
