/* The statements that the writer runs; statements.c has their text. */
#ifndef STEADYCACHE_SQLITE_STATEMENTS_H
#define STEADYCACHE_SQLITE_STATEMENTS_H

#include <sqlite3.h>

/* A zeroed one has none. */
struct statements {
	sqlite3_stmt *begin, *commit, *rollback;
	sqlite3_stmt *find_namespace, *count_namespaces, *insert_namespace, *update_namespace,
		*configure_namespace, *take_namespace_id, *bump_namespace_id, *drop_namespace,
		*mark_fifo, *mark_idle, *delete_namespace;
	sqlite3_stmt *find_entry, *find_key, *find_size, *find_history, *find_access, *insert_entry,
		*update_entry, *set_expiry, *insert_uses, *restart_uses, *move_uses, *update_hinted,
		*move_uses_hinted, *delete_entry, *delete_uses;
	sqlite3_stmt *find_order, *save_order;
	sqlite3_stmt *add_use, *next_frequency, *next_in_frequency, *next_fifo, *next_idle,
		*next_idle_namespace, *data_version;
	sqlite3_stmt *find_name, *find_expired, *find_expired_with, *find_stale_ttl, *find_prefix,
		*find_long_prefix, *find_dropped, *find_dropped_entries, *forget_dropped, *probe;
	/* Each member needs a text: all are prepared. */
};

/* Prepares all. SQLITE_OK, or why one of them cannot be prepared; those before it are. */
int statements_prepare(struct statements *all, sqlite3 *db);
/* Finalizes those that are prepared. */
void statements_finalize(struct statements *all);

#endif
