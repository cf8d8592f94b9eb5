/* The settings of the sqlite backend, besides those of every backend. */
#ifndef STEADYCACHE_SQLITE_SETTINGS_H
#define STEADYCACHE_SQLITE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/* backend_config.settings */
struct sqlite_settings {
	uint64_t cache_bytes; /* values kept in memory, including overhead; 0: none */
	const char *vfs;      /* for tests with a failing disk; NULL: SQLite's own */
	/* The file is a copy of a store that decides everything: SETs keep the times of their
	 * values, and their histories, which are of the order clock of that store (rows_follow); an
	 * item without a value changes only the history of its entry; no limit is applied, nothing
	 * expires by itself, and a GET finds expired entries too. */
	bool follows;
	unsigned group_max; /* for measurements: most operations of one commit; 0: chosen by the
			     * backend */
};

#endif
