#include "backends/sqlite/read/item.h"

#include <string.h>

#include "backends/sqlite/file/key_index.h"
#include "store/rules.h"

/* What the row says of its value. */
struct row_head {
	struct large_key key;
	uint8_t flags;
};

static void read_head(sqlite3_stmt *row, struct row_head *ret)
{
	struct large_key *key = &ret->key;

	*ret = (struct row_head){.flags = (uint8_t)sqlite3_column_int(row, 2)};
	key->type.data = (const char *)sqlite3_column_text(row, 3);
	key->type.len = (size_t)sqlite3_column_bytes(row, 3);
	key->modified_at_us = sqlite3_column_int64(row, 4);
	key->expires_at_us = sqlite3_column_int64(row, 5);
	if (sqlite3_column_bytes(row, 1) == (int)sizeof(key->etag.bytes))
		memcpy(key->etag.bytes, sqlite3_column_blob(row, 1), sizeof(key->etag.bytes));
}

static void seal(struct cache_value *value, const struct row_head *head)
{
	cache_value_seal_known(value, &head->key.etag, head->flags);
	value->modified_at_us = head->key.modified_at_us;
	value->expires_at_us = head->key.expires_at_us;
}

static bool has_large_value(sqlite3_stmt *row)
{
	return sqlite3_column_type(row, 6) == SQLITE_NULL;
}

/* Copies the value in the current row of find_entry. NULL: out of memory. */
static struct cache_value *copy_value(sqlite3_stmt *row)
{
	struct slice bytes = {.data = sqlite3_column_blob(row, 6)};
	struct row_head head;

	read_head(row, &head);
	bytes.len = (size_t)sqlite3_column_bytes(row, 6);
	if (!head.key.type.data || (bytes.len > 0 && !bytes.data))
		return NULL; /* SQLite ran out of memory for them */
	struct cache_value *value = cache_value_create(bytes.len, head.key.type);
	if (!value)
		return NULL;
	if (bytes.len > 0)
		memcpy(cache_value_data(value), bytes.data, bytes.len);
	seal(value, &head);
	return value;
}

/* Copies the large value of row `id` out of the file. Returns SQLite's code; if that is not a
 * failure and *ret is NULL: out of memory. */
static int copy_large(const struct item_pass *pass, int64_t id, const struct row_head *head,
		      struct cache_value **ret, enum cache_status *ret_status)
{
	struct large *large = &pass->store->large;
	struct cache_value *value = NULL;
	struct mapping *mapping = &pass->store->file.mapping;
	unsigned faults = mapping_faults(mapping);
	sqlite3_blob *blob = NULL;
	int code = sqlite3_blob_open(pass->reader->db, "main", "entries", "value", id, 0, &blob);
	int len = code == SQLITE_OK ? sqlite3_blob_bytes(blob) : 0;
	uint64_t max = pass->op->max_value_bytes;

	*ret_status = CACHE_OK;
	if (code != SQLITE_OK) {
		/* the code says it */
	} else if (max > 0 && pass->value_bytes + (uint64_t)len > max) {
		*ret_status = CACHE_TOO_LARGE;
	} else if (!large_reserve(large, (uint64_t)len)) {
		*ret_status = CACHE_UNAVAILABLE;
		pass->op->detail = "too many large values are being sent at once; try again";
	} else {
		value = cache_value_create((size_t)len, head->key.type);
		if (!value)
			*ret_status = CACHE_NO_MEMORY;
		else if ((code = sqlite3_blob_read(blob, cache_value_data(value), len, 0)) ==
			 SQLITE_OK)
			seal(value, head);
		/* Before anybody else can find it. */
		if (value && !mapping_is_intact(mapping, faults))
			code = SQLITE_IOERR_MMAP;
		if (code != SQLITE_OK) {
			cache_value_release(value);
			value = NULL;
		}
		value = large_add(large, (uint64_t)len, value);
	}
	(void)sqlite3_blob_close(blob);
	*ret = value;
	return code;
}

/* Gives the item the value of the current row of find_entry: a large one from another reader that
 * holds it, or from the file, if this thread may. */
static int take_value(struct item_pass *pass, int64_t id, struct cache_item *item)
{
	sqlite3_stmt *row = pass->reader->find_entry;
	struct row_head head;
	int code = SQLITE_OK;

	if (!has_large_value(row)) {
		item->value = copy_value(row);
		if (!item->value)
			item->status = CACHE_NO_MEMORY;
		return SQLITE_OK;
	}
	read_head(row, &head);
	item->value = large_find(&pass->store->large, &head.key);
	if (!item->value && !pass->is_aside)
		pass->wants_aside = true;
	else if (!item->value)
		code = copy_large(pass, id, &head, &item->value, &item->status);
	return code;
}

/* Counts a use once for each item, even if the op is started again aside. */
static void count_use(const struct item_pass *pass, int64_t id)
{
	const struct cache_op *op = pass->op;

	struct use use = {
		.id = id,
		.namespace_id = pass->ns->id,
		.last_access_us = pass->order_us + (int64_t)pass->at,
		.count = 1,
	};

	if (op->type == CACHE_OP_GET && !op->no_touch && pass->at >= op->progress &&
	    !uses_add(&pass->store->uses, &use) && pass->ns->idle_us > 0)
		uses_lose(&pass->store->uses, use.last_access_us);
}

/* Whether a row says that entry `id` was not used for too long. */
static int ask_access(const struct item_pass *pass, int64_t id, int64_t bound_us, bool *ret)
{
	sqlite3_stmt *find = pass->reader->find_access;

	(void)sqlite3_bind_int64(find, 1, id);
	int code = sqlite3_step(find);
	*ret = code == SQLITE_ROW && sqlite3_column_int64(find, 0) <= bound_us;
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

/* Whether a use may have gone from the waiting ones into a row of a later snapshot than this one
 * since `folds` was read. */
static bool may_have_moved(const struct item_pass *pass, unsigned folds)
{
	struct wal_state now;

	if (pass->is_exact)
		return false;
	if (!pass->reader->wal_index || folds % 2 == 1 ||
	    atomic_load(&pass->store->uses.folds) != folds)
		return true;
	wal_index_read(pass->reader->wal_index, &now);
	return !wal_state_equal(&now, &pass->reader->seen);
}

/* Whether entry `id` was not used for too long. A use is in a row or waits to be written; while it
 * moves from one to the other the op is read again where the writer can be waited for. SQLITE_OK or
 * an error. */
static int ask_idle(struct item_pass *pass, int64_t id, bool *ret)
{
	const struct uses *uses = &pass->store->uses;
	int64_t bound_us = pass->order_us - pass->ns->idle_us;
	unsigned folds = atomic_load(&uses->folds);
	struct use use;

	*ret = false;
	if (pass->ns->idle_us == 0 || pass->store->settings.follows ||
	    atomic_load(&uses->lost_us) > bound_us ||
	    (uses_find(&pass->store->uses, id, &use) && use.last_access_us > bound_us))
		return SQLITE_OK;
	int code = ask_access(pass, id, bound_us, ret);
	if (code == SQLITE_OK && *ret && may_have_moved(pass, folds))
		pass->wants_aside = pass->wants_exact = true;
	return code;
}

/* Whether an expired entry may still be served, which costs an extra look-up only for expired ones.
 * SQLITE_OK or an error. */
static int ask_stale(struct reader *reader, const struct cache_op *op, struct cached_namespace *ns,
		     int64_t expires_us, int64_t now_us, bool *ret)
{
	*ret = false;
	if (!op->serve_stale)
		return SQLITE_OK;
	if (!ns->has_stale) {
		(void)sqlite3_bind_int64(reader->find_stale_ttl, 1, ns->id);
		int code = sqlite3_step(reader->find_stale_ttl);
		ns->has_stale = code == SQLITE_ROW;
		ns->stale_us = sqlite3_column_int64(reader->find_stale_ttl, 0) * US_PER_S;
		int reset = sqlite3_reset(reader->find_stale_ttl);
		if (code != SQLITE_ROW && code != SQLITE_DONE)
			return reset;
	}
	*ret = ns->has_stale && expires_us + ns->stale_us > now_us;
	return SQLITE_OK;
}

/* Sets status and `stale` of an item whose entry is `id` and expires at `expires_us`. SQLITE_OK or
 * an error. */
static int judge_item(struct item_pass *pass, int64_t id, int64_t expires_us,
		      struct cache_item *item)
{
	bool live = pass->store->settings.follows || rules_is_live(expires_us, pass->now_us);
	bool idle = false;
	int code = SQLITE_OK;

	item->stale = false;
	if (!live)
		code = ask_stale(pass->reader, pass->op, pass->ns, expires_us, pass->now_us,
				 &item->stale);
	if (code == SQLITE_OK && pass->ns->idle_us > 0 && (live || item->stale))
		code = ask_idle(pass, id, &idle);
	item->stale &= !idle;
	item->status = (live || item->stale) && !idle ? CACHE_OK : CACHE_NOT_FOUND;
	return code;
}

/* Answers the item from the values in memory. False: not there, or expired since; the tables
 * know. */
static bool recall_item(struct item_pass *pass, int64_t hash, struct cache_item *item)
{
	struct reader *reader = pass->reader;
	int64_t id = 0;
	struct cache_value *value = values_find(&pass->store->values, &reader->seen, pass->ns->id,
						hash, item->key, &id);

	if (!value)
		return false;
	bool found = judge_item(pass, id, value->expires_at_us, item) == SQLITE_OK &&
		     item->status == CACHE_OK;
	if (found)
		count_use(pass, id);
	if (found && pass->op->type == CACHE_OP_GET)
		item->value = value; /* the reference passes to the op */
	else
		cache_value_release(value);
	return found;
}

int item_read(struct item_pass *pass, struct cache_item *item)
{
	struct sqlite_store *store = pass->store;
	struct reader *reader = pass->reader;
	const struct cache_op *op = pass->op;
	struct cached_namespace *ns = pass->ns;
	bool cached = reader->is_exact && values_are_on(&store->values);
	unsigned faults = mapping_faults(&store->file.mapping);
	sqlite3_stmt *find = reader->find_entry;
	int64_t hash = cached ? key_index_hash(store->file.hash_seed, item->key) : 0;
	int64_t id = 0;
	int failure = SQLITE_OK;

	item->status = CACHE_NOT_FOUND;
	if (ns->id == 0)
		return SQLITE_OK;
	if (cached && recall_item(pass, hash, item))
		return SQLITE_OK;
	pass->wants_aside = pass->wants_exact = false;
	key_index_bind(find, 1, ns->id, item->key, store->file.hash_seed);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW) {
		id = sqlite3_column_int64(find, 0);
		failure = judge_item(pass, id, sqlite3_column_int64(find, 5), item);
		if (failure == SQLITE_OK && item->status == CACHE_OK && op->type == CACHE_OP_GET)
			failure = take_value(pass, id, item);
	}
	int reset = sqlite3_reset(find);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		failure = reset;
	/* Neither a value nor a miss is trusted before this check. */
	if (!mapping_is_intact(&store->file.mapping, faults))
		failure = SQLITE_IOERR_MMAP;
	if (failure != SQLITE_OK) {
		cache_value_release(item->value);
		item->value = NULL;
	}
	if (item->value) {
		count_use(pass, id);
		if (cached && !op->no_touch)
			values_insert(&store->values, &reader->seen, reader->wal_index,
				      &(struct values_change){.namespace_id = ns->id,
							      .hash = hash,
							      .id = id,
							      .key = item->key,
							      .value = item->value});
	}
	return failure;
}
