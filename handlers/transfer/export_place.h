/* The position of an export, and the cursors that encode it. */
#ifndef STEADYCACHE_HANDLERS_EXPORT_PLACE_H
#define STEADYCACHE_HANDLERS_EXPORT_PLACE_H

#include "handlers/respond/cursor.h"
#include "store/backend.h"

/* The position of an export: after `key` of `ns`. */
struct export_place {
	char ns[NAMESPACE_MAX_LEN + 1]; /* empty: at the beginning */
	char *key;                      /* malloc'ed */
	size_t key_len;
	/* If the backend's order ends with its process: when that began; else 0. */
	int64_t process_us;
};

/* Moves it. False: out of memory, and it is unchanged. */
bool export_place_set(struct export_place *place, const char *ns, struct slice key);
void export_place_deinit(struct export_place *place);

/* Appends it as a cursor, in quotes. */
void export_place_append(struct buffer *out, const struct export_place *place);
/* Reads it from a cursor in a URL. */
enum cursor_outcome export_place_parse(struct export_place *place, const char *text);

#endif
