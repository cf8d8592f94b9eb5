/* Entries and namespaces as the running transaction finds, makes and removes them. */
#include "backends/sqlite/write/writer.h"

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
		ret->used_bytes = (int64_t)cache_used_bytes(
			key.len, (size_t)sqlite3_column_bytes(find, 4), (uint64_t)ret->size);
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

/* What an entry counts in the accounts of its namespace, and its hash. */
struct counted_entry {
	int64_t size, used_bytes, hash;
};

static int find_counted(struct writer *writer, int64_t id, bool *found, struct counted_entry *ret)
{
	sqlite3_stmt *find = writer->find_size;

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

int apply_remove(struct writer *writer, struct ns_row *row, int64_t id, bool *ret_removed)
{
	struct use dropped;
	struct counted_entry entry;
	int64_t frequency = 0;
	int code = writer_find_frequency(writer, id, ret_removed, &frequency);

	if (code != SQLITE_OK || !*ret_removed)
		return code;
	code = find_counted(writer, id, ret_removed, &entry);
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
	writer_note_removal(writer, row->id, entry.hash);
	row->entry_count--;
	row->size_sum -= entry.size;
	row->used_bytes -= entry.used_bytes;
	row->frequency_sum -= frequency;
	row->dirty = true;
	return SQLITE_OK;
}

/* Removes rows of a dropped namespace; *ret_emptied: there is none left. */
static int remove_dropped(struct writer *writer, int64_t namespace_id, struct sweep_step *step,
			  bool *ret_emptied)
{
	sqlite3_stmt *find = writer->find_dropped_entries;
	int code = SQLITE_ROW;

	(void)sqlite3_bind_int64(find, 1, namespace_id);
	while (code == SQLITE_ROW && !sweep_step_is_over(step)) {
		code = sqlite3_step(find);
		if (code != SQLITE_ROW)
			break;
		int64_t id = sqlite3_column_int64(find, 0);

		(void)sqlite3_bind_int64(writer->delete_uses, 1, id);
		(void)sqlite3_bind_int64(writer->delete_entry, 1, id);
		int deleted = database_run(writer->delete_uses);
		if (deleted == SQLITE_DONE)
			deleted = database_run(writer->delete_entry);
		if (deleted != SQLITE_DONE)
			code = deleted;
		step->removed++;
		writer->removed++;
	}
	(void)sqlite3_reset(find);
	*ret_emptied = code == SQLITE_DONE;
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

int apply_sweep_dropped(struct writer *writer, struct sweep_step *step)
{
	while (!sweep_step_is_over(step)) {
		int code = sqlite3_step(writer->find_dropped);
		int64_t namespace_id = sqlite3_column_int64(writer->find_dropped, 0);
		int reset = sqlite3_reset(writer->find_dropped);
		bool emptied = false;

		if (code != SQLITE_ROW)
			return code == SQLITE_DONE ? SQLITE_OK : reset;
		code = remove_dropped(writer, namespace_id, step, &emptied);
		if (code != SQLITE_OK || !emptied)
			return code;
		(void)sqlite3_bind_int64(writer->forget_dropped, 1, namespace_id);
		code = database_run(writer->forget_dropped);
		if (code != SQLITE_DONE)
			return code;
	}
	return SQLITE_OK;
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
		(void)sqlite3_bind_int64(writer->insert_namespace, 3, writer->order_us);
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
