#include "backends/sqlite/write/health.h"

#include <stdio.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/wal_index.h"
#include "backends/sqlite/read/readers.h"
#include "store/notice.h"

enum file_state health_look(struct health *health)
{
	struct wal_state now;

	if (health->log_index) {
		wal_index_read(health->log_index, &now);
		file_watch_check_log(&health->store->file, wal_index_frames(&now));
	}
	enum file_state state = file_watch_look(&health->store->file);
	if (state == FILES_IN_PLACE)
		health->log_is_saved = false;
	return state;
}

void health_save_log(struct health *health, enum file_state state)
{
	struct file_watch *watch = &health->store->file.watch;

	if (!health->log_is_saved && state != FILES_CUT && file_watch_shares_index(watch))
		health->log_is_saved = space_empty_log(&health->store->file);
}

void health_note_failure(struct health *health)
{
	char sentence[sizeof(health->store->file.path) + 200];

	if (health->told_failing)
		return;
	health->told_failing = true;
	database_explain(&health->store->file, health->db, health->failure, "cannot write",
			 sentence, sizeof(sentence));
	notice_send(&health->store->config, NOTICE_ERROR, "%s", sentence);
}

void health_note_success(struct health *health)
{
	if (health->told_failing)
		notice_send(&health->store->config, NOTICE_INFO, "writes to %s succeed again",
			    health->store->file.path);
	health->told_failing = false;
}

void health_complete_check(struct sqlite_store *store, struct cache_op *op,
			   enum cache_status status)
{
	enum file_state state = file_watch_state(&store->file.watch);
	const char *problem = state != FILES_IN_PLACE ? file_watch_text(state)
			      : readers_check(store->readers)
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
