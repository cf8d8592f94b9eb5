#include "backends/sqlite/file/space.h"

#include <stdio.h>
#include <string.h>

#include "backends/sqlite/write/writer.h"

/* On an ordinary volume; a small one has shorter logs. */
#define SOFT_PAGES 2000
#define HARD_PAGES 16384
/* Beyond the values: rows, indexes, the log's own headers. */
#define ITEM_EXTRA_BYTES 512
/* Pages that what removes may take on a full volume, where a page of an index has to be split. */
#define SLACK_PAGES   INT64_C(16)
#define LOG_PATH_SIZE (sizeof(((struct sqlite_store *)NULL)->path) + 8)
#define NO_LIMIT      INT64_C(0xFFFFFFFE)

/* How long the log may be waited for. */
#define COPY_TIMEOUT_MS 1000

/* How often the background thread looks for room: every two seconds; less often, up to five
 * minutes, where it comes and goes. */
#define WAIT_TICKS     8
#define WAIT_TICKS_MAX 1200
#define TICK_US        INT64_C(250000)

static bool lacks_space(struct writer *writer, int code)
{
	return code != SQLITE_OK && database_status(writer->db, code) == CACHE_NO_SPACE;
}

/* ---- The bound on the database's growth ---- */

/* The result is the limit in force: never less than the pages that there are; 0: it could not be
 * set, and is what it was. */
static int64_t set_page_limit(struct writer *writer, int64_t pages)
{
	char sql[64];

	(void)snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%lld",
		       (long long)(pages < NO_LIMIT ? pages : NO_LIMIT));
	int64_t limit = 0;
	(void)database_ask(writer->db, sql, &limit);
	return limit;
}

/* Pages that the database file holds, without those that only the log has; -1: unknown. */
static int64_t file_pages(struct writer *writer)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 bytes = 0;

	if (sqlite3_file_control(writer->db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file) !=
		    SQLITE_OK ||
	    !file || !file->pMethods || file->pMethods->xFileSize(file, &bytes) != SQLITE_OK)
		return -1;
	return bytes / writer->store->space.page_bytes;
}

/* Lets the database grow by what the reserve covers; some of it is for the file system's own
 * records. A reader who keeps the log from being copied, as a backup may for long, must not stop
 * the writing where there is room enough. */
static void allow_growth(struct writer *writer)
{
	struct space *space = &writer->store->space;
	int64_t covered_bytes = reserve_bytes(&space->reserve) / 16 * 15;
	int64_t covered = covered_bytes / space->page_bytes;

	if (covered == 0) {
		(void)set_page_limit(writer, NO_LIMIT);
		return;
	}
	int64_t copied = file_pages(writer);
	int64_t pages = 0;
	if (copied < 0 || database_ask(writer->db, "PRAGMA page_count", &pages) != SQLITE_ROW)
		return; /* the next copy of the log comes by */
	int64_t limit = copied + covered;
	if (limit - pages < covered / 2 &&
	    volume_available(writer->store->path) >=
		    (pages - copied) * space->page_bytes + 4 * covered_bytes)
		limit = pages + covered;
	(void)set_page_limit(writer, limit);
}

static void stop_growth(struct writer *writer)
{
	(void)set_page_limit(writer, 1);
}

static int lesser(int64_t pages, int most)
{
	return pages < most ? (int)pages : most;
}

/* The lengths that go with the reserve there is. */
static void set_lengths(struct writer *writer)
{
	struct space *space = &writer->store->space;
	int64_t bytes = reserve_bytes(&space->reserve);
	char sql[64];

	if (bytes == 0 && atomic_load(&space->impossible))
		bytes = RESERVE_MAX_BYTES;
	else if (bytes < RESERVE_MIN_BYTES)
		bytes = RESERVE_MIN_BYTES;
	atomic_store(&space->soft_pages, lesser(bytes / 4 / space->page_bytes, SOFT_PAGES));
	atomic_store(&space->hard_pages, lesser(bytes / space->page_bytes, HARD_PAGES));
	space->group_bytes = bytes / 4;
	/* What an op too large for the volume left behind in the file of the log. */
	(void)snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit=%lld", (long long)bytes);
	(void)sqlite3_exec(writer->db, sql, NULL, NULL, NULL);
}

/* ---- Copying the log ---- */

/* RESTART waits for readers of the log, of other processes too, so that it begins anew. Those of
 * servers end within a quarter of a second. */
static int copy_log(struct writer *writer, int mode)
{
	struct sqlite_store *store = writer->store;
	int log_pages = 0;
	int copied_pages = 0;

	(void)pthread_mutex_lock(&store->space.copy_lock);
	(void)sqlite3_busy_timeout(writer->db, COPY_TIMEOUT_MS);
	readers_release(store);
	int code = sqlite3_wal_checkpoint_v2(writer->db, NULL, mode, &log_pages, &copied_pages);
	/* Those that began meanwhile. */
	readers_release(store);
	(void)sqlite3_busy_timeout(writer->db, 0);
	(void)pthread_mutex_unlock(&store->space.copy_lock);
	writer->log_is_copied = code == SQLITE_OK && copied_pages == log_pages;
	return code;
}

/* ---- The two states ---- */

static void write_log_path(const struct sqlite_store *store, char ret[LOG_PATH_SIZE])
{
	(void)snprintf(ret, LOG_PATH_SIZE, "%s-wal", store->path);
}

static void enter_low(struct writer *writer)
{
	struct sqlite_store *store = writer->store;
	char log_path[LOG_PATH_SIZE];
	int64_t given_bytes = reserve_bytes(&store->space.reserve);

	atomic_store(&store->space.low, true);
	(void)reserve_give_up(&store->space.reserve);
	(void)copy_log(writer, SQLITE_CHECKPOINT_RESTART);
	stop_growth(writer);
	/* Removing must not need the room of what it removes: freed pages are not overwritten. */
	(void)sqlite3_exec(writer->db, "PRAGMA secure_delete=FAST", NULL, NULL, NULL);
	/* Before somebody else takes it. */
	write_log_path(store, log_path);
	reserve_for_file(log_path, (given_bytes > 0 ? given_bytes : RESERVE_MIN_BYTES) / 2);
	store_notice(store, NOTICE_WARN,
		     "the volume of %s is full: what needs more room is refused; free space on it, "
		     "delete or clear entries, or lower a limit",
		     store->path);
}

static void leave_low(struct writer *writer)
{
	struct sqlite_store *store = writer->store;

	atomic_store(&store->space.low, false);
	writer->removals_max = REMOVALS_PER_GROUP;
	(void)sqlite3_exec(writer->db,
			   writer->deletes_securely ? "PRAGMA secure_delete=ON"
						    : "PRAGMA secure_delete=OFF",
			   NULL, NULL, NULL);
	set_lengths(writer);
	allow_growth(writer);
	store_notice(store, NOTICE_INFO, "there is room again on the volume of %s", store->path);
}

void space_copy_log(struct writer *writer)
{
	bool low = atomic_load(&writer->store->space.low);
	int code = copy_log(writer, SQLITE_CHECKPOINT_PASSIVE);

	if (low)
		return;
	if (lacks_space(writer, code))
		enter_low(writer);
	else if (code == SQLITE_OK)
		allow_growth(writer);
}

bool space_empty_log(struct writer *writer)
{
	return copy_log(writer, SQLITE_CHECKPOINT_TRUNCATE) == SQLITE_OK;
}

void space_signal(struct sqlite_store *store, enum space_signal signal)
{
	(void)atomic_fetch_or(&store->space.signals, (unsigned)signal);
}

void space_attend(struct writer *writer)
{
	struct space *space = &writer->store->space;

	if (atomic_load_explicit(&space->signals, memory_order_relaxed) == 0)
		return;
	unsigned signals = atomic_exchange(&space->signals, 0);
	if (atomic_load(&space->low)) {
		if (signals & SPACE_ROOM)
			leave_low(writer);
	} else if (signals & (SPACE_NOT_COPIED | SPACE_RESERVE_LOST)) {
		enter_low(writer);
	} else if (signals & SPACE_COPIED) {
		allow_growth(writer);
	}
}

/* What fails for now is tried again by every look (space_watch), and told once. */
static enum reserve_result make_reserve(struct sqlite_store *store)
{
	struct space *space = &store->space;
	enum reserve_result result = reserve_make(&space->reserve);
	bool fails = result == RESERVE_FAILED;

	if (atomic_exchange(&space->failing, fails) != fails) {
		if (fails)
			store_notice(
				store, NOTICE_WARN,
				"no space can be reserved beside %s now: %s; it is tried again",
				store->path, strerror(space->reserve.error));
		else
			store_notice(store, NOTICE_INFO, "space is reserved beside %s again",
				     store->path);
	}
	return result;
}

void space_watch(struct sqlite_store *store)
{
	struct space *space = &store->space;
	bool low = atomic_load(&space->low);
	bool impossible = atomic_load(&space->impossible);

	if (!low) {
		if (!impossible && !reserve_stands(&space->reserve))
			space_signal(store, make_reserve(store) == RESERVE_NO_ROOM
						    ? SPACE_RESERVE_LOST
						    : SPACE_COPIED);
		return;
	}
	if (++space->ticks < space->wait_ticks)
		return;
	space->ticks = 0;
	if (impossible) {
		int64_t available = volume_available(store->path);

		if (available >= 0 && available < 2 * RESERVE_MIN_BYTES)
			return;
	} else {
		enum reserve_result result = make_reserve(store);

		if (result == RESERVE_NO_ROOM || result == RESERVE_FAILED)
			return;
	}
	/* Where statvfs promises what a quota or the like then refuses, this would go on and on. */
	int64_t now_us = monotonic_now_us();
	bool again = space->left_us != 0 &&
		     now_us - space->left_us < 60 * US_PER_S + 2 * TICK_US * space->wait_ticks;
	space->wait_ticks = again ? space->wait_ticks * 2 : WAIT_TICKS;
	if (space->wait_ticks > WAIT_TICKS_MAX)
		space->wait_ticks = WAIT_TICKS_MAX;
	space->left_us = now_us;
	space_signal(store, SPACE_ROOM);
	writer_tick(store);
}

/* ---- One transaction that found no room ---- */

int64_t space_bytes_of(const struct cache_op *op)
{
	int64_t bytes = 0;

	if (op->type != CACHE_OP_SET)
		return 0;
	for (size_t i = 0; i < op->item_count; i++)
		bytes += (int64_t)(cache_value_bytes(op->items[i].value).len +
				   op->items[i].key.len + ITEM_EXTRA_BYTES);
	return bytes;
}

/* Makes a large op possible, if the volume has room for it twice, in the log and where that is
 * copied, or else if it fits into free pages of the database and into a log with the reserve's
 * blocks. */
static bool allow_large(struct writer *writer, int64_t bytes)
{
	struct sqlite_store *store = writer->store;
	int64_t page_bytes = store->space.page_bytes;
	int64_t needed = bytes + bytes / 32 + SLACK_PAGES * page_bytes;
	int64_t available = volume_available(store->path);
	int64_t reserved = reserve_bytes(&store->space.reserve) / 16 * 15;
	char log_path[LOG_PATH_SIZE];

	int64_t copied = file_pages(writer);
	if (copied >= 0 && (available < 0 || available + reserved >= 2 * needed)) {
		(void)set_page_limit(writer, copied + needed / page_bytes);
		return true;
	}
	write_log_path(store, log_path);
	int64_t free_pages = 0;
	if (database_ask(writer->db, "PRAGMA freelist_count", &free_pages) != SQLITE_ROW ||
	    free_pages * page_bytes < needed ||
	    available + reserved + allocated_bytes(log_path) < needed)
		return false;
	enter_low(writer);
	return true;
}

/* In the ordinary state. */
static bool try_with_reserve(struct writer *writer, const struct cache_op *op,
			     enum space_scope scope, struct space_tries *tries)
{
	int64_t reserve = reserve_bytes(&writer->store->space.reserve);
	int64_t bytes = op ? space_bytes_of(op) : 0;

	if (!tries->copied) { /* perhaps it had only grown up to its bound */
		tries->copied = true;
		if (!writer->log_is_copied) {
			space_copy_log(writer);
			return true;
		}
	}
	if (scope == SPACE_GROUP || tries->large)
		return false;
	if (reserve > 0 && bytes > reserve / 2) {
		tries->large = true;
		return allow_large(writer, bytes);
	}
	enter_low(writer);
	return true;
}

/* In the state without. */
static bool try_without(struct writer *writer, const struct cache_op *op, struct space_tries *tries)
{
	struct space *space = &writer->store->space;

	if (!writer->log_is_copied && !tries->copied) {
		tries->copied = true;
		(void)reserve_give_up(&space->reserve); /* another process may have made it */
		(void)copy_log(writer, SQLITE_CHECKPOINT_RESTART);
		stop_growth(writer); /* where it has pages that another process made */
		return true;
	}
	/* Smaller steps need less of the log. */
	if (writer->removed > 1 && writer->removals_max > 1 &&
	    (!op || op->type != CACHE_OP_DELETE)) {
		size_t fewer = writer->removed / 4;

		if (fewer < writer->removals_max)
			writer->removals_max = fewer > 0 ? fewer : 1;
		else
			writer->removals_max /= 2;
		tries->copied = false;
		return true;
	}
	if ((!op || op->type != CACHE_OP_SET) && !tries->grown) {
		tries->grown = true;
		if (volume_available(writer->store->path) < 4 * SLACK_PAGES * space->page_bytes)
			return false;
		(void)set_page_limit(writer, set_page_limit(writer, 1) + SLACK_PAGES);
		return true;
	}
	return false;
}

bool space_try_again(struct writer *writer, const struct cache_op *op, enum space_scope scope,
		     struct space_tries *tries)
{
	if (!atomic_load(&writer->store->space.low))
		return try_with_reserve(writer, op, scope, tries);
	if (scope == SPACE_GROUP && (tries->copied || writer->log_is_copied))
		return false;
	return try_without(writer, op, tries);
}

void space_settle(struct writer *writer, const struct space_tries *tries)
{
	if (atomic_load(&writer->store->space.low)) {
		if (tries->grown)
			stop_growth(writer);
	} else if (tries->large) {
		/* At once, as the reserve may not cover it. */
		space_copy_log(writer);
	}
}

/* ---- Open and close ---- */

void space_init(struct sqlite_store *store)
{
	store->space = (struct space){.wait_ticks = WAIT_TICKS};
	(void)pthread_mutex_init(&store->space.copy_lock, NULL);
	reserve_init(&store->space.reserve, store->path);
}

void space_deinit(struct sqlite_store *store)
{
	reserve_deinit(&store->space.reserve);
	(void)pthread_mutex_destroy(&store->space.copy_lock);
}

int space_open(struct writer *writer)
{
	struct sqlite_store *store = writer->store;
	int64_t secure_delete = 0;
	int code = database_ask(writer->db, "PRAGMA page_size", &store->space.page_bytes);

	if (code == SQLITE_ROW)
		code = database_ask(writer->db, "PRAGMA secure_delete", &secure_delete);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? SQLITE_ERROR : code;
	enum reserve_result result = reserve_make(&store->space.reserve);
	writer->deletes_securely = secure_delete == 1;
	writer->removals_max = REMOVALS_PER_GROUP;
	if (result == RESERVE_IMPOSSIBLE) {
		atomic_store(&store->space.impossible, true);
		store_notice(
			store, NOTICE_INFO,
			"no space can be reserved beside %s: on a full volume nothing could be "
			"deleted",
			store->path);
	}
	set_lengths(writer);
	if (result == RESERVE_NO_ROOM)
		enter_low(writer);
	else
		allow_growth(writer);
	return SQLITE_OK;
}

void space_close(struct sqlite_store *store)
{
	if (atomic_load(&store->space.low) && !atomic_load(&store->space.impossible)) {
		store->space.reserve.former_bytes = 0;
		(void)reserve_make(&store->space.reserve);
	}
}
