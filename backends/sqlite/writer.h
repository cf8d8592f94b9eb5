/* The writer's state, for the files that run on its thread: writer.c, apply.c, evict.c. */
#ifndef STEADYCACHE_SQLITE_WRITER_H
#define STEADYCACHE_SQLITE_WRITER_H

#include "backends/sqlite/store.h"

/* Most entries that one transaction removes for one operation. An operation that has to remove more
 * goes on in the next group, so that no other waits long. */
#define REMOVALS_PER_GROUP 1000

/* A namespace as the running transaction sees it. Written back before the commit. */
struct ns_row {
	char name[NAMESPACE_MAX_LEN + 1];
	int64_t id;
	struct namespace_settings settings;
	int64_t entry_count, total_size, frequency_sum;
	int64_t created_us;
	bool dirty;
	struct counters *counters;
	/* What goes to the counters once the transaction is committed. */
	struct {
		uint64_t sets, deletes, evictions, expirations;
	} counted;
};

/* An entry found by find_entry. */
struct found_entry {
	int64_t id;
	int64_t expires_us;
	struct etag etag;
	int64_t size, frequency, created_us;
};

struct writer {
	struct sqlite_store *store;
	sqlite3 *db;
	/* Statements; see writer.c for their text. */
	sqlite3_stmt *begin, *commit, *rollback;
	sqlite3_stmt *find_namespace, *count_namespaces, *insert_namespace, *update_namespace,
		*configure_namespace, *take_namespace_id, *bump_namespace_id, *drop_namespace,
		*mark_fifo;
	sqlite3_stmt *find_slots, *find_uses, *insert_entry, *update_entry, *insert_uses,
		*update_uses, *delete_entry, *delete_uses;
	sqlite3_stmt *add_use, *next_frequency, *next_in_frequency, *next_fifo;
	sqlite3_stmt *find_expired, *find_prefix, *find_dropped, *find_dropped_entries,
		*forget_dropped, *probe;

	struct ns_row *rows; /* of the running transaction */
	size_t row_count, row_capacity;
	struct use *taken; /* uses folded by the running transaction, put back if it fails */
	size_t taken_count, taken_capacity;
	int64_t now_us; /* of the running transaction */
};

/* What became of an operation in the running transaction. */
enum applied {
	APPLIED,  /* op->status holds the outcome; complete it after the commit */
	CONTINUE, /* there is more to remove: again in the next group */
	FAILED,   /* SQLite refused; op->status holds why; the transaction must be rolled back */
};

/* ---- writer.c ---- */

/* The row of a namespace; SQLITE_OK and *ret NULL where there is none. */
int writer_find_row(struct writer *writer, struct slice name, struct ns_row **ret);
/* Remembers a use that was taken out of the waiting ones. */
bool writer_keep_taken(struct writer *writer, const struct use *use);
/* Writes one taken use to its entry. SQLITE_OK or an error. */
int writer_fold_use(struct writer *writer, const struct use *use);

/* ---- apply.c ---- */

enum applied apply_op(struct writer *writer, struct cache_op *op);
/* Removes one entry and its share of the row's accounts; *ret_removed false where it is gone
 * already. */
int apply_remove(struct writer *writer, struct ns_row *row, int64_t id, int64_t size,
		 int64_t frequency, bool *ret_removed);
/* Removes up to `max` expired entries of all namespaces. *ret_removed counts them. */
int apply_sweep(struct writer *writer, size_t max, size_t *ret_removed);
/* Removes up to `max` rows of cleared namespaces. */
int apply_sweep_dropped(struct writer *writer, size_t max);

/* ---- evict.c ---- */

/* What an eviction has to reach. */
struct eviction_goal {
	int64_t max_total_size; /* of the row; INT64_MAX: any */
	int64_t max_entry_count;
	int64_t *spared; /* ids that are never victims; writer_evict() sorts them */
	size_t spared_count;
};

/* Removes entries by the row's policy until the goal is reached (*ret_reached true), no victim is
 * left, or REMOVALS_PER_GROUP went (then *ret_more is true). */
int writer_evict(struct writer *writer, struct ns_row *row, const struct eviction_goal *goal,
		 bool *ret_reached, bool *ret_more);

#endif
