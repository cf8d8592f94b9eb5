#include "backends/sqlite/file/space_tries.h"

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/growth.h"
#include "backends/sqlite/file/log_copy.h"
#include "backends/sqlite/file/volume.h"

/* Besides the values: rows, indexes, the log's own headers. */
#define ITEM_EXTRA_BYTES 512
/* Pages that a removal may take on a full volume, if a page of an index has to be split. */
#define SLACK_PAGES INT64_C(16)

int64_t space_tries_bytes_of(const struct cache_op *op)
{
	int64_t bytes = 0;

	if (op->type != CACHE_OP_SET)
		return 0;
	for (size_t i = 0; i < op->item_count; i++)
		/* In a copy of another store an item may have no value (settings.h: follows). */
		bytes += (int64_t)((op->items[i].value ? op->items[i].value->len_bytes : 0) +
				   op->items[i].key.len + ITEM_EXTRA_BYTES);
	return bytes;
}

/* Makes a large op possible, if the volume has room for it twice, in the log and where that is
 * copied, or else if it fits into free pages of the database and into a log with the reserve's
 * blocks. */
static bool allow_large(struct sqlite_file *file, int64_t bytes)
{
	int64_t page_bytes = file->space.page_bytes;
	int64_t needed = bytes + bytes / 32 + SLACK_PAGES * page_bytes;
	int64_t available = volume_available(file->path);
	int64_t reserved = reserve_bytes(&file->space.reserve) / 16 * 15;
	char log_path[LOG_PATH_SIZE];

	int64_t copied = growth_file_pages(file);
	if (copied >= 0 && (available < 0 || available + reserved >= 2 * needed)) {
		(void)growth_set_limit(file, copied + needed / page_bytes);
		return true;
	}
	log_copy_path(file, log_path);
	int64_t free_pages = 0;
	if (database_ask(file->space.db, "PRAGMA freelist_count", &free_pages) != SQLITE_ROW ||
	    free_pages * page_bytes < needed ||
	    available + reserved + volume_allocated(log_path) < needed)
		return false;
	space_enter_low(file);
	return true;
}

/* In the ordinary state. */
static bool try_with_reserve(struct sqlite_file *file, struct space_tries *tries)
{
	int64_t reserve = reserve_bytes(&file->space.reserve);
	int64_t bytes = tries->op ? space_tries_bytes_of(tries->op) : 0;

	if (!tries->copied) { /* perhaps it had only grown up to its limit */
		tries->copied = true;
		if (!file->space.log_is_copied) {
			space_copy_log(file);
			return true;
		}
	}
	if (tries->scope == SPACE_GROUP || tries->large)
		return false;
	if (reserve > 0 && bytes > reserve / 2) {
		tries->large = true;
		return allow_large(file, bytes);
	}
	space_enter_low(file);
	return true;
}

/* In the state without a reserve. */
static bool try_without(struct sqlite_file *file, struct space_tries *tries, size_t removed)
{
	struct space *space = &file->space;
	const struct cache_op *op = tries->op;

	if (!space->log_is_copied && !tries->copied) {
		tries->copied = true;
		(void)reserve_give_up(&space->reserve); /* another process may have made it */
		(void)log_copy_run(file, SQLITE_CHECKPOINT_RESTART);
		growth_stop(file); /* if it has pages that another process made */
		return true;
	}
	/* Smaller steps need less of the log. */
	if (removed > 1 && space->removals_max > 1 && (!op || op->type != CACHE_OP_DELETE)) {
		size_t fewer = removed / 4;

		if (fewer < space->removals_max)
			space->removals_max = fewer > 0 ? fewer : 1;
		else
			space->removals_max /= 2;
		tries->copied = false;
		return true;
	}
	if ((!op || op->type != CACHE_OP_SET) && !tries->grown) {
		tries->grown = true;
		if (volume_available(file->path) < 4 * SLACK_PAGES * space->page_bytes)
			return false;
		(void)growth_set_limit(file, growth_set_limit(file, 1) + SLACK_PAGES);
		return true;
	}
	return false;
}

bool space_tries_go_on(struct sqlite_file *file, struct space_tries *tries, size_t removed)
{
	if (!atomic_load(&file->space.low))
		return try_with_reserve(file, tries);
	if (tries->scope == SPACE_GROUP && (tries->copied || file->space.log_is_copied))
		return false;
	return try_without(file, tries, removed);
}

void space_tries_settle(struct sqlite_file *file, const struct space_tries *tries)
{
	if (atomic_load(&file->space.low)) {
		if (tries->grown)
			growth_stop(file);
	} else if (tries->large) {
		/* At once, because the reserve may not cover it. */
		space_copy_log(file);
	}
}
