/* The settings of the sqlite backend, besides those of every backend. */
#ifndef STEADYCACHE_SQLITE_SETTINGS_H
#define STEADYCACHE_SQLITE_SETTINGS_H

#include <stdint.h>

/* backend_config.settings */
struct sqlite_settings {
	uint64_t cache_bytes; /* values kept in memory, including overhead; 0: none */
	const char *vfs;      /* for tests with a failing disk; NULL: SQLite's own */
	unsigned group_max;   /* for measurements: most operations of one commit; 0: chosen by the
			       * backend */
};

#endif
