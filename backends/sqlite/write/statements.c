/* The text of every statement that the writer runs. */
#include "backends/sqlite/write/statements.h"

#include <stddef.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/key_index.h"
#include "backends/sqlite/file/row_settings.h"

struct statement_text {
	size_t offset; /* in struct statements */
	const char *sql;
};

#define STATEMENT(member, text)                                                                    \
	{                                                                                          \
		.offset = offsetof(struct statements, member), .sql = (text)                       \
	}

#define USE_COLUMNS "id, frequency, last_access"

static const struct statement_text texts[] = {
	STATEMENT(begin, "BEGIN IMMEDIATE"),
	STATEMENT(commit, "COMMIT"),
	STATEMENT(rollback, "ROLLBACK"),
	STATEMENT(find_namespace, "SELECT id, " ROW_SETTINGS_COLUMNS ", entry_count,"
				  " size_sum, frequency_sum, created, used_bytes FROM namespaces"
				  " WHERE name = ?1"),
	STATEMENT(count_namespaces, "SELECT count(*) FROM namespaces"),
	STATEMENT(insert_namespace, "INSERT INTO namespaces(id, name, created) VALUES(?1, ?2, ?3)"),
	STATEMENT(update_namespace,
		  "UPDATE namespaces SET id = ?2, entry_count = ?3, size_sum = ?4,"
		  " frequency_sum = ?5, created = ?6, used_bytes = ?7 WHERE name = ?1"),
	STATEMENT(configure_namespace,
		  "UPDATE namespaces SET max_size = coalesce(?2, max_size),"
		  " capacity = coalesce(?3, capacity), default_ttl = coalesce(?4, default_ttl),"
		  " policy = coalesce(?5, policy), stale_ttl = coalesce(?6, stale_ttl),"
		  " max_idle = coalesce(?7, max_idle), compression = coalesce(?8, compression),"
		  " put_status = coalesce(?9, put_status)"
		  " WHERE name = ?1"),
	STATEMENT(take_namespace_id, "SELECT value FROM meta WHERE name = 'next_namespace'"),
	STATEMENT(bump_namespace_id,
		  "UPDATE meta SET value = value + 1 WHERE name = 'next_namespace'"),
	STATEMENT(drop_namespace, "INSERT INTO dropped(id) VALUES(?1)"),
	STATEMENT(mark_fifo, "UPDATE uses SET fifo = ?2 WHERE ns = ?1"),
	STATEMENT(mark_idle, "UPDATE uses SET idle = ?2 WHERE ns = ?1 AND idle <> ?2"),
	STATEMENT(delete_namespace, "DELETE FROM namespaces WHERE name = ?1"),
	STATEMENT(find_entry,
		  "SELECT id, expires, etag, size, type FROM entries INDEXED BY entries_key"
		  " WHERE " KEY_CONDITION(1, 2, 3, 4)),
	STATEMENT(find_history, "SELECT frequency, created FROM uses WHERE id = ?1"),
	STATEMENT(find_key, "SELECT key FROM entries WHERE id = ?1"),
	STATEMENT(find_access, "SELECT last_access FROM uses WHERE id = ?1"),
	STATEMENT(find_size, "SELECT size, hash, type, length(key) FROM entries WHERE id = ?1"),
	STATEMENT(insert_entry,
		  "INSERT INTO entries(ns, hash, key, etag, flags, type, modified, expires,"
		  " value, size) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"),
	STATEMENT(update_entry,
		  "UPDATE entries SET etag = ?2, flags = ?3, type = ?4, modified = ?5,"
		  " expires = ?6, value = ?7, size = ?8 WHERE id = ?1"),
	STATEMENT(set_expiry, "UPDATE entries SET expires = ?2 WHERE id = ?1"),
	STATEMENT(insert_uses,
		  "INSERT INTO uses(id, frequency, last_access, created, ns, fifo, idle)"
		  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
	STATEMENT(restart_uses, "UPDATE uses SET frequency = ?2, last_access = ?3, created = ?4"
				" WHERE id = ?1"),
	/* By a hint (hints.h): nothing changes if it is wrong. */
	STATEMENT(update_hinted,
		  "UPDATE entries SET etag = ?2, flags = ?3, type = ?4, modified = ?5,"
		  " expires = ?6, value = ?7, size = ?8 WHERE id = ?1 AND ns = ?9 AND hash = ?10"
		  " AND size = ?11 AND length(CAST(type AS BLOB)) = ?12 AND key = ?13"),
	STATEMENT(move_uses_hinted, "UPDATE uses SET frequency = ?2, last_access = ?3"
				    " WHERE id = ?1 AND frequency = ?4 AND created = ?5"),
	/* Without touching the index of creations. */
	STATEMENT(move_uses, "UPDATE uses SET frequency = ?2, last_access = ?3 WHERE id = ?1"),
	STATEMENT(delete_entry, "DELETE FROM entries WHERE id = ?1"),
	STATEMENT(delete_uses, "DELETE FROM uses WHERE id = ?1"),
	STATEMENT(find_order, "SELECT max(iif(name = 'order_ahead', value, NULL)),"
			      " max(iif(name = 'order_since', value, NULL)),"
			      " max(iif(name = 'order_latest', value, NULL)) FROM meta"),
	STATEMENT(save_order,
		  "INSERT INTO meta VALUES('order_ahead', ?1), ('order_since', ?2),"
		  " ('order_latest', ?3) ON CONFLICT(name) DO UPDATE SET value = excluded.value"
		  " WHERE name <> 'order_latest' OR excluded.value > value"),
	STATEMENT(add_use, "UPDATE uses SET frequency = frequency + ?3,"
			   " last_access = max(last_access, ?4) WHERE id = ?1 AND ns = ?2"),
	STATEMENT(data_version, "PRAGMA data_version"),
	STATEMENT(next_frequency,
		  "SELECT " USE_COLUMNS " FROM uses WHERE ns = ?1 AND frequency > ?2"
		  " ORDER BY frequency, last_access, id LIMIT 1"),
	STATEMENT(next_in_frequency,
		  "SELECT " USE_COLUMNS " FROM uses WHERE ns = ?1 AND frequency = ?2"
		  " AND (last_access, id) > (?3, ?4)"
		  " ORDER BY last_access, id LIMIT 1"),
	STATEMENT(next_fifo, "SELECT id, created FROM uses WHERE ns = ?1 AND fifo = 1"
			     " AND (created, id) > (?2, ?3) ORDER BY created, id LIMIT 1"),
	STATEMENT(next_idle, "SELECT id FROM uses INDEXED BY uses_idle WHERE ns = ?1 AND idle = 1"
			     " AND last_access <= ?2 ORDER BY last_access, id LIMIT ?3"),
	/* >= for the reason below. */
	STATEMENT(next_idle_namespace, "SELECT id FROM namespaces INDEXED BY namespaces_idle"
				       " WHERE id >= ?1 AND max_idle > 0 ORDER BY id LIMIT 1"),
	STATEMENT(find_name, "SELECT name FROM namespaces WHERE id = ?1"),
	/* The first bound is the one by which the index is entered; the one with 0 says that it may
	 * be used. The first is >=, because SQLite would otherwise compare it with that of the
	 * index and prepare the statement again whenever the parameter changes. */
	STATEMENT(find_expired, "SELECT id, ns, expires FROM entries INDEXED BY entries_expiry"
				" WHERE expires >= ?1 AND expires > 0 AND expires <= ?2"
				" ORDER BY expires, id LIMIT ?3"),
	/* The other entries of the same moment. */
	STATEMENT(find_expired_with, "SELECT id, ns, expires FROM entries INDEXED BY entries_expiry"
				     " WHERE expires = ?1 AND expires > 0 AND id > ?2"
				     " ORDER BY id LIMIT ?3"),
	STATEMENT(find_stale_ttl,
		  "SELECT stale_ttl FROM namespaces INDEXED BY namespaces_stale"
		  " WHERE stale_ttl >= ?1 AND stale_ttl > 0 ORDER BY stale_ttl LIMIT 1"),
	STATEMENT(find_prefix, "SELECT id FROM entries INDEXED BY entries_key"
			       " WHERE ns = ?1 AND ifnull(substr(key, 1, 64), x'') >= ?2"
			       " AND ifnull(substr(key, 1, 64), x'') < ?3 LIMIT ?4"),
	/* For a prefix beyond what the index has of a key. */
	STATEMENT(find_long_prefix,
		  "SELECT id, hash, substr(key, 1, length(?4)) = ?4 FROM entries"
		  " INDEXED BY entries_key"
		  " WHERE ns = ?1 AND ifnull(substr(key, 1, 64), x'') = ?2 AND hash >= ?3"
		  " ORDER BY hash LIMIT ?5"),
	STATEMENT(find_dropped, "SELECT id FROM dropped LIMIT 1"),
	STATEMENT(find_dropped_entries, "SELECT id FROM entries WHERE ns = ?1"),
	STATEMENT(forget_dropped, "DELETE FROM dropped WHERE id = ?1"),
	STATEMENT(probe, "UPDATE meta SET value = ?1 WHERE name = 'probe'"),
};
#define STATEMENTS (sizeof(texts) / sizeof(texts[0]))

static sqlite3_stmt **statement_at(struct statements *all, size_t i)
{
	return (sqlite3_stmt **)(void *)((char *)all + texts[i].offset);
}

int statements_prepare(struct statements *all, sqlite3 *db)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		*statement_at(all, i) = database_prepare_statement(db, texts[i].sql);
		if (!*statement_at(all, i))
			return database_error(db);
	}
	return SQLITE_OK;
}

void statements_finalize(struct statements *all)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		(void)sqlite3_finalize(*statement_at(all, i));
		*statement_at(all, i) = NULL;
	}
}
