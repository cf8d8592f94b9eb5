/* What each write does to the tables, inside the transaction of its group. An operation that is
 * refused (a condition, a limit) has changed nothing by then. */
#include <stdlib.h>

#include "backends/sqlite/writer.h"

static enum applied refuse(struct cache_op *op, enum cache_status status, const char *detail)
{
	op->status = status;
	op->detail = detail;
	return APPLIED;
}

static enum applied fail(struct writer *writer, struct cache_op *op, int code)
{
	op->status = database_status(writer->db, code);
	return FAILED;
}

/* ---- Finding and removing entries ---- */

static int find_entry(struct writer *writer, const struct ns_row *row, struct slice key,
		      bool *found, struct found_entry *ret)
{
	sqlite3_stmt *find = writer->find_slots;

	(void)sqlite3_bind_int64(find, 1, store_bucket(writer->store, row->id, key));
	(void)sqlite3_bind_int64(find, 2, row->id);
	(void)sqlite3_bind_blob64(find, 3, key.len ? key.data : "", key.len, SQLITE_STATIC);
	int code = sqlite3_step(find);
	*found = code == SQLITE_ROW;
	if (*found) {
		*ret = (struct found_entry){
			.id = sqlite3_column_int64(find, 0),
			.expires_us = sqlite3_column_int64(find, 1),
		};
		if (sqlite3_column_bytes(find, 2) == (int)sizeof(ret->etag.bytes))
			memcpy(ret->etag.bytes, sqlite3_column_blob(find, 2),
			       sizeof(ret->etag.bytes));
	}
	int reset = sqlite3_reset(find);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? SQLITE_OK : reset;

	find = writer->find_uses;
	(void)sqlite3_bind_int64(find, 1, ret->id);
	code = sqlite3_step(find);
	ret->size = sqlite3_column_int64(find, 0);
	ret->frequency = sqlite3_column_int64(find, 1);
	ret->created_us = sqlite3_column_int64(find, 2);
	reset = sqlite3_reset(find);
	if (code == SQLITE_DONE)
		return SQLITE_CORRUPT; /* the two tables always change together */
	return code == SQLITE_ROW ? SQLITE_OK : reset;
}

static bool is_live(const struct writer *writer, const struct found_entry *entry)
{
	return entry->expires_us == 0 || entry->expires_us > writer->now_us;
}

int apply_remove(struct writer *writer, struct ns_row *row, int64_t id, int64_t size,
		 int64_t frequency, bool *ret_removed)
{
	struct use dropped;
	int code;

	(void)sqlite3_bind_int64(writer->delete_uses, 1, id);
	code = database_run(writer->delete_uses);
	*ret_removed = code == SQLITE_DONE && sqlite3_changes(writer->db) > 0;
	if (code != SQLITE_DONE || !*ret_removed)
		return code == SQLITE_DONE ? SQLITE_OK : code;
	(void)sqlite3_bind_int64(writer->delete_entry, 1, id);
	code = database_run(writer->delete_entry);
	if (code != SQLITE_DONE)
		return code;
	(void)uses_take(&writer->store->uses, id, &dropped);
	row->entry_count--;
	row->total_size -= size;
	row->frequency_sum -= frequency;
	row->dirty = true;
	return SQLITE_OK;
}

/* The rows that `statement` gives: id, size, frequency, name of the namespace. */
static int remove_listed(struct writer *writer, sqlite3_stmt *statement, bool expired,
			 size_t *ret_removed)
{
	int code;

	*ret_removed = 0;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct slice name = {.data = (const char *)sqlite3_column_text(statement, 3)};
		struct ns_row *row = NULL;
		bool removed = false;

		name.len = (size_t)sqlite3_column_bytes(statement, 3);
		code = writer_find_row(writer, name, &row);
		if (code == SQLITE_OK && row)
			code = apply_remove(writer, row, sqlite3_column_int64(statement, 0),
					    sqlite3_column_int64(statement, 1),
					    sqlite3_column_int64(statement, 2), &removed);
		if (code != SQLITE_OK)
			break;
		if (removed) {
			(*ret_removed)++;
			if (expired)
				row->counted.expirations++;
			else
				row->counted.deletes++;
		}
	}
	int reset = sqlite3_reset(statement);
	return code == SQLITE_DONE ? SQLITE_OK : reset != SQLITE_OK ? reset : code;
}

int apply_sweep(struct writer *writer, size_t max, size_t *ret_removed)
{
	(void)sqlite3_bind_int64(writer->find_expired, 1, writer->now_us);
	(void)sqlite3_bind_int64(writer->find_expired, 2, (int64_t)max);
	return remove_listed(writer, writer->find_expired, true, ret_removed);
}

int apply_sweep_dropped(struct writer *writer, size_t max)
{
	int code = sqlite3_step(writer->find_dropped);
	int64_t namespace_id = sqlite3_column_int64(writer->find_dropped, 0);
	int reset = sqlite3_reset(writer->find_dropped);
	size_t removed = 0;

	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? SQLITE_OK : reset;
	sqlite3_stmt *find = writer->find_dropped_entries;
	(void)sqlite3_bind_int64(find, 1, namespace_id);
	(void)sqlite3_bind_int64(find, 2, (int64_t)max);
	while ((code = sqlite3_step(find)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(find, 0);

		(void)sqlite3_bind_int64(writer->delete_uses, 1, id);
		(void)sqlite3_bind_int64(writer->delete_entry, 1, id);
		code = database_run(writer->delete_uses);
		if (code == SQLITE_DONE)
			code = database_run(writer->delete_entry);
		if (code != SQLITE_DONE)
			break;
		removed++;
	}
	reset = sqlite3_reset(find);
	if (code != SQLITE_DONE)
		return reset != SQLITE_OK ? reset : code;
	if (removed == max)
		return SQLITE_OK;
	(void)sqlite3_bind_int64(writer->forget_dropped, 1, namespace_id);
	code = database_run(writer->forget_dropped);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- Namespaces ---- */

/* A new id for a namespace; ids are never used twice. */
static int take_namespace_id(struct writer *writer, int64_t *ret)
{
	int code = sqlite3_step(writer->take_namespace_id);

	*ret = sqlite3_column_int64(writer->take_namespace_id, 0);
	int reset = sqlite3_reset(writer->take_namespace_id);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? SQLITE_CORRUPT : reset;
	code = database_run(writer->bump_namespace_id);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* The row of the op's namespace, made where there is none. NULL: op->status holds why, *ret_applied
 * what to return. */
static struct ns_row *find_or_create_row(struct writer *writer, struct cache_op *op,
					 enum applied *ret_applied)
{
	struct ns_row *row = NULL;
	int code = writer_find_row(writer, op->ns, &row);

	if (code == SQLITE_OK && !row) {
		unsigned max = writer->store->config.max_namespaces;
		int64_t id = 0;

		if (max > 0) {
			(void)sqlite3_step(writer->count_namespaces);
			int64_t now = sqlite3_column_int64(writer->count_namespaces, 0);
			(void)sqlite3_reset(writer->count_namespaces);
			if (now >= (int64_t)max) {
				*ret_applied = refuse(op, CACHE_TOO_MANY_NAMESPACES, NULL);
				return NULL;
			}
		}
		code = take_namespace_id(writer, &id);
		(void)sqlite3_bind_int64(writer->insert_namespace, 1, id);
		(void)sqlite3_bind_text(writer->insert_namespace, 2, op->ns.data, (int)op->ns.len,
					SQLITE_STATIC);
		(void)sqlite3_bind_int64(writer->insert_namespace, 3, writer->now_us);
		if (code == SQLITE_OK &&
		    (code = database_run(writer->insert_namespace)) == SQLITE_DONE)
			code = writer_find_row(writer, op->ns, &row);
	}
	if (code != SQLITE_OK || !row) {
		*ret_applied = fail(writer, op, code != SQLITE_OK ? code : SQLITE_CORRUPT);
		return NULL;
	}
	return row;
}

static int64_t size_limit(const struct ns_row *row)
{
	return row->settings.max_size_bytes ? (int64_t)row->settings.max_size_bytes : INT64_MAX;
}

/* What an eviction by size goes down to: floor(0.8 * limit). */
static int64_t size_goal(const struct ns_row *row)
{
	int64_t limit = size_limit(row);

	return limit / 5 * 4 + limit % 5 * 4 / 5;
}

static int64_t count_limit(const struct ns_row *row)
{
	return row->settings.capacity >= 0 ? row->settings.capacity : INT64_MAX;
}

/* ---- Set ---- */

static bool condition_holds(const struct cache_condition *condition, bool live,
			    const struct etag *etag)
{
	bool match = false;

	for (size_t i = 0; live && i < condition->etag_count && !match; i++)
		match = etag_equal(&condition->etags[i], etag);
	switch (condition->kind) {
	case CONDITION_NONE:
		return true;
	case CONDITION_ABSENT:
		return !live;
	case CONDITION_PRESENT:
		return live;
	case CONDITION_MATCH:
		return match;
	case CONDITION_NONE_MATCH:
		return !match;
	}
	return false;
}

static int insert_entry(struct writer *writer, const struct ns_row *row,
			const struct cache_item *item)
{
	const struct cache_value *value = item->value;
	const char *type = cache_value_content_type(value);
	struct slice bytes = cache_value_bytes(value);
	sqlite3_stmt *insert = writer->insert_entry;
	int64_t bucket = store_bucket(writer->store, row->id, item->key);
	int code = SQLITE_CONSTRAINT;

	(void)sqlite3_bind_int64(insert, 2, row->id);
	(void)sqlite3_bind_blob(insert, 3, value->etag.bytes, sizeof(value->etag.bytes),
				SQLITE_STATIC);
	(void)sqlite3_bind_int(insert, 4, value->flags);
	(void)sqlite3_bind_text(insert, 5, type, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(insert, 6, value->modified_at_us);
	(void)sqlite3_bind_int64(insert, 7, value->expires_at_us);
	(void)sqlite3_bind_blob64(insert, 8, item->key.len ? item->key.data : "", item->key.len,
				  SQLITE_STATIC);
	(void)sqlite3_bind_blob64(insert, 9, bytes.len ? bytes.data : "", bytes.len, SQLITE_STATIC);
	/* The hashes of other keys may have taken the first places. Four of them colliding in 62
	 * keyed bits does not happen; if it did, the set would fail and nothing be lost. */
	for (int slot = 0; slot < BUCKET_SLOTS && code == SQLITE_CONSTRAINT; slot++) {
		(void)sqlite3_bind_int64(insert, 1, bucket + slot);
		code = database_run(insert) & 0xFF;
		if (code != SQLITE_DONE)
			continue;
		(void)sqlite3_bind_int64(writer->insert_uses, 1, bucket + slot);
		(void)sqlite3_bind_int64(writer->insert_uses, 2, row->id);
		(void)sqlite3_bind_int64(writer->insert_uses, 3, (int64_t)item->size_bytes);
		(void)sqlite3_bind_int64(writer->insert_uses, 4, writer->now_us);
		(void)sqlite3_bind_int(writer->insert_uses, 5, row->settings.policy == EVICT_FIFO);
		code = database_run(writer->insert_uses);
	}
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int update_entry(struct writer *writer, const struct cache_item *item, int64_t id,
			int64_t frequency, int64_t created_us)
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
	int code = database_run(update);
	if (code != SQLITE_DONE)
		return code;
	update = writer->update_uses;
	(void)sqlite3_bind_int64(update, 1, id);
	(void)sqlite3_bind_int64(update, 2, (int64_t)item->size_bytes);
	(void)sqlite3_bind_int64(update, 3, frequency);
	(void)sqlite3_bind_int64(update, 4, writer->now_us);
	(void)sqlite3_bind_int64(update, 5, created_us);
	code = database_run(update);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int store_item(struct writer *writer, struct ns_row *row, struct cache_item *item,
		      bool found, const struct found_entry *entry)
{
	int64_t ttl_s = item->ttl_s == TTL_DEFAULT ? row->settings.default_ttl_s : item->ttl_s;
	struct use use = {0};
	int64_t frequency = 1;
	int code;

	item->value->modified_at_us = writer->now_us;
	item->value->expires_at_us = ttl_s > 0 ? writer->now_us + ttl_s * US_PER_S : 0;
	item->created = !found || !is_live(writer, entry);
	if (!found) {
		code = insert_entry(writer, row, item);
		row->entry_count++;
	} else {
		if (uses_take(&writer->store->uses, entry->id, &use) &&
		    !writer_keep_taken(writer, &use))
			return SQLITE_NOMEM;
		if (!item->created)
			frequency = entry->frequency + (int64_t)use.count + 1;
		code = update_entry(writer, item, entry->id, frequency,
				    item->created ? writer->now_us : entry->created_us);
		row->total_size -= entry->size;
		row->frequency_sum -= entry->frequency;
		if (item->created)
			row->counted.expirations++;
	}
	row->total_size += (int64_t)item->size_bytes;
	row->frequency_sum += frequency;
	row->dirty = true;
	item->status = CACHE_OK;
	return code;
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
		code = find_entry(writer, row, op->items[i].key, &lookups[i].found,
				  &lookups[i].entry);
	return code;
}

/* What a set changes in the accounts of its namespace. */
struct growth {
	int64_t new_size, replaced_size;
	int64_t new_entries;
	bool too_big, too_many;
};

static enum cache_status measure(const struct ns_row *row, struct cache_op *op,
				 const struct lookup *lookups, struct growth *ret)
{
	struct growth growth = {0};

	for (size_t i = 0; i < op->item_count; i++) {
		if (__builtin_add_overflow(growth.new_size, (int64_t)op->items[i].size_bytes,
					   &growth.new_size))
			return CACHE_TOO_LARGE;
		growth.replaced_size += lookups[i].found ? lookups[i].entry.size : 0;
		growth.new_entries += !lookups[i].found;
	}
	if (growth.new_size > size_limit(row))
		return CACHE_TOO_LARGE;
	if ((int64_t)op->item_count > count_limit(row)) {
		op->detail = "the batch has more items than the namespace may hold entries";
		return CACHE_TOO_LARGE;
	}
	growth.too_big = row->total_size - growth.replaced_size > size_limit(row) - growth.new_size;
	growth.too_many = row->entry_count > count_limit(row) - growth.new_entries;
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
		return fail(writer, op, SQLITE_NOMEM);
	struct eviction_goal goal = {
		.max_total_size =
			by_size ? size_goal(row) - growth->new_size + growth->replaced_size
				: INT64_MAX,
		.max_entry_count = count_limit(row) - growth->new_entries,
		.spared = spared,
	};
	for (size_t i = 0; i < op->item_count; i++)
		if (lookups[i].found)
			spared[goal.spared_count++] = lookups[i].entry.id;
	int code = writer_evict(writer, row, &goal, &reached, &more);
	free(spared);
	if (code != SQLITE_OK)
		return fail(writer, op, code);
	op->progress = !more ? 0 : by_size ? 1 : 2;
	return more ? CONTINUE : APPLIED;
}

/* Looks the items up, checks the condition and the limits, and makes room. Where all is well:
 * APPLIED with op->status CACHE_OK, and the items may be stored. */
static enum applied admit(struct writer *writer, struct ns_row *row, struct cache_op *op,
			  struct lookup *lookups)
{
	struct growth growth;
	size_t swept = 0;
	int code = look_up_items(writer, row, op, lookups);

	if (code != SQLITE_OK)
		return fail(writer, op, code);
	bool live = lookups[0].found && is_live(writer, &lookups[0].entry);
	if (op->item_count == 1 &&
	    !condition_holds(&op->items[0].condition, live, &lookups[0].entry.etag))
		return refuse(op, CACHE_PRECONDITION_FAILED, NULL);
	op->status = measure(row, op, lookups, &growth);
	if (op->status != CACHE_OK)
		return APPLIED;
	/* An eviction that began in an earlier group goes on until its own goal. */
	if (!growth.too_big && !growth.too_many && op->progress == 0)
		return APPLIED;
	/* What has expired makes room first; it may be one of ours, so look and measure again. */
	code = apply_sweep(writer, REMOVALS_PER_GROUP, &swept);
	if (code == SQLITE_OK && swept > 0)
		code = look_up_items(writer, row, op, lookups);
	if (code != SQLITE_OK)
		return fail(writer, op, code);
	(void)measure(row, op, lookups, &growth);
	if (!growth.too_big && !growth.too_many && op->progress == 0)
		return APPLIED;
	if (row->settings.policy == EVICT_NONE)
		return refuse(
			op, CACHE_NO_SPACE,
			"the namespace is full and its eviction is \"none\"; delete entries or "
			"raise its limits");
	return make_room(writer, row, op, lookups, &growth);
}

static enum applied apply_set(struct writer *writer, struct cache_op *op)
{
	enum applied applied = FAILED;
	struct ns_row *row = find_or_create_row(writer, op, &applied);
	int code = SQLITE_OK;

	if (!row)
		return applied;
	if (row->settings.capacity == 0) {
		for (size_t i = 0; i < op->item_count; i++) {
			op->items[i].status = CACHE_OK;
			op->items[i].created = true;
		}
		return refuse(op, CACHE_OK, NULL);
	}
	struct lookup *lookups = calloc(op->item_count, sizeof(*lookups));
	if (!lookups)
		return fail(writer, op, SQLITE_NOMEM);
	applied = admit(writer, row, op, lookups);
	if (applied == APPLIED && op->status == CACHE_OK) {
		for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++)
			code = store_item(writer, row, &op->items[i], lookups[i].found,
					  &lookups[i].entry);
		if (code != SQLITE_OK)
			applied = fail(writer, op, code);
		else
			row->counted.sets += op->item_count;
	}
	free(lookups);
	return applied;
}

/* ---- Delete, clear, configure ---- */

static enum applied apply_delete(struct writer *writer, struct cache_op *op)
{
	struct ns_row *row = NULL;
	int code = writer_find_row(writer, op->ns, &row);

	op->status = CACHE_OK;
	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++) {
		struct cache_item *item = &op->items[i];
		struct found_entry entry = {0};
		bool found = false;
		bool removed = false;

		if (row)
			code = find_entry(writer, row, item->key, &found, &entry);
		bool live = found && is_live(writer, &entry);
		item->status = live ? CACHE_OK : CACHE_NOT_FOUND;
		if (code == SQLITE_OK && op->item_count == 1 &&
		    !condition_holds(&item->condition, live, &entry.etag))
			return refuse(op, CACHE_PRECONDITION_FAILED, NULL);
		if (code == SQLITE_OK && found)
			code = apply_remove(writer, row, entry.id, entry.size, entry.frequency,
					    &removed);
		if (removed && live)
			row->counted.deletes++;
		else if (removed)
			row->counted.expirations++;
	}
	if (code != SQLITE_OK)
		return fail(writer, op, code);
	if (op->items == &op->one)
		op->status = op->one.status;
	return APPLIED;
}

static enum applied clear_prefix(struct writer *writer, struct ns_row *row, struct cache_op *op)
{
	sqlite3_stmt *find = writer->find_prefix;
	char bound[KEY_BOUND_BYTES];
	size_t removed = 0;

	(void)sqlite3_bind_int64(find, 1, row->id);
	(void)sqlite3_bind_blob64(find, 2, op->prefix.data, store_indexed_len(op->prefix),
				  SQLITE_STATIC);
	(void)sqlite3_bind_blob64(find, 3, bound, store_prefix_bound(op->prefix, bound),
				  SQLITE_STATIC);
	(void)sqlite3_bind_blob64(find, 4, op->prefix.data, op->prefix.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(find, 5, REMOVALS_PER_GROUP);
	int code = remove_listed(writer, find, false, &removed);
	if (code != SQLITE_OK)
		return fail(writer, op, code);
	return removed == REMOVALS_PER_GROUP ? CONTINUE : APPLIED;
}

static enum applied apply_clear(struct writer *writer, struct cache_op *op)
{
	struct ns_row *row = NULL;
	int64_t id = 0;
	int code = writer_find_row(writer, op->ns, &row);

	op->status = CACHE_OK;
	if (code != SQLITE_OK)
		return fail(writer, op, code);
	if (!row || row->entry_count == 0)
		return APPLIED;
	if (op->prefix.len > 0)
		return clear_prefix(writer, row, op);

	code = take_namespace_id(writer, &id);
	if (code == SQLITE_OK) {
		(void)sqlite3_bind_int64(writer->drop_namespace, 1, row->id);
		code = database_run(writer->drop_namespace);
	}
	if (code != SQLITE_DONE)
		return fail(writer, op, code);
	row->counted.deletes += (uint64_t)row->entry_count;
	row->id = id; /* written back by name */
	row->entry_count = 0;
	row->total_size = 0;
	row->frequency_sum = 0;
	row->dirty = true;
	return APPLIED;
}

static int write_settings(struct writer *writer, struct ns_row *row, const struct cache_op *op)
{
	const struct namespace_settings *wanted = &op->settings;
	sqlite3_stmt *configure = writer->configure_namespace;
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
	int code = database_run(configure);
	if (code == SQLITE_DONE && was_fifo != (row->settings.policy == EVICT_FIFO)) {
		(void)sqlite3_bind_int64(writer->mark_fifo, 1, row->id);
		(void)sqlite3_bind_int(writer->mark_fifo, 2, !was_fifo);
		code = database_run(writer->mark_fifo);
	}
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static enum applied apply_configure(struct writer *writer, struct cache_op *op)
{
	enum applied applied = FAILED;
	struct ns_row *row = find_or_create_row(writer, op, &applied);
	struct eviction_goal goal = {.max_total_size = INT64_MAX};
	bool reached = false;
	bool more = false;

	if (!row)
		return applied;
	int code = op->progress == 0 ? write_settings(writer, row, op) : SQLITE_OK;
	if (code != SQLITE_OK)
		return fail(writer, op, code);
	op->status = CACHE_OK;
	if (row->total_size > size_limit(row) || op->progress == 1)
		goal.max_total_size = size_goal(row);
	goal.max_entry_count = count_limit(row);
	code = writer_evict(writer, row, &goal, &reached, &more);
	if (code != SQLITE_OK)
		return fail(writer, op, code);
	op->progress = goal.max_total_size != INT64_MAX ? 1 : 2;
	return more ? CONTINUE : APPLIED;
}

enum applied apply_op(struct writer *writer, struct cache_op *op)
{
	int code;

	switch (op->type) {
	case CACHE_OP_SET:
		return apply_set(writer, op);
	case CACHE_OP_DELETE:
		return apply_delete(writer, op);
	case CACHE_OP_CLEAR:
		return apply_clear(writer, op);
	case CACHE_OP_CONFIGURE:
		return apply_configure(writer, op);
	case CACHE_OP_CHECK:
		/* A real write: nothing else tells that the disk takes one. */
		(void)sqlite3_bind_int64(writer->probe, 1, writer->now_us);
		code = database_run(writer->probe);
		op->status = CACHE_OK;
		return code == SQLITE_DONE ? APPLIED : fail(writer, op, code);
	default:
		op->status = CACHE_OK; /* SYNC: the commit and what follows it */
		return APPLIED;
	}
}
