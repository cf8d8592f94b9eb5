/* Entries and namespaces as the running transaction finds, makes and removes them. */
#include "backends/sqlite/writer.h"

enum applied applied_refuse(struct cache_op *op, enum cache_status status, const char *detail)
{
	op->status = status;
	op->detail = detail;
	return APPLIED;
}

enum applied applied_fail(struct writer *writer, struct cache_op *op, int code)
{
	op->status = database_status(writer->db, code);
	return FAILED;
}

/* ---- Finding and removing entries ---- */

int writer_find_entry(struct writer *writer, const struct ns_row *row, struct slice key,
		      bool *found, struct found_entry *ret)
{
	sqlite3_stmt *find = writer->find_entry;

	store_bind_key(writer->store, find, 1, row->id, key);
	int code = sqlite3_step(find);
	*found = code == SQLITE_ROW;
	if (*found) {
		*ret = (struct found_entry){
			.id = sqlite3_column_int64(find, 0),
			.expires_us = sqlite3_column_int64(find, 1),
			.size = sqlite3_column_int64(find, 3),
		};
		if (sqlite3_column_bytes(find, 2) == (int)sizeof(ret->etag.bytes))
			memcpy(ret->etag.bytes, sqlite3_column_blob(find, 2),
			       sizeof(ret->etag.bytes));
	}
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

int writer_find_frequency(struct writer *writer, int64_t id, bool *found, int64_t *ret)
{
	sqlite3_stmt *find = writer->find_frequency;

	(void)sqlite3_bind_int64(find, 1, id);
	int code = sqlite3_step(find);
	*found = code == SQLITE_ROW;
	*ret = sqlite3_column_int64(find, 0);
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

static int find_size(struct writer *writer, int64_t id, bool *found, int64_t *ret_size,
		     int64_t *ret_hash)
{
	sqlite3_stmt *find = writer->find_size;

	(void)sqlite3_bind_int64(find, 1, id);
	int code = sqlite3_step(find);
	*found = code == SQLITE_ROW;
	*ret_size = sqlite3_column_int64(find, 0);
	*ret_hash = sqlite3_column_int64(find, 1);
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

int apply_remove(struct writer *writer, struct ns_row *row, int64_t id, bool *ret_removed)
{
	struct use dropped;
	int64_t size = 0;
	int64_t frequency = 0;
	int64_t hash = 0;
	int code = writer_find_frequency(writer, id, ret_removed, &frequency);

	if (code != SQLITE_OK || !*ret_removed)
		return code;
	code = find_size(writer, id, ret_removed, &size, &hash);
	if (code != SQLITE_OK)
		return code;
	if (!*ret_removed)
		return SQLITE_CORRUPT; /* the two tables always change together */
	(void)sqlite3_bind_int64(writer->delete_uses, 1, id);
	(void)sqlite3_bind_int64(writer->delete_entry, 1, id);
	code = database_run(writer->delete_uses);
	if (code == SQLITE_DONE)
		code = database_run(writer->delete_entry);
	if (code != SQLITE_DONE)
		return code;
	(void)uses_take(&writer->store->uses, id, &dropped);
	writer->removed++;
	writer_note_removal(writer, row->id, hash);
	row->entry_count--;
	row->total_size -= size;
	row->frequency_sum -= frequency;
	row->dirty = true;
	return SQLITE_OK;
}

int apply_remove_listed(struct writer *writer, sqlite3_stmt *statement, bool expired,
			size_t *ret_removed, int64_t *ret_last_us)
{
	int code;

	*ret_removed = 0;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct slice name = {.data = (const char *)sqlite3_column_text(statement, 1)};
		struct ns_row *row = NULL;
		bool removed = false;

		name.len = (size_t)sqlite3_column_bytes(statement, 1);
		if (ret_last_us)
			*ret_last_us = sqlite3_column_int64(statement, 2);
		code = writer_find_row(writer, name, &row);
		if (code == SQLITE_OK && row)
			code = apply_remove(writer, row, sqlite3_column_int64(statement, 0),
					    &removed);
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
		writer->removed++;
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
int writer_take_namespace_id(struct writer *writer, int64_t *ret)
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
struct ns_row *writer_find_or_create_row(struct writer *writer, struct cache_op *op,
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
				*ret_applied = applied_refuse(op, CACHE_TOO_MANY_NAMESPACES, NULL);
				return NULL;
			}
		}
		code = writer_take_namespace_id(writer, &id);
		(void)sqlite3_bind_int64(writer->insert_namespace, 1, id);
		(void)sqlite3_bind_text(writer->insert_namespace, 2, op->ns.data, (int)op->ns.len,
					SQLITE_STATIC);
		(void)sqlite3_bind_int64(writer->insert_namespace, 3, writer->now_us);
		if (code == SQLITE_OK &&
		    (code = database_run(writer->insert_namespace)) == SQLITE_DONE)
			code = writer_find_row(writer, op->ns, &row);
	}
	if (code != SQLITE_OK || !row) {
		*ret_applied = applied_fail(writer, op, code != SQLITE_OK ? code : SQLITE_CORRUPT);
		return NULL;
	}
	return row;
}
