/* The writer's running transaction: the rows of the namespaces that it touched, written back with
 * the commit, and the uses that it took, put back if it fails. */
#include <stdio.h>
#include <stdlib.h>

#include "backends/sqlite/write/writer.h"
#include "base/array.h"

/* The row behind those in use, made where none is left of an earlier transaction. Rows never move:
 * who has one may look up others. */
static struct ns_row *next_row(struct writer *writer)
{
	if (writer->row_count < writer->rows_made)
		return writer->rows[writer->row_count];

	struct ns_row **rows = array_with_room(writer->rows, writer->rows_made,
					       &writer->row_capacity, sizeof(struct ns_row *));
	if (!rows)
		return NULL;
	writer->rows = rows;
	rows[writer->rows_made] = calloc(1, sizeof(**rows));
	return rows[writer->rows_made] ? rows[writer->rows_made++] : NULL;
}

static int load_row(struct writer *writer, struct slice name, struct ns_row **ret)
{
	sqlite3_stmt *find = writer->find_namespace;

	struct ns_row *row = next_row(writer);

	if (!row)
		return SQLITE_NOMEM;
	*row = (struct ns_row){.counters = store_counters(writer->store, name)};
	if (!row->counters)
		return SQLITE_NOMEM;
	memcpy(row->name, name.data, name.len);
	(void)sqlite3_bind_text(find, 1, row->name, (int)name.len, SQLITE_STATIC);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW) {
		row->id = sqlite3_column_int64(find, 0);
		database_read_settings(writer->store, slice_of(row->name), find, 1, &row->settings);
		row->entry_count = sqlite3_column_int64(find, 6);
		row->size_sum = sqlite3_column_int64(find, 7);
		row->frequency_sum = sqlite3_column_int64(find, 8);
		row->created_us = sqlite3_column_int64(find, 9);
		row->used_bytes = sqlite3_column_int64(find, 10);
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
		if (slice_equal(slice_of(writer->rows[i]->name), name)) {
			*ret = writer->rows[i];
			return SQLITE_OK;
		}
	}
	return load_row(writer, name, ret);
}

int writer_write_row(struct writer *writer, const struct ns_row *row)
{
	sqlite3_stmt *update = writer->update_namespace;

	(void)sqlite3_bind_text(update, 1, row->name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(update, 2, row->id);
	(void)sqlite3_bind_int64(update, 3, row->entry_count);
	(void)sqlite3_bind_int64(update, 4, row->size_sum);
	(void)sqlite3_bind_int64(update, 5, row->frequency_sum);
	(void)sqlite3_bind_int64(update, 6, row->created_us);
	(void)sqlite3_bind_int64(update, 7, row->used_bytes);
	int code = database_run(update);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int write_rows(struct writer *writer)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < writer->row_count && code == SQLITE_OK; i++)
		if (writer->rows[i]->dirty)
			code = writer_write_row(writer, writer->rows[i]);
	return code;
}

static bool append_use(struct use **uses, size_t *count, size_t *capacity, const struct use *use)
{
	struct use *grown = array_with_room(*uses, *count, capacity, sizeof(*grown));

	if (!grown)
		return false;
	*uses = grown;
	grown[(*count)++] = *use;
	return true;
}

bool writer_keep_taken(struct writer *writer, const struct use *use)
{
	if (append_use(&writer->taken, &writer->taken_count, &writer->taken_capacity, use))
		return true;
	(void)uses_add(&writer->store->uses, use);
	return false;
}

bool writer_keep_given(struct writer *writer, const struct use *use)
{
	return append_use(&writer->given, &writer->given_count, &writer->given_capacity, use);
}

int writer_find_row_by_id(struct writer *writer, int64_t id, struct ns_row **ret)
{
	sqlite3_stmt *find = writer->find_name;
	char name[NAMESPACE_MAX_LEN + 1] = "";

	*ret = NULL;
	for (size_t i = 0; i < writer->row_count; i++) {
		if (writer->rows[i]->id == id) {
			*ret = writer->rows[i];
			return SQLITE_OK;
		}
	}
	(void)sqlite3_bind_int64(find, 1, id);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW)
		(void)snprintf(name, sizeof(name), "%s",
			       (const char *)sqlite3_column_text(find, 0));
	int reset = sqlite3_reset(find);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? SQLITE_OK : reset;
	return writer_find_row(writer, slice_of(name), ret);
}

int writer_fold_use(struct writer *writer, const struct use *use)
{
	struct ns_row *row = NULL;
	int code = writer_find_row_by_id(writer, use->namespace_id, &row);

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
		heads_arrive(&writer->heads, row->id, use->last_access_us);
	}
	return SQLITE_OK;
}

int writer_fold_some(struct writer *writer, bool *ret_more)
{
	struct use some[FOLDED_AT_ONCE];
	size_t taken = uses_take_some(&writer->store->uses, some, FOLDED_AT_ONCE);
	int code = SQLITE_OK;

	for (size_t i = 0; i < taken; i++)
		if (!writer_keep_taken(writer, &some[i]))
			code = SQLITE_NOMEM;
	for (size_t i = 0; i < taken && code == SQLITE_OK; i++)
		code = writer_fold_use(writer, &some[i]);
	*ret_more = taken == FOLDED_AT_ONCE;
	return code;
}

static void note_change(struct writer *writer, const struct values_change *change)
{
	struct values_change *grown = array_with_room(writer->changes, writer->change_count,
						      &writer->change_capacity, sizeof(*grown));

	if (!grown) {
		writer->changes_lost = true;
		return;
	}
	writer->changes = grown;
	grown[writer->change_count++] = *change;
}

void writer_note_removal(struct writer *writer, int64_t namespace_id, int64_t hash)
{
	if (writer->wal_index)
		note_change(writer,
			    &(struct values_change){.namespace_id = namespace_id, .hash = hash});
}

void writer_note_overwrite(struct writer *writer, int64_t namespace_id, int64_t id,
			   const struct cache_item *item)
{
	if (writer->wal_index)
		note_change(writer,
			    &(struct values_change){.namespace_id = namespace_id,
						    .hash = store_hash(writer->store, item->key),
						    .id = id,
						    .key = item->key,
						    .value = item->value});
}

/* Brings the values in memory to the state that the commit has made. */
static void move_values(struct writer *writer)
{
	struct wal_state after;

	if (!writer->wal_index)
		return;
	bool known = wal_index_read_own(writer->wal_index, &writer->before, writer->commit_frames,
					&after) &&
		     !writer->changes_lost;
	values_move(&writer->store->values, known ? &writer->before : NULL, &after, writer->changes,
		    writer->change_count);
	atomic_store(&writer->store->values.writer_works, false);
}

static bool roll_back(struct writer *writer)
{
	/* After some errors SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(writer->db))
		(void)database_run(writer->rollback);
	writer->is_stuck = !sqlite3_get_autocommit(writer->db);
	return !writer->is_stuck;
}

int writer_begin(struct writer *writer)
{
	writer->row_count = 0;
	writer->taken_count = 0;
	writer->given_count = 0;
	writer->change_count = 0;
	writer->changes_lost = false;
	writer->commit_frames = 0;
	writer->removed = 0;
	/* Nothing of a transaction that failed may be part of another. */
	if (writer->is_stuck && !roll_back(writer))
		return SQLITE_NOMEM;
	writer->faults = mapping_faults(&writer->store->mapping);
	int code = sqlite3_get_autocommit(writer->db) ? database_run(writer->begin) : SQLITE_DONE;
	if (code == SQLITE_BUSY)
		return code;
	/* Under the write lock: nobody else can make another now. */
	atomic_store(&writer->store->values.writer_works, true);
	if (writer->wal_index)
		wal_index_read(writer->wal_index, &writer->before);
	writer->now_us = store_now_us(writer->store);
	writer->order_us = order_clock_at(&writer->store->order_clock, writer->now_us);
	writer->order_began_us = writer->order_us;
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

void writer_roll_back(struct writer *writer)
{
	(void)roll_back(writer);
	for (size_t i = 0; i < writer->taken_count; i++)
		(void)uses_add(&writer->store->uses, &writer->taken[i]);
	for (size_t i = 0; i < writer->given_count; i++)
		uses_subtract(&writer->store->uses, &writer->given[i]);
	writer->taken_count = 0;
	writer->given_count = 0;
	sweep_anew(writer); /* what it had removed is there again */
	heads_forget(&writer->heads);
	writer->order_saved_us = 0;
	atomic_store(&writer->store->values.writer_works, false);
}

int writer_commit(struct writer *writer)
{
	int code = write_rows(writer);

	order_clock_pass(&writer->store->order_clock, writer->order_began_us,
			 (size_t)(writer->order_us - writer->order_began_us));

	if (code == SQLITE_OK && !mapping_is_intact(&writer->store->mapping, writer->faults))
		code = SQLITE_IOERR_MMAP; /* what it has read decided what it writes */
	if (code == SQLITE_OK)
		code = order_save(writer, false);
	if (code == SQLITE_OK)
		code = database_run(writer->commit);
	if (code != SQLITE_DONE)
		return code;
	move_values(writer);
	for (size_t i = 0; i < writer->row_count; i++) {
		const struct ns_row *row = writer->rows[i];

		count_up(&row->counters->sets, row->counted.sets);
		count_up(&row->counters->deletes, row->counted.deletes);
		count_up(&row->counters->evictions, row->counted.evictions);
		count_up(&row->counters->expirations, row->counted.expirations);
	}
	return SQLITE_OK;
}
