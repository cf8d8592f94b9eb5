/* How far an export has come, and the cursors that say so. */
#ifndef STEADYCACHE_HANDLERS_EXPORT_PLACE_H
#define STEADYCACHE_HANDLERS_EXPORT_PLACE_H

#include "handlers/respond/cursor.h"
#include "store/backend.h"

/* How far an export has come: behind `key` of `ns`. */
struct export_place {
	char ns[NAMESPACE_MAX_LEN + 1]; /* empty: at the beginning */
	char *key;                      /* malloc'ed */
	size_t key_len;
	/* Where the backend's order does not outlive its process: when that began; else 0. */
	int64_t process_us;
};

/* Moves it. False: out of memory, and it is where it was. */
bool export_place_set(struct export_place *place, const char *ns, struct slice key);
void export_place_deinit(struct export_place *place);

/* As a cursor, in quotes. */
void export_place_append(struct buffer *out, const struct export_place *place);
/* From a cursor of a URL. */
enum cursor_outcome export_place_parse(struct export_place *place, const char *text);

#endif
