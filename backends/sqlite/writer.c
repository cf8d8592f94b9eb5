/* The one thread that writes.
 *
 * Group commit: the writer takes all operations that have queued up while it committed the last
 * group, applies them in one transaction, commits, and answers them. It never waits for more to
 * come: under load groups grow by themselves, and a lone write goes at once. If SQLite refuses one
 * operation (disk full), the group is rolled back and its operations are tried one by one, so that
 * each gets its own answer.
 *
 * Operations that have to remove much do so a thousand entries at a time and queue again, so that
 * nobody waits behind the clearing of a million. */
#include <stdio.h>
#include <stdlib.h>

#include "backends/sqlite/writer.h"

/* Operations in one transaction at most. */
#define GROUP_MAX 512
/* What a tick writes at most: keeps the cost of folding under 2 % of a core. */
#define TICK_USES     256
#define TICK_REMOVALS 256
/* Pages of the log from which the writer itself finishes the checkpoint between two groups. */
#define WAL_HARD_PAGES 16384

struct statement_text {
	size_t offset; /* in struct writer */
	const char *sql;
};

#define STATEMENT(member, text)                                                                    \
	{                                                                                          \
		.offset = offsetof(struct writer, member), .sql = (text)                           \
	}

#define USE_COLUMNS "id, frequency, last_access, size"

static const struct statement_text statements[] = {
	STATEMENT(begin, "BEGIN IMMEDIATE"),
	STATEMENT(commit, "COMMIT"),
	STATEMENT(rollback, "ROLLBACK"),
	STATEMENT(find_namespace,
		  "SELECT id, max_size, capacity, default_ttl, policy, entry_count, total_size,"
		  " frequency_sum, created FROM namespaces WHERE name = ?1"),
	STATEMENT(count_namespaces, "SELECT count(*) FROM namespaces"),
	STATEMENT(insert_namespace, "INSERT INTO namespaces(id, name, created) VALUES(?1, ?2, ?3)"),
	STATEMENT(update_namespace,
		  "UPDATE namespaces SET id = ?2, entry_count = ?3, total_size = ?4,"
		  " frequency_sum = ?5 WHERE name = ?1"),
	STATEMENT(configure_namespace,
		  "UPDATE namespaces SET max_size = coalesce(?2, max_size),"
		  " capacity = coalesce(?3, capacity), default_ttl = coalesce(?4, default_ttl),"
		  " policy = coalesce(?5, policy) WHERE name = ?1"),
	STATEMENT(take_namespace_id, "SELECT value FROM meta WHERE name = 'next_namespace'"),
	STATEMENT(bump_namespace_id,
		  "UPDATE meta SET value = value + 1 WHERE name = 'next_namespace'"),
	STATEMENT(drop_namespace, "INSERT INTO dropped(id) VALUES(?1)"),
	STATEMENT(mark_fifo, "UPDATE uses SET fifo = ?2 WHERE ns = ?1"),
	STATEMENT(find_slots,
		  "SELECT id, expires, etag FROM entries"
		  " NOT INDEXED WHERE id BETWEEN ?1 AND ?1 + 3 AND ns = ?2 AND key = ?3"),
	STATEMENT(find_uses, "SELECT size, frequency, created FROM uses WHERE id = ?1"),
	STATEMENT(insert_entry,
		  "INSERT INTO entries(id, ns, etag, flags, type, modified, expires, key,"
		  " value) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
	STATEMENT(update_entry,
		  "UPDATE entries SET etag = ?2, flags = ?3, type = ?4, modified = ?5,"
		  " expires = ?6, value = ?7 WHERE id = ?1"),
	STATEMENT(insert_uses,
		  "INSERT INTO uses(id, ns, size, frequency, last_access, created, fifo)"
		  " VALUES(?1, ?2, ?3, 1, ?4, ?4, ?5)"),
	STATEMENT(update_uses, "UPDATE uses SET size = ?2, frequency = ?3, last_access = ?4,"
			       " created = ?5 WHERE id = ?1"),
	STATEMENT(delete_entry, "DELETE FROM entries WHERE id = ?1"),
	STATEMENT(delete_uses, "DELETE FROM uses WHERE id = ?1"),
	STATEMENT(add_use, "UPDATE uses SET frequency = frequency + ?3,"
			   " last_access = max(last_access, ?4) WHERE id = ?1 AND ns = ?2"),
	STATEMENT(next_frequency,
		  "SELECT " USE_COLUMNS " FROM uses WHERE ns = ?1 AND frequency > ?2"
		  " ORDER BY frequency, last_access, id LIMIT 1"),
	STATEMENT(next_in_frequency,
		  "SELECT " USE_COLUMNS " FROM uses WHERE ns = ?1 AND frequency = ?2"
		  " AND (last_access, id) > (?3, ?4)"
		  " ORDER BY last_access, id LIMIT 1"),
	STATEMENT(next_fifo,
		  "SELECT id, created, size, frequency FROM uses WHERE ns = ?1 AND fifo = 1"
		  " AND (created, id) > (?2, ?3) ORDER BY created, id LIMIT 1"),
	STATEMENT(
		find_expired,
		"SELECT e.id, u.size, u.frequency, n.name FROM entries e INDEXED BY entries_expiry"
		" JOIN uses u ON u.id = e.id JOIN namespaces n ON n.id = e.ns"
		" WHERE e.expires > 0 AND e.expires <= ?1 LIMIT ?2"),
	STATEMENT(find_prefix, "SELECT e.id, u.size, u.frequency, n.name FROM entries e"
			       " JOIN uses u ON u.id = e.id JOIN namespaces n ON n.id = e.ns"
			       " WHERE e.ns = ?1 AND ifnull(substr(e.key, 1, 64), x'') >= ?2"
			       " AND ifnull(substr(e.key, 1, 64), x'') < ?3"
			       " AND substr(e.key, 1, length(?4)) = ?4 LIMIT ?5"),
	STATEMENT(find_dropped, "SELECT id FROM dropped LIMIT 1"),
	STATEMENT(find_dropped_entries, "SELECT id FROM entries WHERE ns = ?1 LIMIT ?2"),
	STATEMENT(forget_dropped, "DELETE FROM dropped WHERE id = ?1"),
	STATEMENT(probe, "UPDATE meta SET value = ?1 WHERE name = 'probe'"),
};
#define STATEMENTS (sizeof(statements) / sizeof(statements[0]))

static sqlite3_stmt **statement_at(struct writer *writer, size_t i)
{
	return (sqlite3_stmt **)(void *)((char *)writer + statements[i].offset);
}

/* ---- The running transaction ---- */

static int load_row(struct writer *writer, struct slice name, struct ns_row **ret)
{
	sqlite3_stmt *find = writer->find_namespace;

	if (writer->row_count == writer->row_capacity) {
		size_t capacity = writer->row_capacity ? writer->row_capacity * 2 : 16;
		struct ns_row *rows = realloc(writer->rows, capacity * sizeof(*rows));

		if (!rows)
			return SQLITE_NOMEM;
		writer->rows = rows;
		writer->row_capacity = capacity;
	}
	struct ns_row *row = &writer->rows[writer->row_count];
	*row = (struct ns_row){.counters = store_counters(writer->store, name)};
	if (!row->counters)
		return SQLITE_NOMEM;
	memcpy(row->name, name.data, name.len);
	(void)sqlite3_bind_text(find, 1, row->name, (int)name.len, SQLITE_STATIC);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW) {
		row->id = sqlite3_column_int64(find, 0);
		database_read_settings(writer->store, slice_of(row->name), find, 1, &row->settings);
		row->entry_count = sqlite3_column_int64(find, 5);
		row->total_size = sqlite3_column_int64(find, 6);
		row->frequency_sum = sqlite3_column_int64(find, 7);
		row->created_us = sqlite3_column_int64(find, 8);
		writer->row_count++;
		*ret = row;
	}
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

int writer_find_row(struct writer *writer, struct slice name, struct ns_row **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < writer->row_count; i++) {
		if (slice_equal(slice_of(writer->rows[i].name), name)) {
			*ret = &writer->rows[i];
			return SQLITE_OK;
		}
	}
	return load_row(writer, name, ret);
}

static int write_rows(struct writer *writer)
{
	for (size_t i = 0; i < writer->row_count; i++) {
		struct ns_row *row = &writer->rows[i];
		sqlite3_stmt *update = writer->update_namespace;

		if (!row->dirty)
			continue;
		(void)sqlite3_bind_text(update, 1, row->name, -1, SQLITE_STATIC);
		(void)sqlite3_bind_int64(update, 2, row->id);
		(void)sqlite3_bind_int64(update, 3, row->entry_count);
		(void)sqlite3_bind_int64(update, 4, row->total_size);
		(void)sqlite3_bind_int64(update, 5, row->frequency_sum);
		int code = database_run(update);
		if (code != SQLITE_DONE)
			return code;
	}
	return SQLITE_OK;
}

bool writer_keep_taken(struct writer *writer, const struct use *use)
{
	if (writer->taken_count == writer->taken_capacity) {
		size_t capacity = writer->taken_capacity ? writer->taken_capacity * 2 : 64;
		struct use *taken = realloc(writer->taken, capacity * sizeof(*taken));

		if (!taken) {
			uses_add(&writer->store->uses, use);
			return false;
		}
		writer->taken = taken;
		writer->taken_capacity = capacity;
	}
	writer->taken[writer->taken_count++] = *use;
	return true;
}

/* The name of a namespace that is among the rows already, or else is looked up by its id. */
static int find_row_by_id(struct writer *writer, int64_t id, struct ns_row **ret)
{
	static const char sql[] = "SELECT name FROM namespaces WHERE id = ?1";
	char name[NAMESPACE_MAX_LEN + 1] = "";

	*ret = NULL;
	for (size_t i = 0; i < writer->row_count; i++) {
		if (writer->rows[i].id == id) {
			*ret = &writer->rows[i];
			return SQLITE_OK;
		}
	}
	sqlite3_stmt *find = database_prepare_statement(writer->db, sql);
	(void)sqlite3_bind_int64(find, 1, id);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW)
		(void)snprintf(name, sizeof(name), "%s",
			       (const char *)sqlite3_column_text(find, 0));
	int final = sqlite3_finalize(find);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? SQLITE_OK : final;
	return writer_find_row(writer, slice_of(name), ret);
}

int writer_fold_use(struct writer *writer, const struct use *use)
{
	struct ns_row *row = NULL;
	int code = find_row_by_id(writer, use->namespace_id, &row);

	/* Cleared meanwhile, or the entry is gone: nothing to count. */
	if (code != SQLITE_OK || !row)
		return code;
	(void)sqlite3_bind_int64(writer->add_use, 1, use->id);
	(void)sqlite3_bind_int64(writer->add_use, 2, use->namespace_id);
	(void)sqlite3_bind_int64(writer->add_use, 3, (int64_t)use->count);
	(void)sqlite3_bind_int64(writer->add_use, 4, use->last_access_us);
	code = database_run(writer->add_use);
	if (code != SQLITE_DONE)
		return code;
	if (sqlite3_changes(writer->db) > 0) {
		row->frequency_sum += (int64_t)use->count;
		row->dirty = true;
	}
	return SQLITE_OK;
}

/* Writes up to `max` waiting uses; *ret_more where others may still wait. */
static int fold_some(struct writer *writer, size_t max, bool *ret_more)
{
	struct use some[TICK_USES];
	size_t taken =
		uses_take_some(&writer->store->uses, some, max < TICK_USES ? max : TICK_USES);
	int code = SQLITE_OK;

	for (size_t i = 0; i < taken; i++)
		if (!writer_keep_taken(writer, &some[i]))
			code = SQLITE_NOMEM;
	for (size_t i = 0; i < taken && code == SQLITE_OK; i++)
		code = writer_fold_use(writer, &some[i]);
	*ret_more = taken == TICK_USES;
	return code;
}

static int fold_all(struct writer *writer)
{
	bool more = true;
	int code = SQLITE_OK;

	while (more && code == SQLITE_OK)
		code = fold_some(writer, TICK_USES, &more);
	return code;
}

static int begin(struct writer *writer)
{
	writer->row_count = 0;
	writer->taken_count = 0;
	int code = database_run(writer->begin);
	writer->now_us = store_now_us(writer->store);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static void roll_back(struct writer *writer)
{
	/* After some errors SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(writer->db))
		(void)database_run(writer->rollback);
	for (size_t i = 0; i < writer->taken_count; i++)
		uses_add(&writer->store->uses, &writer->taken[i]);
	writer->taken_count = 0;
}

static void add_to(atomic_ullong *counter, uint64_t n)
{
	(void)atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static int commit(struct writer *writer)
{
	int code = write_rows(writer);

	if (code == SQLITE_OK)
		code = database_run(writer->commit);
	if (code != SQLITE_DONE)
		return code;
	for (size_t i = 0; i < writer->row_count; i++) {
		const struct ns_row *row = &writer->rows[i];

		add_to(&row->counters->sets, row->counted.sets);
		add_to(&row->counters->deletes, row->counted.deletes);
		add_to(&row->counters->evictions, row->counted.evictions);
		add_to(&row->counters->expirations, row->counted.expirations);
	}
	return SQLITE_OK;
}

/* ---- Groups ---- */

struct group {
	struct cache_op *ops[GROUP_MAX];
	bool again[GROUP_MAX]; /* the op is not finished: queue it once more */
	size_t count;
	bool tick, sync;
};

static int apply_tick(struct writer *writer)
{
	size_t removed;
	bool more;
	int code = fold_some(writer, TICK_USES, &more);

	if (code == SQLITE_OK)
		code = apply_sweep(writer, TICK_REMOVALS, &removed);
	if (code == SQLITE_OK)
		code = apply_sweep_dropped(writer, TICK_REMOVALS);
	return code;
}

/* One attempt at the ops from..to: true where the transaction was committed. Else it was rolled
 * back, and *ret_failure holds why. */
static bool try_group(struct writer *writer, struct group *group, size_t from, size_t to,
		      enum cache_status *ret_failure)
{
	int code = begin(writer);

	*ret_failure = CACHE_OK;
	for (size_t i = from; i < to && code == SQLITE_OK; i++) {
		enum applied applied = apply_op(writer, group->ops[i]);

		group->again[i] = applied == CONTINUE;
		if (applied == FAILED) {
			*ret_failure = group->ops[i]->status;
			break;
		}
		if (group->ops[i]->type == CACHE_OP_SYNC)
			code = fold_all(writer);
	}
	if (code == SQLITE_OK && *ret_failure == CACHE_OK && group->tick)
		code = apply_tick(writer);
	if (code == SQLITE_OK && *ret_failure == CACHE_OK)
		code = commit(writer);
	if (code != SQLITE_OK)
		*ret_failure = database_status(writer->db, code);
	if (*ret_failure == CACHE_OK)
		return true;
	roll_back(writer);
	return false;
}

/* What a health check says, whose probe was committed or not. */
static void complete_check(struct cache_op *op, enum cache_status status)
{
	op->checks[0] = (struct cache_health_check){.name = "database", .ok = true};
	op->checks[1] = (struct cache_health_check){.name = "disk", .ok = status == CACHE_OK};
	if (status != CACHE_OK)
		(void)snprintf(op->checks[1].detail, sizeof(op->checks[1].detail), "%s",
			       cache_status_text(status));
	op->check_count = 2;
	cache_op_complete(op, CACHE_OK);
}

static void complete(struct cache_op *op, enum cache_status status)
{
	op->progress = 0;
	if (op->type == CACHE_OP_CHECK)
		complete_check(op, status);
	else
		cache_op_complete(op, status);
}

/* Completes the ops from..to of a committed transaction; those not finished queue again. */
static void finish_ops(struct writer *writer, struct group *group, size_t from, size_t to)
{
	struct sqlite_store *store = writer->store;

	for (size_t i = from; i < to; i++) {
		if (group->again[i]) {
			(void)pthread_mutex_lock(&store->write_lock);
			queue_push(&store->write_queue, group->ops[i]);
			(void)pthread_mutex_unlock(&store->write_lock);
		} else {
			complete(group->ops[i], group->ops[i]->status);
		}
	}
}

static void run_group(struct writer *writer, struct group *group)
{
	struct sqlite_store *store = writer->store;
	enum cache_status failure;

	(void)pthread_mutex_lock(&store->uses_order);
	bool committed = try_group(writer, group, 0, group->count, &failure);
	(void)pthread_mutex_unlock(&store->uses_order);
	if (committed) {
		if (group->sync)
			(void)sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
							NULL, NULL);
		finish_ops(writer, group, 0, group->count);
		return;
	}
	group->tick = false; /* housekeeping that fails must not fail an operation */
	if (failure != CACHE_NO_SPACE && failure != CACHE_READ_ONLY)
		store_notice(store, NOTICE_ERROR, "a write failed: %s", sqlite3_errmsg(writer->db));
	for (size_t i = 0; i < group->count; i++) {
		(void)pthread_mutex_lock(&store->uses_order);
		committed = try_group(writer, group, i, i + 1, &failure);
		(void)pthread_mutex_unlock(&store->uses_order);
		if (committed)
			finish_ops(writer, group, i, i + 1);
		else
			complete(group->ops[i], failure);
	}
}

/* Waits for work and takes it; false when it is time to stop and nothing is left. */
static bool take_group(struct sqlite_store *store, struct group *group)
{
	struct cache_op *op;

	(void)pthread_mutex_lock(&store->write_lock);
	while (!store->write_queue.first && !store->tick_due && !store->write_stop)
		(void)pthread_cond_wait(&store->write_wake, &store->write_lock);
	group->count = 0;
	group->sync = false;
	group->tick = store->tick_due;
	store->tick_due = false;
	while (group->count < store->group_max && (op = queue_pop(&store->write_queue))) {
		group->sync |= op->type == CACHE_OP_SYNC;
		group->ops[group->count++] = op;
	}
	bool go_on = group->count > 0 || group->tick || !store->write_stop;
	(void)pthread_mutex_unlock(&store->write_lock);
	return go_on;
}

static void *writer_main(void *arg)
{
	struct writer *writer = arg;
	struct sqlite_store *store = writer->store;
	struct group *group = calloc(1, sizeof(*group));

	while (group && take_group(store, group)) {
		run_group(writer, group);
		if (atomic_load(&store->wal_pages) > WAL_HARD_PAGES) {
			/* The background thread has copied nearly all of it; with the rest copied
			 * and no reader left in it, the next commit begins the log anew. */
			(void)sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
							NULL, NULL);
			readers_release(store);
		}
	}
	free(group);
	(void)pthread_mutex_lock(&store->uses_order);
	if (begin(writer) == SQLITE_OK &&
	    (fold_all(writer) != SQLITE_OK || commit(writer) != SQLITE_OK))
		roll_back(writer);
	(void)pthread_mutex_unlock(&store->uses_order);
	return NULL;
}

static int note_wal_size(void *user, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_store *store = user;

	(void)db;
	(void)name;
	atomic_store(&store->wal_pages, (unsigned)pages);
	background_wake(store);
	return SQLITE_OK;
}

/* ---- Open, submit, close ---- */

bool writer_open(struct sqlite_store *store)
{
	struct writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return false;
	(void)pthread_mutex_init(&store->write_lock, NULL);
	(void)pthread_cond_init(&store->write_wake, NULL);
	queue_init(&store->write_queue);
	store->writer = writer;
	writer->store = store;
	store->group_max = store->config.sqlite_group_max;
	if (store->group_max == 0 || store->group_max > GROUP_MAX)
		store->group_max = GROUP_MAX;
	writer->db = database_connect(store);
	if (!writer->db)
		return false;
	for (size_t i = 0; i < STATEMENTS; i++) {
		*statement_at(writer, i) =
			database_prepare_statement(writer->db, statements[i].sql);
		if (!*statement_at(writer, i)) {
			store_notice(store, NOTICE_ERROR, "%s", sqlite3_errmsg(writer->db));
			return false;
		}
	}
	(void)sqlite3_wal_hook(writer->db, note_wal_size, store);
	return pthread_create(&store->write_thread, NULL, writer_main, writer) == 0;
}

void writer_submit(struct backend *backend, struct cache_op *op)
{
	struct sqlite_store *store = (struct sqlite_store *)backend;

	op->progress = 0;
	(void)pthread_mutex_lock(&store->write_lock);
	queue_push(&store->write_queue, op);
	(void)pthread_cond_signal(&store->write_wake);
	(void)pthread_mutex_unlock(&store->write_lock);
}

void writer_tick(struct sqlite_store *store)
{
	(void)pthread_mutex_lock(&store->write_lock);
	store->tick_due = true;
	(void)pthread_cond_signal(&store->write_wake);
	(void)pthread_mutex_unlock(&store->write_lock);
}

void writer_close(struct sqlite_store *store)
{
	struct writer *writer = store->writer;

	if (!writer)
		return;
	if (store->write_thread) {
		(void)pthread_mutex_lock(&store->write_lock);
		store->write_stop = true;
		(void)pthread_cond_signal(&store->write_wake);
		(void)pthread_mutex_unlock(&store->write_lock);
		(void)pthread_join(store->write_thread, NULL);
	}
	for (size_t i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(*statement_at(writer, i));
	(void)sqlite3_close(writer->db);
	free(writer->rows);
	free(writer->taken);
	free(writer);
	(void)pthread_mutex_destroy(&store->write_lock);
	(void)pthread_cond_destroy(&store->write_wake);
}
