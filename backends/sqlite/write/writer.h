/* The writer's state, for the files that run on its thread: writer.c, transaction.c, statements.c,
 * entries.c, file_lock.c, order.c, sweep.c, set.c, apply.c, evict.c. */
#ifndef STEADYCACHE_SQLITE_WRITER_H
#define STEADYCACHE_SQLITE_WRITER_H

#include "backends/sqlite/store.h"
#include "backends/sqlite/write/heads.h"

/* Most entries that one transaction removes for one operation. An operation that has to remove more
 * goes on in the next group, so that no other waits long. */
#define REMOVALS_PER_GROUP 1000

/* Waiting uses that are written at once: keeps the cost of folding under 2 % of a core. */
#define FOLDED_AT_ONCE 256

/* A namespace as the running transaction sees it. Written back before the commit. */
struct ns_row {
	char name[NAMESPACE_MAX_LEN + 1];
	int64_t id;
	struct namespace_settings settings;
	int64_t entry_count, size_sum, frequency_sum;
	int64_t used_bytes; /* of cache_used_bytes() */
	int64_t created_us; /* or the earliest last access that an import brought along */
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
	int64_t size, used_bytes;
};

/* How far the sweep has come for one stale time (sweep.c). */
struct sweep_cursor {
	int64_t stale_ttl_s;
	/* What expired before, or then and has an id up to that, and has that stale time, is gone.
	 */
	int64_t swept_us, swept_id;
};

struct sweep {
	struct sweep_cursor *cursors;
	size_t count, capacity;
	int64_t next_ttl_s; /* the stale time after which the next step goes on */
	int64_t began_us;   /* when the cursors last began anew */
	unsigned steps;
	size_t arrived;       /* entries with an expiry that were stored since the last step */
	bool goes_on;         /* the last step has left something */
	int64_t next_step_us; /* monotonic: when it does; 0: at once */
};

/* How far one step of removing goes: until it has removed `max` entries, or its time is over and it
 * has removed `min`, and looked at one at least. */
struct sweep_step {
	size_t max, min;
	int64_t until_us; /* monotonic */
	size_t removed, looked_at;
};

struct group;

struct writer {
	struct sqlite_store *store;
	sqlite3 *db;
	struct group *group; /* of the operations under way (writer.c) */
	/* Statements; see statements.c for their text. */
	sqlite3_stmt *begin, *commit, *rollback;
	sqlite3_stmt *find_namespace, *count_namespaces, *insert_namespace, *update_namespace,
		*configure_namespace, *take_namespace_id, *bump_namespace_id, *drop_namespace,
		*mark_fifo;
	sqlite3_stmt *find_entry, *find_size, *find_frequency, *insert_entry, *update_entry,
		*insert_uses, *restart_uses, *delete_entry, *delete_uses;
	sqlite3_stmt *find_order, *save_order;
	sqlite3_stmt *add_use, *next_frequency, *next_in_frequency, *next_fifo, *data_version;
	sqlite3_stmt *find_name, *find_expired, *find_expired_with, *find_stale_ttl, *find_prefix,
		*find_long_prefix, *find_dropped, *find_dropped_entries, *forget_dropped, *probe;

	struct ns_row **rows; /* of the running transaction; behind them some that are free */
	size_t row_count, rows_made, row_capacity;
	struct use *taken; /* uses folded by the running transaction, put back if it fails */
	size_t taken_count, taken_capacity;
	struct use *given; /* uses that it counted, taken back if it fails */
	size_t given_count, given_capacity;
	int64_t now_us;   /* of the running transaction */
	int64_t order_us; /* the same by the order clock, and 1 more for each entry stored so far */
	int64_t order_began_us; /* without these */
	/* For order.c. */
	int64_t order_saved_us, order_used_us;
	/* For file_lock.c. */
	int64_t locked_since_us; /* monotonic; 0: nobody else holds the lock, as far as is known */
	bool locked_told;
	struct sweep sweep;
	struct heads_cache heads;

	/* For space.c. */
	size_t removals_max;   /* REMOVALS_PER_GROUP, or fewer where there is little room */
	size_t removed;        /* entries that the running transaction removed */
	bool log_is_copied;    /* all of it, with no commit since: the next begins it anew */
	bool deletes_securely; /* SQLite overwrites freed pages, unless told otherwise */

	/* Of what fails. */
	const volatile uint64_t *log_index; /* NULL: not mapped */
	unsigned faults;                    /* of the mapping, when the running transaction began */
	bool is_stuck;                      /* the last one could not be rolled back */
	int failure;       /* what SQLite said of the last transaction that failed */
	bool told_failing; /* that writes fail; until one succeeds */
	bool log_is_saved; /* since the files are not in their places: it is in the database */

	/* For the values in memory (values.h). */
	const volatile uint64_t *wal_index; /* NULL: not mapped, or nothing is cached */
	struct wal_state before;            /* the state that the running transaction began with */
	uint32_t commit_frames;             /* length of the log behind its commit; 0: none yet */
	struct values_change *changes;      /* entries that it changed */
	size_t change_count, change_capacity;
	bool changes_lost; /* there was no memory for one of them */
};

/* What became of an operation in the running transaction. */
enum applied {
	APPLIED,  /* op->status holds the outcome; complete it after the commit */
	CONTINUE, /* there is more to remove: again in the next group */
	FAILED,   /* SQLite refused; op->status holds why; the transaction must be rolled back */
};

/* ---- statements.c ---- */

/* SQLITE_OK, or why one of them cannot be prepared. */
int writer_prepare_statements(struct writer *writer);
void writer_finalize_statements(struct writer *writer);

/* ---- transaction.c ---- */

/* These give SQLITE_OK or an error; after one the transaction is to be rolled back. SQLITE_BUSY of
 * the first: another program holds the write lock, nothing has begun. It goes on with the
 * transaction that file_lock_take has begun. */
int writer_begin(struct writer *writer);
int writer_commit(struct writer *writer);
void writer_roll_back(struct writer *writer);

/* The row of a namespace; SQLITE_OK and *ret NULL where there is none. */
int writer_find_row(struct writer *writer, struct slice name, struct ns_row **ret);
/* The same for an id. */
int writer_find_row_by_id(struct writer *writer, int64_t id, struct ns_row **ret);
/* Writes a row before the commit does. */
int writer_write_row(struct writer *writer, const struct ns_row *row);
/* Remembers a use that was taken out of the waiting ones. */
bool writer_keep_taken(struct writer *writer, const struct use *use);
/* Remembers a use that was put among the waiting ones. */
bool writer_keep_given(struct writer *writer, const struct use *use);
/* Remembers that the entry of that hash is removed. */
void writer_note_removal(struct writer *writer, int64_t namespace_id, int64_t hash);
/* Remembers that entry `id` holds the value of `item` now, which stays until the commit. */
void writer_note_overwrite(struct writer *writer, int64_t namespace_id, int64_t id,
			   const struct cache_item *item);
/* Writes one taken use to its entry. SQLITE_OK or an error. */
int writer_fold_use(struct writer *writer, const struct use *use);
/* Writes some waiting uses, FOLDED_AT_ONCE at the most; *ret_more where others may still wait. */
int writer_fold_some(struct writer *writer, bool *ret_more);

/* ---- file_lock.c ---- */

/* Begins a transaction as soon as no other program holds the write lock. Operations of the queue
 * that have waited for that for long enough are answered meanwhile. False, and nothing has begun:
 * nobody waits any more, and the thread is to end. Where SQLite cannot begin for another reason:
 * true, and writer_begin tells it. */
bool file_lock_take(struct writer *writer);

/* ---- health.c ---- */

/* Whether the files are in their places and whole. With the write lock of the file. */
enum file_state health_look(struct writer *writer);
/* Brings what is in the log into the database, where `state` is that they are not. Without the
 * lock. */
void health_save_log(struct writer *writer, enum file_state state);
/* A transaction failed (writer->failure) or succeeded: one line for all that fail until one
 * succeeds. */
void health_note_failure(struct writer *writer);
void health_note_success(struct writer *writer);
/* Answers a health check whose probe was committed or not. */
void health_complete_check(struct sqlite_store *store, struct cache_op *op,
			   enum cache_status status);

/* ---- entries.c ---- */

/* The op's outcome is `status`; nothing was changed. */
enum applied applied_refuse(struct cache_op *op, enum cache_status status, const char *detail);
/* SQLite said `code`. */
enum applied applied_fail(struct writer *writer, struct cache_op *op, int code);

/* The entry of `key`, live or expired. SQLITE_OK or an error. */
int writer_find_entry(struct writer *writer, const struct ns_row *row, struct slice key,
		      bool *found, struct found_entry *ret);

static inline bool entry_is_live(const struct writer *writer, const struct found_entry *entry)
{
	return rules_is_live(entry->expires_us, writer->now_us);
}

/* The frequency of an entry, as it is written. */
int writer_find_frequency(struct writer *writer, int64_t id, bool *found, int64_t *ret);

/* Removes one entry and its share of the row's accounts; *ret_removed false where it is gone
 * already. */
int apply_remove(struct writer *writer, struct ns_row *row, int64_t id, bool *ret_removed);
/* Removes rows of cleared namespaces. */
int apply_sweep_dropped(struct writer *writer, struct sweep_step *step);

/* A new id for a namespace; ids are never used twice. */
int writer_take_namespace_id(struct writer *writer, int64_t *ret);
/* The row of the op's namespace, made where there is none. NULL: op->status holds why, *ret_applied
 * what to return. */
struct ns_row *writer_find_or_create_row(struct writer *writer, struct cache_op *op,
					 enum applied *ret_applied);

/* Limits as numbers to compare with; INT64_MAX: none. */
static inline int64_t row_size_limit(const struct ns_row *row)
{
	return row->settings.max_size_bytes ? (int64_t)row->settings.max_size_bytes : INT64_MAX;
}

/* What an eviction by size goes down to. */
static inline int64_t row_size_goal(const struct ns_row *row)
{
	return (int64_t)rules_low_water((uint64_t)row_size_limit(row));
}

static inline int64_t row_count_limit(const struct ns_row *row)
{
	return row->settings.capacity >= 0 ? row->settings.capacity : INT64_MAX;
}

static inline bool row_is_over_limit(const struct ns_row *row)
{
	return row->used_bytes > row_size_limit(row) || row->entry_count > row_count_limit(row);
}

/* ---- sweep.c ---- */

/* Removes up to `max` entries that have expired, of the namespaces without a stale time and of
 * those with `stale_ttl_s`, if their stale time is over. *ret_removed counts them. */
int apply_sweep(struct writer *writer, int64_t stale_ttl_s, size_t max, size_t *ret_removed);
/* One step of the housekeeping: what has expired, and rows of cleared namespaces. */
int sweep_run_step(struct writer *writer);
/* After a step that has left something: when the next one is due. */
void sweep_pace(struct writer *writer, bool others_write);
bool sweep_step_is_over(const struct sweep_step *step);
/* A stale time was changed, or a transaction rolled back: look at all that has expired once more.
 */
void sweep_anew(struct writer *writer);
/* An entry that expires then was stored; 0: never. */
void sweep_arrived(struct writer *writer, int64_t expires_us);
void sweep_deinit(struct writer *writer);

/* ---- set.c, apply.c ---- */

enum applied apply_set(struct writer *writer, struct cache_op *op);
/* Any operation. */
enum applied apply_op(struct writer *writer, struct cache_op *op);

/* ---- order.c ---- */

/* Takes the order clock up where the file has left it. SQLITE_OK or an error. */
int order_open(struct writer *writer);
/* With the housekeeping: another process may have gone on further. SQLITE_OK or an error. */
int order_follow(struct writer *writer);
/* Before a commit that changes something: writes the clock down, once a second, or if `at_once`.
 * SQLITE_OK or an error. */
int order_save(struct writer *writer, bool at_once);

/* ---- evict.c ---- */

/* What an eviction has to reach. */
struct eviction_goal {
	int64_t max_used_bytes; /* of the row; INT64_MAX: any */
	int64_t max_entry_count;
	int64_t until_us; /* monotonic: then it goes on in the next group; 0: when removals_max went
			   */
	int64_t *spared;  /* ids that are never victims; writer_evict() sorts them */
	size_t spared_count;
};

/* Removes entries by the row's policy until the goal is reached (*ret_reached true), no victim is
 * left, or the step is over (then *ret_more is true). */
int writer_evict(struct writer *writer, struct ns_row *row, const struct eviction_goal *goal,
		 bool *ret_reached, bool *ret_more);

#endif
