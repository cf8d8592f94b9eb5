/* Lines of an export (docs/export-import.md) as the source of a migration: from a file, a pipe, or
 * what a server sends (server_source.h). One line is in memory at a time. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_LINE_SOURCE_H
#define STEADYCACHE_CLIENT_MIGRATE_LINE_SOURCE_H

#include "client/migrate/end.h"

enum line_places {
	LINE_PLACES_NONE,    /* a pipe */
	LINE_PLACES_OFFSETS, /* a file: bytes */
	LINE_PLACES_CURSORS, /* a server: its cursors */
};

/* Takes over `fd`. `name` and `selection` are the caller's. `place`: of an earlier source of the
 * same kind, or NULL; for cursors the caller has asked for what follows it. NULL on failure; `fd`
 * is then closed. */
struct migrate_source *line_source_open(int fd, const char *name, enum line_places places,
					const struct migrate_selection *selection,
					const char *place, struct migrate_failure *failure);

/* Opens the file, or the standard input for "-". */
struct migrate_source *line_source_open_file(const char *path,
					     const struct migrate_selection *selection,
					     const char *place, struct migrate_failure *failure);

/* The outcome of who feeds the descriptor, asked when it has ended; false with `failure`: the
 * lines broke off because of that. */
void line_source_on_end(struct migrate_source *source,
			bool (*ended)(void *user, struct migrate_failure *failure),
			void (*closed)(void *user), void *user);

/* Others write to where the lines come from: `look` (end.h) is asked, with the user of
 * line_source_on_end. */
void line_source_on_look(struct migrate_source *source,
			 bool (*look)(void *user, const struct migrate_batch *batch,
				      struct migrate_batch *ret, struct migrate_failure *failure));

#endif
