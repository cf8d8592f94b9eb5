/* Sets: all items of one are looked up, measured against the limits, given room, and stored. One
 * that is refused (a condition, a limit) has changed nothing by then. */
#include <stdlib.h>

#include "backends/sqlite/write/writer.h"

/* Frequency and times of an entry that begins: its own, or 1 and now. */
struct beginning {
	int64_t frequency, last_access_us, created_us;
};

/* A time that a history brings. One that is still to come is now. */
static int64_t past_of(const struct writer *writer, int64_t then_us)
{
	return order_clock_of_past(&writer->store->order_clock, then_us, writer->now_us);
}

static struct beginning beginning_of(const struct writer *writer, const struct cache_item *item)
{
	const struct cache_history *history = item->history;
	struct beginning ret = {1, writer->order_us, writer->order_us};

	if (history && history->frequency > 0)
		ret.frequency = (int64_t)history->frequency;
	if (history && history->last_access_us > 0)
		ret.last_access_us = past_of(writer, history->last_access_us);
	if (history && history->created_at_us > 0)
		ret.created_us = past_of(writer, history->created_at_us);
	return ret;
}

/* Parameters 1 to 4 of insert_uses and restart_uses. */
static void bind_beginning(sqlite3_stmt *statement, int64_t id, const struct beginning *beginning)
{
	(void)sqlite3_bind_int64(statement, 1, id);
	(void)sqlite3_bind_int64(statement, 2, beginning->frequency);
	(void)sqlite3_bind_int64(statement, 3, beginning->last_access_us);
	(void)sqlite3_bind_int64(statement, 4, beginning->created_us);
}

static int insert_entry(struct writer *writer, struct ns_row *row, const struct cache_item *item)
{
	struct beginning beginning = beginning_of(writer, item);
	const struct cache_value *value = item->value;
	const char *type = cache_value_content_type(value);
	struct slice bytes = cache_value_bytes(value);
	sqlite3_stmt *insert = writer->insert_entry;

	(void)sqlite3_bind_int64(insert, 1, row->id);
	(void)sqlite3_bind_int64(insert, 2, store_hash(writer->store, item->key));
	(void)sqlite3_bind_blob64(insert, 3, item->key.len ? item->key.data : "", item->key.len,
				  SQLITE_STATIC);
	(void)sqlite3_bind_blob(insert, 4, value->etag.bytes, sizeof(value->etag.bytes),
				SQLITE_STATIC);
	(void)sqlite3_bind_int(insert, 5, value->flags);
	(void)sqlite3_bind_text(insert, 6, type, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(insert, 7, value->modified_at_us);
	(void)sqlite3_bind_int64(insert, 8, value->expires_at_us);
	(void)sqlite3_bind_blob64(insert, 9, bytes.len ? bytes.data : "", bytes.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(insert, 10, (int64_t)item->size_bytes);
	int code = database_run(insert);
	if (code != SQLITE_DONE)
		return code;
	row->entry_count++;
	row->frequency_sum += beginning.frequency;
	bind_beginning(writer->insert_uses, sqlite3_last_insert_rowid(writer->db), &beginning);
	(void)sqlite3_bind_int64(writer->insert_uses, 5, row->id);
	(void)sqlite3_bind_int(writer->insert_uses, 6, row->settings.policy == EVICT_FIFO);
	code = database_run(writer->insert_uses);
	if (beginning.frequency > 1)
		heads_arrive(&writer->heads, row->id, beginning.last_access_us);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int update_entry(struct writer *writer, const struct cache_item *item, int64_t id)
{
	const struct cache_value *value = item->value;
	const char *type = cache_value_content_type(value);
	struct slice bytes = cache_value_bytes(value);
	sqlite3_stmt *update = writer->update_entry;

	(void)sqlite3_bind_int64(update, 1, id);
	(void)sqlite3_bind_blob(update, 2, value->etag.bytes, sizeof(value->etag.bytes),
				SQLITE_STATIC);
	(void)sqlite3_bind_int(update, 3, value->flags);
	(void)sqlite3_bind_text(update, 4, type, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(update, 5, value->modified_at_us);
	(void)sqlite3_bind_int64(update, 6, value->expires_at_us);
	(void)sqlite3_bind_blob64(update, 7, bytes.len ? bytes.data : "", bytes.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(update, 8, (int64_t)item->size_bytes);
	int code = database_run(update);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* An overwrite counts as a use. Like every use it waits in memory, so that only the page with the
 * value is written now; where too many wait already, it is written at once. */
static int count_overwrite(struct writer *writer, struct ns_row *row, int64_t id)
{
	struct use use = {
		.id = id,
		.namespace_id = row->id,
		.last_access_us = writer->order_us,
		.count = 1,
	};

	if (uses_add(&writer->store->uses, &use))
		return writer_keep_given(writer, &use) ? SQLITE_OK : SQLITE_NOMEM;
	return writer_fold_use(writer, &use);
}

/* An entry that had expired, or that brings its history along, begins anew. */
static int restart_uses(struct writer *writer, struct ns_row *row, const struct cache_item *item,
			int64_t id)
{
	struct beginning beginning = beginning_of(writer, item);
	int64_t frequency = 0;
	bool found = false;
	struct use use;
	int code = writer_find_frequency(writer, id, &found, &frequency);

	if (code != SQLITE_OK || !found)
		return code != SQLITE_OK ? code : SQLITE_CORRUPT;
	if (uses_take(&writer->store->uses, id, &use) && !writer_keep_taken(writer, &use))
		return SQLITE_NOMEM;
	row->frequency_sum += beginning.frequency - frequency;
	bind_beginning(writer->restart_uses, id, &beginning);
	code = database_run(writer->restart_uses);
	if (beginning.frequency > 1)
		heads_arrive(&writer->heads, row->id, beginning.last_access_us);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Eviction relies on it that nothing was used before its namespace existed. */
static void widen_age(const struct writer *writer, struct ns_row *row,
		      const struct cache_item *item)
{
	if (!item->history || item->history->last_access_us <= 0)
		return;
	int64_t last_access_us = past_of(writer, item->history->last_access_us);
	if (last_access_us < row->created_us)
		row->created_us = last_access_us;
}

static int64_t used_bytes_of(const struct cache_item *item)
{
	return (int64_t)cache_used_bytes(item->key.len, cache_value_content_type_len(item->value),
					 item->size_bytes);
}

static int store_item(struct writer *writer, struct ns_row *row, struct cache_item *item,
		      bool found, const struct found_entry *entry)
{
	int code;

	item->value->modified_at_us = writer->now_us;
	item->value->expires_at_us =
		rules_expiry_us(item, row->settings.default_ttl_s, writer->now_us);
	item->created = !found || !entry_is_live(writer, entry);
	item->status = CACHE_OK;
	row->size_sum += (int64_t)item->size_bytes;
	row->used_bytes += used_bytes_of(item);
	row->dirty = true;
	sweep_arrived(writer, item->value->expires_at_us);
	widen_age(writer, row, item);
	if (!found)
		return insert_entry(writer, row, item);
	row->size_sum -= entry->size;
	row->used_bytes -= entry->used_bytes;
	code = update_entry(writer, item, entry->id);
	if (code != SQLITE_OK)
		return code;
	writer_note_overwrite(writer, row->id, entry->id, item);
	if (item->created)
		row->counted.expirations++;
	return item->created || item->history ? restart_uses(writer, row, item, entry->id)
					      : count_overwrite(writer, row, entry->id);
}

struct lookup {
	bool found;
	struct found_entry entry;
};

static int look_up_items(struct writer *writer, const struct ns_row *row, const struct cache_op *op,
			 struct lookup *lookups)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++)
		code = writer_find_entry(writer, row, op->items[i].key, &lookups[i].found,
					 &lookups[i].entry);
	return code;
}

/* What a set changes in the accounts of its namespace. */
struct growth {
	int64_t new_used, replaced_used; /* bytes */
	int64_t new_entries;
	/* The same without what is replaced but has expired for good: whether that was swept before
	 * must not decide anything. */
	int64_t kept_used, added_entries;
	bool too_big, too_many;
};

/* Live, or in its stale time. */
static bool is_kept(const struct writer *writer, const struct ns_row *row,
		    const struct lookup *lookup)
{
	return lookup->found &&
	       rules_is_kept(lookup->entry.expires_us, row->settings.stale_ttl_s, writer->now_us);
}

/* Whether the set does not fit. Where nothing is evicted, one that makes nothing worse fits, also
 * in a namespace that is over its limit, as memory has it. */
static void compare_with_limits(const struct ns_row *row, struct growth *growth)
{
	int64_t used_of_others = row->used_bytes - growth->replaced_used;

	growth->too_big = used_of_others > row_size_limit(row) - growth->new_used;
	growth->too_many = row->entry_count > row_count_limit(row) - growth->new_entries;
	if (row->settings.policy == EVICT_NONE) {
		growth->too_big &= growth->new_used > growth->kept_used;
		growth->too_many &= growth->added_entries > 0;
	}
}

static enum cache_status measure(const struct writer *writer, const struct ns_row *row,
				 struct cache_op *op, const struct lookup *lookups,
				 struct growth *ret)
{
	struct growth growth = {0};

	for (size_t i = 0; i < op->item_count; i++) {
		if (__builtin_add_overflow(growth.new_used, used_bytes_of(&op->items[i]),
					   &growth.new_used))
			return CACHE_TOO_LARGE;
		growth.replaced_used += lookups[i].found ? lookups[i].entry.used_bytes : 0;
		growth.new_entries += !lookups[i].found;
		if (is_kept(writer, row, &lookups[i]))
			growth.kept_used += lookups[i].entry.used_bytes;
		else
			growth.added_entries++;
	}
	if (growth.new_used > row_size_limit(row))
		return CACHE_TOO_LARGE;
	if ((int64_t)op->item_count > row_count_limit(row)) {
		op->detail = RULES_REFUSAL_BATCH;
		return CACHE_TOO_LARGE;
	}
	compare_with_limits(row, &growth);
	*ret = growth;
	return CACHE_OK;
}

/* Evicts until the items fit. CONTINUE, FAILED, or APPLIED where there is room. */
static enum applied make_room(struct writer *writer, struct ns_row *row, struct cache_op *op,
			      const struct lookup *lookups, const struct growth *growth)
{
	bool by_size = growth->too_big || op->progress == 1;
	bool reached = false;
	bool more = false;
	int64_t *spared = malloc(op->item_count * sizeof(*spared));

	if (!spared)
		return applied_fail(writer, op, SQLITE_NOMEM);
	struct eviction_goal goal = {
		.max_used_bytes =
			by_size ? row_size_goal(row) - growth->new_used + growth->replaced_used
				: INT64_MAX,
		.max_entry_count = row_count_limit(row) - growth->new_entries,
		.spared = spared,
	};
	for (size_t i = 0; i < op->item_count; i++)
		if (lookups[i].found)
			spared[goal.spared_count++] = lookups[i].entry.id;
	int code = writer_evict(writer, row, &goal, &reached, &more);
	free(spared);
	if (code != SQLITE_OK)
		return applied_fail(writer, op, code);
	op->progress = !more ? 0 : by_size ? 1 : 2;
	return more ? CONTINUE : APPLIED;
}

/* What a set may remove that has expired: all sets of a transaction together hardly more than it
 * may remove at all, as there may be a million, of other namespaces too. */
static size_t sweep_room(const struct writer *writer)
{
	size_t least = writer->removals_max / 64 + 1;

	return writer->removed + least < writer->removals_max
		       ? writer->removals_max - writer->removed
		       : least;
}

/* Checks the limits and makes room. Where all is well: APPLIED with op->status CACHE_OK, and the
 * items may be stored. */
static enum applied admit(struct writer *writer, struct ns_row *row, struct cache_op *op,
			  struct lookup *lookups)
{
	uint64_t expired_before = row->counted.expirations;
	struct growth growth;
	size_t swept = 0;

	op->status = measure(writer, row, op, lookups, &growth);
	if (op->status != CACHE_OK)
		return APPLIED;
	/* An eviction that began in an earlier group goes on until its own goal. */
	if (!growth.too_big && !growth.too_many && op->progress == 0)
		return APPLIED;
	/* What has expired makes room first; it may be one of ours, so look and measure again. */
	size_t room = sweep_room(writer);
	int code = apply_sweep(writer, row->settings.stale_ttl_s, room, &swept);
	if (code == SQLITE_OK && swept > 0)
		code = look_up_items(writer, row, op, lookups);
	if (code != SQLITE_OK)
		return applied_fail(writer, op, code);
	(void)measure(writer, row, op, lookups, &growth);
	if (!growth.too_big && !growth.too_many && op->progress == 0)
		return APPLIED;
	/* There may be more of it: what lives does not go before that. */
	if (swept >= room && row->counted.expirations > expired_before)
		return CONTINUE;
	if (row->settings.policy == EVICT_NONE)
		return applied_refuse(op, CACHE_NO_SPACE, RULES_REFUSAL_FULL);
	return make_room(writer, row, op, lookups, &growth);
}

/* Capacity 0: nothing is stored, and the value of before is not to be served on. */
static enum applied store_nothing(struct writer *writer, struct ns_row *row, struct cache_op *op,
				  const struct lookup *lookups)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++) {
		bool live = lookups[i].found && entry_is_live(writer, &lookups[i].entry);
		bool removed = false;

		op->items[i].status = CACHE_OK;
		op->items[i].created = !live;
		if (lookups[i].found)
			code = apply_remove(writer, row, lookups[i].entry.id, &removed);
		if (removed && live)
			row->counted.evictions++;
		else if (removed)
			row->counted.expirations++;
	}
	op->status = CACHE_OK;
	return code == SQLITE_OK ? APPLIED : applied_fail(writer, op, code);
}

static enum applied store_items(struct writer *writer, struct ns_row *row, struct cache_op *op,
				const struct lookup *lookups)
{
	int code = SQLITE_OK;

	/* Whatever the transaction uses later is the later. */
	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++, writer->order_us++)
		code = store_item(writer, row, &op->items[i], lookups[i].found, &lookups[i].entry);
	if (code != SQLITE_OK)
		return applied_fail(writer, op, code);
	row->counted.sets += op->item_count;
	return APPLIED;
}

static enum applied set_items(struct writer *writer, struct ns_row *row, struct cache_op *op,
			      struct lookup *lookups)
{
	int code = look_up_items(writer, row, op, lookups);

	if (code != SQLITE_OK)
		return applied_fail(writer, op, code);
	bool live = lookups[0].found && entry_is_live(writer, &lookups[0].entry);
	if (!rules_condition_holds(op, live ? &lookups[0].entry.etag : NULL))
		return applied_refuse(op, CACHE_PRECONDITION_FAILED, NULL);
	if (row->settings.capacity == 0)
		return store_nothing(writer, row, op, lookups);
	enum applied applied = admit(writer, row, op, lookups);
	if (applied != APPLIED || op->status != CACHE_OK)
		return applied;
	return store_items(writer, row, op, lookups);
}

enum applied apply_set(struct writer *writer, struct cache_op *op)
{
	enum applied applied = FAILED;
	struct ns_row *row = writer_find_or_create_row(writer, op, &applied);

	if (!row)
		return applied;
	struct lookup *lookups = calloc(op->item_count, sizeof(*lookups));
	if (!lookups)
		return applied_fail(writer, op, SQLITE_NOMEM);
	applied = set_items(writer, row, op, lookups);
	free(lookups);
	return applied;
}
