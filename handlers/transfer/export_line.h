/* The format of an export, line by line (docs/export-import.md). */
#ifndef STEADYCACHE_HANDLERS_EXPORT_LINE_H
#define STEADYCACHE_HANDLERS_EXPORT_LINE_H

#include "base/buffer.h"
#include "store/backend.h"

#define EXPORT_FORMAT 1

void export_line_append_header(struct buffer *out, const char *version, int64_t now_us);

/* An entry whose value is written piece by piece, so that a large one is never in memory twice. */
struct export_line {
	const char *ns;
	const struct cache_entry_info *info;
	const struct cache_value *value;
	size_t at; /* of the value */
	bool is_begun, is_base64;
};

/* Continues the line until `out` has `goal` bytes or the line is complete (true). */
bool export_line_append(struct buffer *out, struct export_line *line, size_t goal);

#endif
