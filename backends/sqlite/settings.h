/* What the sqlite backend is told beside what every backend is. */
#ifndef STEADYCACHE_SQLITE_SETTINGS_H
#define STEADYCACHE_SQLITE_SETTINGS_H

#include <stdint.h>

/* backend_config.settings */
struct sqlite_settings {
	uint64_t cache_bytes; /* values kept in memory, overhead included; 0: none */
	const char *vfs;      /* for tests with a failing disk; NULL: SQLite's own */
	unsigned group_max;   /* for measurements: most operations of one commit; 0: chosen by the
			       * backend */
};

#endif
