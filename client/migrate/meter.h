/* The progress of a migration: one line on a terminal, redrawn, with rate and time left; elsewhere
 * a line of its own now and then. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_METER_H
#define STEADYCACHE_CLIENT_MIGRATE_METER_H

#include "client/migrate/state.h"

struct meter {
	const char *verb;
	bool is_quiet, is_terminal;
	uint64_t entries, bytes; /* since the start */
	uint64_t total_entries,
		total_bytes; /* what there was to be done at the start; 0: unknown */
	int64_t started_us, shown_us;
};

/* `totals` are those of an earlier run that is continued. */
void meter_start(struct meter *meter, const char *verb, bool is_quiet,
		 const struct migrate_source *source, const struct migrate_totals *totals);
void meter_add(struct meter *meter, uint64_t entries, uint64_t bytes);
/* Shows it if it is time to. */
void meter_show(struct meter *meter, const struct migrate_totals *totals);
/* Erases the line. */
void meter_end(struct meter *meter);

#endif
