#include "backends/sqlite/file/space.h"

#include <stdio.h>
#include <string.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/growth.h"
#include "backends/sqlite/file/log_copy.h"
#include "backends/sqlite/file/volume.h"
#include "store/notice.h"

/* How often the background thread looks for room: every two seconds; less often, up to five
 * minutes, if room comes and goes. */
#define WAIT_TICKS     8
#define WAIT_TICKS_MAX 1200
#define TICK_US        INT64_C(250000)

static bool lacks_space(struct sqlite_file *file, int code)
{
	return code != SQLITE_OK && database_status(file->space.db, code) == CACHE_NO_SPACE;
}

void space_enter_low(struct sqlite_file *file)
{
	char log_path[LOG_PATH_SIZE];
	int64_t given_bytes = reserve_bytes(&file->space.reserve);

	atomic_store(&file->space.low, true);
	(void)reserve_give_up(&file->space.reserve);
	(void)log_copy_run(file, SQLITE_CHECKPOINT_RESTART);
	growth_stop(file);
	/* Removing must not need the room of what it removes: freed pages are not overwritten. */
	(void)sqlite3_exec(file->space.db, "PRAGMA secure_delete=FAST", NULL, NULL, NULL);
	/* Before somebody else takes it. */
	log_copy_path(file, log_path);
	volume_allocate(log_path, (given_bytes > 0 ? given_bytes : RESERVE_MIN_BYTES) / 2);
	notice_send(file->config, NOTICE_WARN,
		    "the volume of %s is full: what needs more room is refused; free space on it, "
		    "delete or clear entries, or lower a limit",
		    file->path);
}

static void leave_low(struct sqlite_file *file)
{
	atomic_store(&file->space.low, false);
	file->space.removals_max = REMOVALS_PER_GROUP;
	(void)sqlite3_exec(file->space.db,
			   file->space.deletes_securely ? "PRAGMA secure_delete=ON"
							: "PRAGMA secure_delete=OFF",
			   NULL, NULL, NULL);
	growth_set_lengths(file);
	growth_allow(file);
	notice_send(file->config, NOTICE_INFO, "there is room again on the volume of %s",
		    file->path);
}

void space_copy_log(struct sqlite_file *file)
{
	bool low = atomic_load(&file->space.low);
	int code = log_copy_run(file, SQLITE_CHECKPOINT_PASSIVE);

	if (low)
		return;
	if (lacks_space(file, code))
		space_enter_low(file);
	else if (code == SQLITE_OK)
		growth_allow(file);
}

bool space_empty_log(struct sqlite_file *file)
{
	return log_copy_run(file, SQLITE_CHECKPOINT_TRUNCATE) == SQLITE_OK;
}

void space_note_commit(struct sqlite_file *file, int wal_pages)
{
	atomic_store(&file->space.wal_pages, (unsigned)wal_pages);
	file->space.log_is_copied = false;
}

void space_signal(struct sqlite_file *file, enum space_signal signal)
{
	(void)atomic_fetch_or(&file->space.signals, (unsigned)signal);
}

void space_attend(struct sqlite_file *file)
{
	struct space *space = &file->space;

	if (atomic_load_explicit(&space->signals, memory_order_relaxed) == 0)
		return;
	unsigned signals = atomic_exchange(&space->signals, 0);
	if (atomic_load(&space->low)) {
		if (signals & SPACE_ROOM)
			leave_low(file);
	} else if (signals & (SPACE_NOT_COPIED | SPACE_RESERVE_LOST)) {
		space_enter_low(file);
	} else if (signals & SPACE_COPIED) {
		growth_allow(file);
	}
}

/* A temporary failure is retried at every look (space_watch), and reported once. */
static enum reserve_result make_reserve(struct sqlite_file *file)
{
	struct space *space = &file->space;
	enum reserve_result result = reserve_make(&space->reserve);
	bool fails = result == RESERVE_FAILED;

	if (atomic_exchange(&space->failing, fails) != fails) {
		if (fails)
			notice_send(file->config, NOTICE_WARN,
				    "no space can be reserved beside %s now: %s; it is tried again",
				    file->path, strerror(space->reserve.error));
		else
			notice_send(file->config, NOTICE_INFO, "space is reserved beside %s again",
				    file->path);
	}
	return result;
}

void space_watch(struct sqlite_file *file)
{
	struct space *space = &file->space;
	bool low = atomic_load(&space->low);
	bool impossible = atomic_load(&space->impossible);

	if (!low) {
		if (!impossible && !reserve_stands(&space->reserve))
			space_signal(file, make_reserve(file) == RESERVE_NO_ROOM
						   ? SPACE_RESERVE_LOST
						   : SPACE_COPIED);
		return;
	}
	if (++space->ticks < space->wait_ticks)
		return;
	space->ticks = 0;
	if (impossible) {
		int64_t available = volume_available(file->path);

		if (available >= 0 && available < 2 * RESERVE_MIN_BYTES)
			return;
	} else {
		enum reserve_result result = make_reserve(file);

		if (result == RESERVE_NO_ROOM || result == RESERVE_FAILED)
			return;
	}
	/* If statvfs promises room that a quota or the like then refuses, this would repeat for
	 * ever. */
	int64_t now_us = monotonic_now_us();
	bool again = space->left_us != 0 &&
		     now_us - space->left_us < 60 * US_PER_S + 2 * TICK_US * space->wait_ticks;
	space->wait_ticks = again ? space->wait_ticks * 2 : WAIT_TICKS;
	if (space->wait_ticks > WAIT_TICKS_MAX)
		space->wait_ticks = WAIT_TICKS_MAX;
	space->left_us = now_us;
	space_signal(file, SPACE_ROOM);
}

/* ---- Open and close ---- */

void space_init(struct sqlite_file *file, void (*release_readers)(void *user), void *user)
{
	file->space = (struct space){
		.release_readers = release_readers,
		.user = user,
		.wait_ticks = WAIT_TICKS,
	};
	(void)pthread_mutex_init(&file->space.copy_lock, NULL);
	reserve_init(&file->space.reserve, file->path);
}

void space_deinit(struct sqlite_file *file)
{
	reserve_deinit(&file->space.reserve);
	(void)pthread_mutex_destroy(&file->space.copy_lock);
}

int space_open(struct sqlite_file *file, sqlite3 *db)
{
	int64_t secure_delete = 0;
	int code = database_ask(db, "PRAGMA page_size", &file->space.page_bytes);

	if (code == SQLITE_ROW)
		code = database_ask(db, "PRAGMA secure_delete", &secure_delete);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? SQLITE_ERROR : code;
	file->space.db = db;
	enum reserve_result result = reserve_make(&file->space.reserve);
	file->space.deletes_securely = secure_delete == 1;
	file->space.removals_max = REMOVALS_PER_GROUP;
	if (result == RESERVE_IMPOSSIBLE) {
		atomic_store(&file->space.impossible, true);
		notice_send(file->config, NOTICE_INFO,
			    "no space can be reserved beside %s: on a full volume nothing could be "
			    "deleted",
			    file->path);
	}
	growth_set_lengths(file);
	if (result == RESERVE_NO_ROOM)
		space_enter_low(file);
	else
		growth_allow(file);
	return SQLITE_OK;
}

void space_close(struct sqlite_file *file)
{
	if (atomic_load(&file->space.low) && !atomic_load(&file->space.impossible)) {
		file->space.reserve.former_bytes = 0;
		(void)reserve_make(&file->space.reserve);
	}
}
