/* The state file of a migration: where it is, so that it can go on there after it was ended, in
 * whatever way. It is replaced as a whole, and only after what it says has been settled at the
 * sink. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_STATE_H
#define STEADYCACHE_CLIENT_MIGRATE_STATE_H

#include "client/migrate/end.h"

struct migrate_totals {
	uint64_t stored, kept, failed, gone, expired, history_lost;
	uint64_t changed;     /* at the source, time and again */
	uint64_t bytes;       /* of what was stored */
	uint64_t seen_bytes;  /* of everything, for the progress */
	uint64_t input_bytes; /* of a file */
};

struct migrate_state {
	const char *path;
	char *what;          /* which migration it is of: ends and selection, without secrets */
	struct buffer place; /* of the source, NUL-terminated; empty: the beginning */
	uint64_t sink_mark;
	struct migrate_totals totals;
	bool is_resumed; /* the file was there */
};

/* Reads the file if it is there. `what` is copied. False: it is of another migration, or no state
 * file. */
bool migrate_state_open(struct migrate_state *state, const char *path, const char *what,
			struct migrate_failure *failure);
/* Replaces the file. */
bool migrate_state_save(const struct migrate_state *state, struct migrate_failure *failure);
/* The migration is complete: removes the file. */
void migrate_state_remove(const struct migrate_state *state);
void migrate_state_close(struct migrate_state *state);

#endif
