/* An export file as the sink of a migration: a file, or the standard output. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_LINE_SINK_H
#define STEADYCACHE_CLIENT_MIGRATE_LINE_SINK_H

#include "client/migrate/end.h"

/* `path`: "-" is the standard output; the caller's. An existing file is refused, unless it is empty
 * or `replaces`. `mark`, with `entries` before it, is where an earlier sink of this file stood: the
 * file goes on there; 0: it begins. `is_dry`: nothing is opened. NULL on failure. */
struct migrate_sink *line_sink_open(const char *path, bool replaces, bool is_dry, uint64_t mark,
				    uint64_t entries, struct migrate_failure *failure);

/* Appends the lines of the entries that are undecided. */
void line_sink_write_batch(struct buffer *out, const struct migrate_batch *batch);

#endif
