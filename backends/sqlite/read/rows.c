#include "backends/sqlite/read/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/key_index.h"
#include "backends/sqlite/store.h"
#include "base/array.h"

#define COLUMNS                                                                                    \
	"SELECT e.id, e.ns, e.key, e.etag, e.flags, e.type, e.modified, e.expires, e.size,"        \
	" length(e.value), CASE WHEN length(e.value) <= ?3 THEN e.value END,"                      \
	" u.frequency, u.last_access, u.created"                                                   \
	" FROM entries e CROSS JOIN uses u ON u.id = e.id"

static const char next_rows[] = COLUMNS " WHERE e.id > ?1 AND e.id <= ?4 ORDER BY e.id LIMIT ?2";
static const char row_of_id[] = COLUMNS " WHERE e.id = ?1";
static const char id_of_key[] =
	"SELECT id FROM entries INDEXED BY entries_key WHERE " KEY_CONDITION(1, 2, 3, 4);

/* A namespace; rows of cleared ones have ids that none has. */
struct ns_name {
	int64_t id;
	char name[NAMESPACE_MAX_LEN + 1];
};

struct rows {
	struct sqlite_store *store;
	sqlite3 *db;
	sqlite3_stmt *next, *of_id, *find;
	uint64_t max_value_bytes;
	int64_t at_id, last_id;
	struct ns_name *names; /* by id */
	size_t name_count, last_name;
};

static int read_names(struct rows *rows)
{
	sqlite3_stmt *query =
		database_prepare_statement(rows->db, "SELECT id, name FROM namespaces ORDER BY id");
	size_t capacity = 0;
	int code = query ? SQLITE_ROW : database_error(rows->db);

	while (code == SQLITE_ROW && (code = sqlite3_step(query)) == SQLITE_ROW) {
		struct ns_name *names =
			array_with_room(rows->names, rows->name_count, &capacity, sizeof(*names));
		const char *name = (const char *)sqlite3_column_text(query, 1);

		if (names)
			rows->names = names;
		if (!names || !name) {
			code = SQLITE_NOMEM;
			break;
		}
		struct ns_name *fresh = &names[rows->name_count++];
		fresh->id = sqlite3_column_int64(query, 0);
		(void)snprintf(fresh->name, sizeof(fresh->name), "%s", name);
	}
	(void)sqlite3_finalize(query);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int compare_ids(const void *a, const void *b)
{
	int64_t left = ((const struct ns_name *)a)->id;
	int64_t right = ((const struct ns_name *)b)->id;

	return left < right ? -1 : left > right;
}

/* NULL: a cleared one. Most rows are of the namespace of the one before. */
static const char *name_of(struct rows *rows, int64_t id)
{
	if (rows->last_name < rows->name_count && rows->names[rows->last_name].id == id)
		return rows->names[rows->last_name].name;
	const struct ns_name wanted = {.id = id};
	const struct ns_name *found =
		bsearch(&wanted, rows->names, rows->name_count, sizeof(*rows->names), compare_ids);
	if (!found)
		return NULL;
	rows->last_name = (size_t)(found - rows->names);
	return found->name;
}

static bool id_of(const struct rows *rows, struct slice name, int64_t *ret)
{
	for (size_t i = 0; i < rows->name_count; i++)
		if (slice_equal(slice_of(rows->names[i].name), name)) {
			*ret = rows->names[i].id;
			return true;
		}
	return false;
}

struct rows *rows_open(struct backend *backend, uint64_t max_value_bytes, char *error,
		       size_t error_size)
{
	struct sqlite_store *store = (struct sqlite_store *)backend;
	struct rows *rows = calloc(1, sizeof(*rows));
	int code = SQLITE_OK;

	if (!rows) {
		(void)snprintf(error, error_size, "cannot read %s: out of memory",
			       store->file.path);
		return NULL;
	}
	rows->store = store;
	rows->max_value_bytes = max_value_bytes;
	rows->db = database_connect(&store->file, error, error_size);
	if (!rows->db) {
		free(rows);
		return NULL;
	}
	rows->next = database_prepare_statement(rows->db, next_rows);
	rows->of_id = database_prepare_statement(rows->db, row_of_id);
	rows->find = database_prepare_statement(rows->db, id_of_key);
	if (!rows->next || !rows->of_id || !rows->find)
		code = database_error(rows->db);
	if (code == SQLITE_OK)
		code = database_ask(rows->db, "SELECT coalesce(max(id), 0) FROM entries",
				    &rows->last_id);
	if (code == SQLITE_ROW)
		code = read_names(rows);
	if (code == SQLITE_OK)
		return rows;
	database_explain(&store->file, rows->db, code, "cannot read", error, error_size);
	rows_close(rows);
	return NULL;
}

void rows_close(struct rows *rows)
{
	if (!rows)
		return;
	(void)sqlite3_finalize(rows->next);
	(void)sqlite3_finalize(rows->of_id);
	(void)sqlite3_finalize(rows->find);
	database_disconnect(&rows->store->file, rows->db);
	free(rows->names);
	free(rows);
}

/* Reads the current row. False: out of memory. */
static bool read_row(sqlite3_stmt *row, const char *ns, struct rows_entry *ret)
{
	const void *etag = sqlite3_column_blob(row, 3);

	*ret = (struct rows_entry){
		.ns = slice_of(ns),
		.key = {.data = sqlite3_column_blob(row, 2)},
		.flags = (uint8_t)sqlite3_column_int(row, 4),
		.type = {.data = (const char *)sqlite3_column_text(row, 5)},
		.modified_at_us = sqlite3_column_int64(row, 6),
		.expires_at_us = sqlite3_column_int64(row, 7),
		.size_bytes = (uint64_t)sqlite3_column_int64(row, 8),
		.len_bytes = (uint64_t)sqlite3_column_int64(row, 9),
		.history = {.frequency = (uint64_t)sqlite3_column_int64(row, 11)},
	};
	ret->key.len = (size_t)sqlite3_column_bytes(row, 2);
	ret->type.len = (size_t)sqlite3_column_bytes(row, 5);
	if (sqlite3_column_bytes(row, 3) == (int)sizeof(ret->etag.bytes) && etag)
		memcpy(ret->etag.bytes, etag, sizeof(ret->etag.bytes));
	ret->history.last_access_us = sqlite3_column_int64(row, 12);
	ret->history.created_at_us = sqlite3_column_int64(row, 13);
	ret->history.expires_at_us = ret->expires_at_us;
	if (ret->key.len == 0)
		ret->key.data = "";
	if (sqlite3_column_type(row, 10) != SQLITE_NULL) {
		ret->bytes = sqlite3_column_blob(row, 10);
		if (!ret->bytes && ret->len_bytes == 0)
			ret->bytes = "";
		if (!ret->bytes)
			return false;
	}
	return ret->type.data && ret->key.data;
}

/* What SQLite's code and a change of the mapping mean. */
static enum cache_status judge(struct rows *rows, unsigned faults, int code)
{
	if (!mapping_is_intact(&rows->store->file.mapping, faults))
		code = SQLITE_IOERR_MMAP;
	return code == SQLITE_OK ? CACHE_OK : database_status(rows->db, code);
}

/* Gives the rows of `query`, which is bound. *ret_count: how many there were. */
static enum cache_status give(struct rows *rows, sqlite3_stmt *query, rows_take_fn *take,
			      void *user, size_t *ret_count)
{
	unsigned faults = mapping_faults(&rows->store->file.mapping);
	enum cache_status status = CACHE_OK;
	struct rows_entry entry;
	int code = SQLITE_DONE;

	*ret_count = 0;
	while (status == CACHE_OK && (code = sqlite3_step(query)) == SQLITE_ROW) {
		const char *ns = name_of(rows, sqlite3_column_int64(query, 1));

		if (ns && !read_row(query, ns, &entry))
			status = CACHE_NO_MEMORY;
		/* Nothing is trusted before the mapping is known to be intact. */
		else if (!mapping_is_intact(&rows->store->file.mapping, faults))
			status = CACHE_UNAVAILABLE;
		else if (ns)
			status = take(user, &entry);
		if (status != CACHE_OK)
			break;
		rows->at_id = sqlite3_column_int64(query, 0);
		++*ret_count;
	}
	int reset = sqlite3_reset(query);
	if (status != CACHE_OK)
		return status;
	return judge(rows, faults, code == SQLITE_DONE ? SQLITE_OK : reset);
}

enum cache_status rows_next(struct rows *rows, size_t max, rows_take_fn *take, void *user,
			    bool *ret_more)
{
	size_t count = 0;

	(void)sqlite3_bind_int64(rows->next, 1, rows->at_id);
	(void)sqlite3_bind_int64(rows->next, 2, (int64_t)max);
	(void)sqlite3_bind_int64(rows->next, 3, (int64_t)rows->max_value_bytes);
	(void)sqlite3_bind_int64(rows->next, 4, rows->last_id);
	enum cache_status status = give(rows, rows->next, take, user, &count);
	*ret_more = status != CACHE_OK || count == max;
	return status;
}

enum cache_status rows_find(struct rows *rows, struct slice ns, struct slice key,
			    rows_take_fn *take, void *user)
{
	unsigned faults = mapping_faults(&rows->store->file.mapping);
	int64_t at_id = rows->at_id;
	int64_t ns_id = 0;
	int64_t id = 0;
	size_t count = 0;

	if (!id_of(rows, ns, &ns_id))
		return CACHE_OK;
	key_index_bind(rows->find, 1, ns_id, key, rows->store->file.hash_seed);
	int code = sqlite3_step(rows->find);
	if (code == SQLITE_ROW)
		id = sqlite3_column_int64(rows->find, 0);
	int reset = sqlite3_reset(rows->find);
	enum cache_status status =
		judge(rows, faults, code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset);
	if (status != CACHE_OK || code != SQLITE_ROW)
		return status;
	(void)sqlite3_bind_int64(rows->of_id, 1, id);
	(void)sqlite3_bind_int64(rows->of_id, 3, (int64_t)rows->max_value_bytes);
	status = give(rows, rows->of_id, take, user, &count);
	rows->at_id = at_id;
	return status;
}

void rows_order_clock(struct backend *backend, struct order_clock_state *ret)
{
	order_clock_save(&((struct sqlite_store *)backend)->order_clock, ret);
}

void rows_follow(struct backend *backend, const struct order_clock *clock)
{
	atomic_store(&((struct sqlite_store *)backend)->followed_clock, clock);
}
