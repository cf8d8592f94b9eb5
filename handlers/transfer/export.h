/* The format of an export, line by line (docs/export-import.md). */
#ifndef STEADYCACHE_HANDLERS_EXPORT_H
#define STEADYCACHE_HANDLERS_EXPORT_H

#include "base/buffer.h"
#include "handlers/namespace/cursor.h"
#include "store/backend.h"

#define EXPORT_FORMAT 1

/* ---- Places (export_place.c) ---- */

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

/* ---- Lines (export_line.c) ---- */

void export_header_append(struct buffer *out, const char *version, int64_t now_us);

/* An entry whose value is written piece by piece, so that a large one is never there twice. */
struct export_line {
	const char *ns;
	const struct cache_entry_info *info;
	const struct cache_value *value;
	size_t at; /* of the value */
	bool is_begun, is_base64;
};

/* Goes on with the line until `out` has `goal` bytes or the line is complete (true). */
bool export_line_append(struct buffer *out, struct export_line *line, size_t goal);

#endif
