#include "backends/sqlite/write/apply.h"

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/key_index.h"
#include "backends/sqlite/write/entries.h"
#include "backends/sqlite/write/evict.h"
#include "backends/sqlite/write/idle.h"
#include "backends/sqlite/write/set.h"
#include "backends/sqlite/write/step.h"

/* How often a group of writes folds FOLDED_AT_ONCE uses for a SYNC. */
#define FOLDS_PER_GROUP 8

/* How many entries a clear by prefix looks up in one query, how many it removes in one group in any
 * case, and how long it continues there beyond that: others write too. */
#define CLEARED_AT_ONCE  64
#define CLEARED_AT_LEAST 16
#define CLEAR_STEP_US    INT64_C(2000)

/* ---- Delete ---- */

static enum applied apply_delete(struct transaction *tx, struct cache_op *op)
{
	struct ns_row *row = NULL;
	int code = ns_row_find(tx, op->ns, &row);

	op->status = CACHE_OK;
	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++) {
		struct cache_item *item = &op->items[i];
		struct found_entry entry = {0};
		bool removed = false;

		if (row)
			code = entries_find(tx, row, item->key, &entry);
		bool live = entries_is_live(tx, &entry);
		item->status = live ? CACHE_OK : CACHE_NOT_FOUND;
		if (code == SQLITE_OK && !rules_condition_holds(op, live ? &entry.etag : NULL))
			return applied_refuse(op, CACHE_PRECONDITION_FAILED, NULL);
		if (code == SQLITE_OK && entry.found)
			code = entries_remove(tx, row, entry.id, &removed);
		if (removed && live)
			row->counted.deletes++;
		else if (removed)
			row->counted.expirations++;
		if (removed)
			told_note(tx, row, live ? CHANGE_DELETE : CHANGE_EXPIRE, item->key);
	}
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	op->status = rules_status_of_items(op);
	return APPLIED;
}

/* ---- Expire ---- */

static int expire_item(struct transaction *tx, const struct ns_row *row, struct cache_item *item,
		       const struct found_entry *entry)
{
	int64_t expires_us = rules_expiry_us(item, row->settings.default_ttl_s, tx->now_us);

	item->status = entries_is_live(tx, entry) ? CACHE_OK : CACHE_NOT_FOUND;
	if (item->status != CACHE_OK || expires_us == entry->expires_us)
		return SQLITE_OK;
	sweep_arrived(tx, expires_us);
	told_note(tx, row, CHANGE_SET, item->key);
	/* One in memory is read again. */
	changes_note_removal(tx, row->id, key_index_hash(tx->store->file.hash_seed, item->key));
	return entries_set_expiry(tx, entry->id, expires_us);
}

static enum applied apply_expire(struct transaction *tx, struct cache_op *op)
{
	struct ns_row *row = NULL;
	int code = ns_row_find(tx, op->ns, &row);

	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++) {
		struct found_entry entry = {0};

		if (row)
			code = entries_find(tx, row, op->items[i].key, &entry);
		const struct etag *etag = entries_is_live(tx, &entry) ? &entry.etag : NULL;
		if (code == SQLITE_OK && !rules_condition_holds(op, etag))
			return applied_refuse(op, CACHE_PRECONDITION_FAILED, NULL);
		if (code == SQLITE_OK && row)
			code = expire_item(tx, row, &op->items[i], &entry);
		else
			op->items[i].status = CACHE_NOT_FOUND;
	}
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	op->status = rules_status_of_items(op);
	return APPLIED;
}

/* ---- Clear, configure ---- */

/* Hashes count from 0, as progress does. */
static int64_t hash_of_progress(uint64_t progress)
{
	return (int64_t)(progress ^ (UINT64_C(1) << 63));
}

static uint64_t progress_of_hash(int64_t hash)
{
	return (uint64_t)hash ^ (UINT64_C(1) << 63);
}

/* An entry that the index gives for a prefix. */
struct prefix_match {
	int64_t id, hash;
	bool matches; /* otherwise it matches only as far as the index goes */
};

/* Looks up the next ones, at most CLEARED_AT_ONCE. */
static int look_up_prefix(struct transaction *tx, const struct ns_row *row,
			  const struct cache_op *op, struct prefix_match *ret, size_t *ret_count)
{
	bool is_long = op->prefix.len > INDEXED_KEY_BYTES;
	sqlite3_stmt *find = is_long ? tx->statements.find_long_prefix : tx->statements.find_prefix;
	char bound[KEY_BOUND_BYTES];
	int code;

	*ret_count = 0;
	(void)sqlite3_bind_int64(find, 1, row->id);
	(void)sqlite3_bind_blob64(find, 2, op->prefix.data, key_index_len(op->prefix),
				  SQLITE_STATIC);
	if (is_long) {
		(void)sqlite3_bind_int64(find, 3, hash_of_progress(op->progress));
		(void)sqlite3_bind_blob64(find, 4, op->prefix.data, op->prefix.len, SQLITE_STATIC);
	} else {
		(void)sqlite3_bind_blob64(find, 3, bound, key_index_prefix_bound(op->prefix, bound),
					  SQLITE_STATIC);
	}
	(void)sqlite3_bind_int(find, is_long ? 5 : 4, CLEARED_AT_ONCE);
	while ((code = sqlite3_step(find)) == SQLITE_ROW)
		ret[(*ret_count)++] = (struct prefix_match){
			.id = sqlite3_column_int64(find, 0),
			.hash = is_long ? sqlite3_column_int64(find, 1) : 0,
			.matches = !is_long || sqlite3_column_int(find, 2),
		};
	int reset = sqlite3_reset(find);
	return code == SQLITE_DONE ? SQLITE_OK : reset;
}

/* Removes what begins with the prefix, some in each group. The index has the beginning of keys and
 * orders keys with the same beginning by their hashes: op->progress is the hash at which a longer
 * prefix continues, because keys that do not match it stay there. */
static enum applied clear_prefix(struct transaction *tx, struct ns_row *row, struct cache_op *op)
{
	struct step step = {
		.max = tx->store->file.space.removals_max,
		.min = CLEARED_AT_LEAST,
		.until_us = monotonic_now_us() + CLEAR_STEP_US,
	};
	struct prefix_match found[CLEARED_AT_ONCE];
	/* At the end no key with the prefix is left, unless a later group began behind some. */
	bool is_exact = op->progress == 0 || op->prefix.len <= INDEXED_KEY_BYTES;
	size_t count = CLEARED_AT_ONCE;
	int code = SQLITE_OK;

	while (code == SQLITE_OK && count == CLEARED_AT_ONCE && !step_is_over(&step)) {
		code = look_up_prefix(tx, row, op, found, &count);
		for (size_t i = 0; i < count && code == SQLITE_OK; i++) {
			bool removed = false;

			if (step_is_over(&step))
				return CONTINUE;
			if (found[i].matches)
				code = entries_remove(tx, row, found[i].id, &removed);
			row->counted.deletes += removed;
			step.removed += removed;
			step.looked_at++;
			op->progress = progress_of_hash(found[i].hash);
		}
	}
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	if (count == CLEARED_AT_ONCE)
		return CONTINUE;
	told_note(tx, row, is_exact ? CHANGE_CLEAR : CHANGE_MISSED, op->prefix);
	return APPLIED;
}

static enum applied apply_clear(struct transaction *tx, struct cache_op *op)
{
	struct ns_row *row = NULL;
	int64_t id = 0;
	int code = ns_row_find(tx, op->ns, &row);

	op->status = CACHE_OK;
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	if (op->drop) {
		if (!row)
			return applied_refuse(op, CACHE_NOT_FOUND, NULL);
		told_note(tx, row, CHANGE_CLEAR, op->prefix);
		code = ns_row_drop(tx, row);
		return code == SQLITE_OK ? APPLIED : applied_fail(tx, op, code);
	}
	if (row && row->entry_count == 0 && op->progress != 0)
		told_note(tx, row, CHANGE_CLEAR, op->prefix);
	if (!row || row->entry_count == 0)
		return APPLIED;
	if (op->prefix.len > 0)
		return clear_prefix(tx, row, op);

	code = ns_row_take_id(tx, &id);
	if (code == SQLITE_OK) {
		(void)sqlite3_bind_int64(tx->statements.drop_namespace, 1, row->id);
		code = database_run(tx->statements.drop_namespace);
	}
	if (code != SQLITE_DONE)
		return applied_fail(tx, op, code);
	row->counted.deletes += (uint64_t)row->entry_count;
	told_note(tx, row, CHANGE_CLEAR, (struct slice){0});
	row->id = id; /* written back by name */
	row->entry_count = 0;
	row->size_sum = 0;
	row->used_bytes = 0;
	row->frequency_sum = 0;
	row->dirty = true;
	/* At once: a sweep in this very transaction must not find the entries under the name. */
	code = ns_row_write(tx, row);
	return code == SQLITE_OK ? APPLIED : applied_fail(tx, op, code);
}

static int write_settings(struct transaction *tx, struct ns_row *row, const struct cache_op *op)
{
	const struct namespace_settings *wanted = &op->settings;
	sqlite3_stmt *configure = tx->statements.configure_namespace;
	bool was_fifo = row->settings.policy == EVICT_FIFO;

	(void)sqlite3_clear_bindings(configure);
	(void)sqlite3_bind_text(configure, 1, row->name, -1, SQLITE_STATIC);
	if (op->settings_mask & SETTING_MAX_SIZE) {
		row->settings.max_size_bytes = wanted->max_size_bytes;
		(void)sqlite3_bind_int64(configure, 2, (int64_t)wanted->max_size_bytes);
	}
	if (op->settings_mask & SETTING_CAPACITY) {
		row->settings.capacity = wanted->capacity;
		(void)sqlite3_bind_int64(configure, 3, wanted->capacity);
	}
	if (op->settings_mask & SETTING_DEFAULT_TTL) {
		row->settings.default_ttl_s = wanted->default_ttl_s;
		(void)sqlite3_bind_int64(configure, 4, wanted->default_ttl_s);
	}
	if (op->settings_mask & SETTING_POLICY) {
		row->settings.policy = wanted->policy;
		(void)sqlite3_bind_int(configure, 5, (int)wanted->policy);
	}
	if (op->settings_mask & SETTING_STALE_TTL) {
		row->settings.stale_ttl_s = wanted->stale_ttl_s;
		(void)sqlite3_bind_int64(configure, 6, wanted->stale_ttl_s);
		sweep_anew(tx);
	}
	if (op->settings_mask & SETTING_MAX_IDLE) {
		row->settings.max_idle_s = wanted->max_idle_s;
		(void)sqlite3_bind_int64(configure, 7, wanted->max_idle_s);
	}
	if (op->settings_mask & SETTING_COMPRESSION) {
		row->settings.compression = wanted->compression;
		(void)sqlite3_bind_int(configure, 8, (int)wanted->compression);
	}
	if (op->settings_mask & SETTING_PUT_STATUS) {
		row->settings.put_status = wanted->put_status;
		(void)sqlite3_bind_int(configure, 9, (int)wanted->put_status);
	}
	int code = database_run(configure);
	if (code == SQLITE_DONE && was_fifo != (row->settings.policy == EVICT_FIFO)) {
		(void)sqlite3_bind_int64(tx->statements.mark_fifo, 1, row->id);
		(void)sqlite3_bind_int(tx->statements.mark_fifo, 2, !was_fifo);
		code = database_run(tx->statements.mark_fifo);
	}
	if (code == SQLITE_DONE && op->settings_mask & SETTING_MAX_IDLE)
		return idle_mark(tx, row);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Expired entries make room before anything that lives. *ret_more: there may be more of them, and
 * the namespace still exceeds a limit. */
static int expire_first(struct transaction *tx, struct ns_row *row, bool *ret_more)
{
	uint64_t expired_before = row->counted.expirations;
	size_t swept = 0;

	*ret_more = false;
	if (!ns_row_is_over_limit(row))
		return SQLITE_OK;
	int code = sweep_for_room(tx, row, tx->store->file.space.removals_max, &swept);
	*ret_more = code == SQLITE_OK && swept == tx->store->file.space.removals_max &&
		    row->counted.expirations > expired_before && ns_row_is_over_limit(row);
	return code;
}

static enum applied apply_configure(struct transaction *tx, struct cache_op *op)
{
	enum applied applied = FAILED;
	struct ns_row *row = ns_row_find_or_create(tx, op, &applied);
	struct eviction_goal goal = {
		.max_used_bytes = INT64_MAX,
		.until_us = monotonic_now_us() + CLEAR_STEP_US,
	};
	bool reached = false;
	bool more = false;

	if (!row)
		return applied;
	int code = op->progress == 0 ? write_settings(tx, row, op) : SQLITE_OK;
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	op->status = CACHE_OK;
	if (tx->store->settings.follows)
		return APPLIED;
	bool may_expire = false;
	code = expire_first(tx, row, &may_expire);
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	if (may_expire) {
		op->progress = op->progress ? op->progress : 2;
		return CONTINUE;
	}
	if (row->used_bytes > ns_row_size_limit(row) || op->progress == 1)
		goal.max_used_bytes = ns_row_size_goal(row);
	goal.max_entry_count = ns_row_count_limit(row);
	code = evict_to_goal(tx, row, &goal, &reached, &more);
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	op->progress = goal.max_used_bytes != INT64_MAX ? 1 : 2;
	return more ? CONTINUE : APPLIED;
}

/* Writes all uses that wait now, some in each group; the commit does the rest. */
static enum applied apply_sync(struct transaction *tx, struct cache_op *op)
{
	bool more = true;
	int code = SQLITE_OK;

	if (op->progress == 0)
		op->progress = 1 + uses_count(&tx->store->uses) / FOLDED_AT_ONCE;
	for (int i = 0; i < FOLDS_PER_GROUP && op->progress > 0 && more && code == SQLITE_OK; i++) {
		code = fold_some(tx, &more);
		op->progress--;
	}
	op->status = CACHE_OK;
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	return more && op->progress > 0 ? CONTINUE : APPLIED;
}

enum applied apply_op(struct transaction *tx, struct cache_op *op)
{
	int code;

	switch (op->type) {
	case CACHE_OP_SET:
		return set_apply(tx, op);
	case CACHE_OP_DELETE:
		return apply_delete(tx, op);
	case CACHE_OP_EXPIRE:
		return apply_expire(tx, op);
	case CACHE_OP_CLEAR:
		return apply_clear(tx, op);
	case CACHE_OP_CONFIGURE:
		return apply_configure(tx, op);
	case CACHE_OP_CHECK:
		/* A real write: nothing else shows that the disk accepts one. */
		(void)sqlite3_bind_int64(tx->statements.probe, 1, tx->now_us);
		code = database_run(tx->statements.probe);
		op->status = CACHE_OK;
		return code == SQLITE_DONE ? APPLIED : applied_fail(tx, op, code);
	case CACHE_OP_SYNC:
		return apply_sync(tx, op);
	default:
		return applied_refuse(op, CACHE_UNSUPPORTED, NULL);
	}
}
