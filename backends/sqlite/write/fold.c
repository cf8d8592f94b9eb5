#include "backends/sqlite/write/fold.h"

#include <stdlib.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/write/transaction.h"
#include "base/array.h"

static bool append(struct fold_list *list, const struct use *use)
{
	struct use *grown =
		array_with_room(list->uses, list->count, &list->capacity, sizeof(*grown));

	if (!grown)
		return false;
	list->uses = grown;
	grown[list->count++] = *use;
	return true;
}

bool fold_keep_taken(struct transaction *tx, const struct use *use)
{
	if (append(&tx->folds.taken, use))
		return true;
	(void)uses_add(&tx->store->uses, use);
	return false;
}

bool fold_keep_given(struct transaction *tx, const struct use *use)
{
	return append(&tx->folds.given, use);
}

int fold_use(struct transaction *tx, const struct use *use)
{
	struct ns_row *row = NULL;
	int code = ns_row_find_by_id(tx, use->namespace_id, &row);

	/* Cleared meanwhile, or the entry is gone: nothing to count. */
	if (code != SQLITE_OK || !row)
		return code;
	(void)sqlite3_bind_int64(tx->statements.add_use, 1, use->id);
	(void)sqlite3_bind_int64(tx->statements.add_use, 2, use->namespace_id);
	(void)sqlite3_bind_int64(tx->statements.add_use, 3, (int64_t)use->count);
	(void)sqlite3_bind_int64(tx->statements.add_use, 4, use->last_access_us);
	code = database_run(tx->statements.add_use);
	if (code != SQLITE_DONE)
		return code;
	if (sqlite3_changes(tx->db) > 0) {
		row->frequency_sum += (int64_t)use->count;
		row->dirty = true;
		heads_arrive(&tx->heads, row->id, use->last_access_us);
	}
	return SQLITE_OK;
}

int fold_some(struct transaction *tx, bool *ret_more)
{
	struct use some[FOLDED_AT_ONCE];

	fold_take(tx);
	size_t taken = uses_take_some(&tx->store->uses, some, FOLDED_AT_ONCE);
	int code = SQLITE_OK;

	for (size_t i = 0; i < taken; i++)
		if (!fold_keep_taken(tx, &some[i]))
			code = SQLITE_NOMEM;
	for (size_t i = 0; i < taken && code == SQLITE_OK; i++)
		code = fold_use(tx, &some[i]);
	*ret_more = taken == FOLDED_AT_ONCE;
	return code;
}

void fold_begin(struct folds *folds)
{
	folds->taken.count = 0;
	folds->given.count = 0;
}

void fold_take(struct transaction *tx)
{
	if (!tx->folds.is_taking)
		(void)atomic_fetch_add(&tx->store->uses.folds, 1);
	tx->folds.is_taking = true;
}

void fold_end(struct transaction *tx)
{
	if (tx->folds.is_taking)
		(void)atomic_fetch_add(&tx->store->uses.folds, 1);
	tx->folds.is_taking = false;
}

void fold_undo(struct transaction *tx)
{
	struct folds *folds = &tx->folds;

	for (size_t i = 0; i < folds->taken.count; i++)
		(void)uses_add(&tx->store->uses, &folds->taken.uses[i]);
	for (size_t i = 0; i < folds->given.count; i++)
		uses_subtract(&tx->store->uses, &folds->given.uses[i]);
	fold_begin(folds);
	fold_end(tx);
}

void fold_deinit(struct folds *folds)
{
	free(folds->taken.uses);
	free(folds->given.uses);
	*folds = (struct folds){0};
}
