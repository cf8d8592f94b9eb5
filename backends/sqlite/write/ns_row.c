#include "backends/sqlite/write/ns_row.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/row_settings.h"
#include "backends/sqlite/write/transaction.h"
#include "base/array.h"

/* The row after those in use, allocated if none is left of an earlier transaction. Rows never move,
 * so a caller that has one may look up others. */
static struct ns_row *next_row(struct transaction *tx)
{
	if (tx->rows.count < tx->rows.made)
		return tx->rows.items[tx->rows.count];

	struct ns_row **rows = array_with_room(tx->rows.items, tx->rows.made, &tx->rows.capacity,
					       sizeof(struct ns_row *));
	if (!rows)
		return NULL;
	tx->rows.items = rows;
	rows[tx->rows.made] = calloc(1, sizeof(**rows));
	return rows[tx->rows.made] ? rows[tx->rows.made++] : NULL;
}

static int load_row(struct transaction *tx, struct slice name, struct ns_row **ret)
{
	sqlite3_stmt *find = tx->statements.find_namespace;

	struct ns_row *row = next_row(tx);

	if (!row)
		return SQLITE_NOMEM;
	*row = (struct ns_row){.counters = counters_of(&tx->store->counters, name)};
	if (!row->counters)
		return SQLITE_NOMEM;
	memcpy(row->name, name.data, name.len);
	(void)sqlite3_bind_text(find, 1, row->name, (int)name.len, SQLITE_STATIC);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW) {
		row->id = sqlite3_column_int64(find, 0);
		row_settings_read(&tx->store->config, slice_of(row->name), find, 1, &row->settings);
		row->entry_count = sqlite3_column_int64(find, ROW_SETTINGS + 1);
		row->size_sum = sqlite3_column_int64(find, ROW_SETTINGS + 2);
		row->frequency_sum = sqlite3_column_int64(find, ROW_SETTINGS + 3);
		row->created_us = sqlite3_column_int64(find, ROW_SETTINGS + 4);
		row->used_bytes = sqlite3_column_int64(find, ROW_SETTINGS + 5);
		tx->rows.count++;
		*ret = row;
	}
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

int ns_row_find(struct transaction *tx, struct slice name, struct ns_row **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < tx->rows.count; i++) {
		if (!tx->rows.items[i]->is_dropped &&
		    slice_equal(slice_of(tx->rows.items[i]->name), name)) {
			*ret = tx->rows.items[i];
			return SQLITE_OK;
		}
	}
	return load_row(tx, name, ret);
}

int ns_row_write(struct transaction *tx, const struct ns_row *row)
{
	sqlite3_stmt *update = tx->statements.update_namespace;

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

int ns_row_write_all(struct transaction *tx)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < tx->rows.count && code == SQLITE_OK; i++)
		if (tx->rows.items[i]->dirty)
			code = ns_row_write(tx, tx->rows.items[i]);
	return code;
}

int ns_row_find_by_id(struct transaction *tx, int64_t id, struct ns_row **ret)
{
	sqlite3_stmt *find = tx->statements.find_name;
	char name[NAMESPACE_MAX_LEN + 1] = "";

	*ret = NULL;
	for (size_t i = 0; i < tx->rows.count; i++) {
		if (!tx->rows.items[i]->is_dropped && tx->rows.items[i]->id == id) {
			*ret = tx->rows.items[i];
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
	return ns_row_find(tx, slice_of(name), ret);
}

int ns_row_drop(struct transaction *tx, struct ns_row *row)
{
	(void)sqlite3_bind_int64(tx->statements.drop_namespace, 1, row->id);
	int code = database_run(tx->statements.drop_namespace);
	if (code == SQLITE_DONE) {
		(void)sqlite3_bind_text(tx->statements.delete_namespace, 1, row->name, -1,
					SQLITE_STATIC);
		code = database_run(tx->statements.delete_namespace);
	}
	row->is_dropped = true;
	row->dirty = false;
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int ns_row_take_id(struct transaction *tx, int64_t *ret)
{
	int code = sqlite3_step(tx->statements.take_namespace_id);

	*ret = sqlite3_column_int64(tx->statements.take_namespace_id, 0);
	int reset = sqlite3_reset(tx->statements.take_namespace_id);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? SQLITE_CORRUPT : reset;
	code = database_run(tx->statements.bump_namespace_id);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

struct ns_row *ns_row_find_or_create(struct transaction *tx, struct cache_op *op,
				     enum applied *ret_applied)
{
	struct ns_row *row = NULL;
	int code = ns_row_find(tx, op->ns, &row);

	if (code == SQLITE_OK && !row) {
		unsigned max = tx->store->config.max_namespaces;
		int64_t id = 0;

		if (max > 0) {
			(void)sqlite3_step(tx->statements.count_namespaces);
			int64_t now = sqlite3_column_int64(tx->statements.count_namespaces, 0);
			(void)sqlite3_reset(tx->statements.count_namespaces);
			if (now >= (int64_t)max) {
				*ret_applied = applied_refuse(op, CACHE_TOO_MANY_NAMESPACES, NULL);
				return NULL;
			}
		}
		code = ns_row_take_id(tx, &id);
		(void)sqlite3_bind_int64(tx->statements.insert_namespace, 1, id);
		(void)sqlite3_bind_text(tx->statements.insert_namespace, 2, op->ns.data,
					(int)op->ns.len, SQLITE_STATIC);
		(void)sqlite3_bind_int64(tx->statements.insert_namespace, 3, tx->order_us);
		if (code == SQLITE_OK &&
		    (code = database_run(tx->statements.insert_namespace)) == SQLITE_DONE)
			code = ns_row_find(tx, op->ns, &row);
	}
	if (code != SQLITE_OK || !row) {
		*ret_applied = applied_fail(tx, op, code != SQLITE_OK ? code : SQLITE_CORRUPT);
		return NULL;
	}
	return row;
}

bool ns_row_any_is_dirty(const struct ns_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		if (rows->items[i]->dirty)
			return true;
	return false;
}

void ns_row_count_committed(const struct ns_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct ns_row *row = rows->items[i];

		if (row->is_dropped) {
			counters_reset(row->counters);
			continue;
		}
		counters_add(&row->counters->sets, row->counted.sets);
		counters_add(&row->counters->deletes, row->counted.deletes);
		counters_add(&row->counters->evictions, row->counted.evictions);
		counters_add(&row->counters->expirations, row->counted.expirations);
	}
}

void ns_row_deinit(struct ns_rows *rows)
{
	for (size_t i = 0; i < rows->made; i++)
		free(rows->items[i]);
	free(rows->items);
	*rows = (struct ns_rows){0};
}
