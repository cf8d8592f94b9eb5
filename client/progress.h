/* A progress line on a terminal's stderr for an export or import; silent elsewhere. */
#ifndef STEADYCACHE_CLIENT_PROGRESS_H
#define STEADYCACHE_CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool shown;
	bool bytes_only; /* set it after the start: the line leaves out entries */
	uint64_t bytes, entries;
	uint64_t total_bytes; /* 0: unknown */
	int64_t started_ms, drawn_ms;
};

void progress_start(struct progress *progress, bool quiet, uint64_t total_bytes);
/* Draws at most ten times a second. */
void progress_add(struct progress *progress, uint64_t bytes, uint64_t entries);
/* Erases the line. */
void progress_end(struct progress *progress);

#endif
