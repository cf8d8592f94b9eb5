#include "readers.h"

#include "store.h"

static void end(struct lmdb_tables *tables)
{
	lmdb_store_close_tables(tables);
	mdb_txn_abort(tables->txn);
}

static bool take_kept(struct lmdb_readers *readers, struct lmdb_tables *ret)
{
	(void)pthread_mutex_lock(&readers->lock);
	bool has_one = readers->count > 0;
	if (has_one)
		*ret = readers->kept[--readers->count];
	(void)pthread_mutex_unlock(&readers->lock);
	return has_one;
}

int lmdb_readers_take(struct driver *driver, struct lmdb_tables *ret)
{
	MDB_txn *txn;
	int rc;

	if (take_kept(&driver->readers, ret)) {
		rc = mdb_txn_renew(ret->txn);
		if (rc == 0)
			rc = mdb_cursor_renew(ret->txn, ret->records);
		if (rc == 0)
			rc = mdb_cursor_renew(ret->txn, ret->pieces);
		if (rc != 0)
			end(ret);
		return rc;
	}
	rc = mdb_txn_begin(driver->env, NULL, MDB_RDONLY, &txn);
	if (rc != 0)
		return rc;
	rc = lmdb_store_open_tables(driver, txn, ret);
	if (rc != 0)
		mdb_txn_abort(txn);
	return rc;
}

void lmdb_readers_give(struct driver *driver, struct lmdb_tables *tables)
{
	struct lmdb_readers *readers = &driver->readers;

	mdb_txn_reset(tables->txn);
	(void)pthread_mutex_lock(&readers->lock);
	bool is_kept = readers->count < LMDB_READERS_KEPT;
	if (is_kept)
		readers->kept[readers->count++] = *tables;
	(void)pthread_mutex_unlock(&readers->lock);
	if (!is_kept)
		end(tables);
}

void lmdb_readers_drop(struct driver *driver)
{
	struct lmdb_tables tables;

	while (take_kept(&driver->readers, &tables))
		end(&tables);
}
