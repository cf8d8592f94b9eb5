/* What the writer finds out about its files and its disk, and tells.
 *
 * Where a file was removed or replaced, what is in the log was acknowledged, and only the database
 * may be found again: so the log is copied there, once, and an empty log is no harm to whatever
 * database lies at the path now. Not where another process has begun with an index of its own,
 * whose locks are others than ours. */
#include <stdio.h>

#include "backends/sqlite/write/writer.h"

enum file_state health_look(struct writer *writer)
{
	struct wal_state now;

	if (writer->log_index) {
		wal_index_read(writer->log_index, &now);
		file_watch_check_log(writer->store, wal_state_frames(&now));
	}
	enum file_state state = file_watch_look(writer->store);
	if (state == FILES_IN_PLACE)
		writer->log_is_saved = false;
	return state;
}

void health_save_log(struct writer *writer, enum file_state state)
{
	struct file_watch *watch = &writer->store->watch;

	if (!writer->log_is_saved && state != FILES_CUT && file_watch_shares_index(watch))
		writer->log_is_saved = space_empty_log(writer);
}

void health_note_failure(struct writer *writer)
{
	char sentence[sizeof(writer->store->path) + 200];

	if (writer->told_failing)
		return;
	writer->told_failing = true;
	database_explain(writer->store, writer->db, writer->failure, "cannot write", sentence,
			 sizeof(sentence));
	store_notice(writer->store, NOTICE_ERROR, "%s", sentence);
}

void health_note_success(struct writer *writer)
{
	if (writer->told_failing)
		store_notice(writer->store, NOTICE_INFO, "writes to %s succeed again",
			     writer->store->path);
	writer->told_failing = false;
}

void health_complete_check(struct sqlite_store *store, struct cache_op *op,
			   enum cache_status status)
{
	enum file_state state = file_watch_state(&store->watch);
	const char *problem = state != FILES_IN_PLACE ? file_watch_text(state)
			      : readers_check(store)
				      ? ""
				      : "not all connections can be opened: look at the "
					"log";

	op->checks[0] = (struct cache_health_check){.name = "database", .ok = problem[0] == '\0'};
	op->checks[1] = (struct cache_health_check){.name = "disk", .ok = status == CACHE_OK};
	(void)snprintf(op->checks[0].detail, sizeof(op->checks[0].detail), "%s", problem);
	if (status != CACHE_OK)
		(void)snprintf(op->checks[1].detail, sizeof(op->checks[1].detail), "%s",
			       op->detail ? op->detail : cache_status_text(status));
	op->check_count = state == FILES_IN_PLACE ? 2 : 1; /* nothing was written */
	cache_op_complete(op, CACHE_OK);
}
