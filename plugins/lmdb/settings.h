/* The settings of the driver: "max_size_mb=N", several joined by "&". */
#ifndef STEADYCACHE_PLUGIN_LMDB_SETTINGS_H
#define STEADYCACHE_PLUGIN_LMDB_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LMDB_MIN_SIZE_MB 16

struct lmdb_settings {
	uint64_t max_size_bytes; /* UINT64_MAX: no limit but the disk */
};

/* Reads `text` (NULL: nothing is set). On failure one sentence in `error`. */
bool lmdb_settings_read(const char *text, struct lmdb_settings *ret, char *error,
			size_t error_size);

#endif
