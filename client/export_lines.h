/* Reads the lines of an export piece by piece in constant memory.
 *
 * First {"steadycache_export":...}, then entries, now and then {"cursor":"..."}, at last
 * {"complete":true,...}. An entry's line is only counted: it may be as large as a value. */
#ifndef STEADYCACHE_CLIENT_EXPORT_LINES_H
#define STEADYCACHE_CLIENT_EXPORT_LINES_H

#include <stdint.h>

#include "base/buffer.h"

struct export_lines {
	uint64_t offset;   /* bytes seen */
	uint64_t safe_end; /* after the last cursor line; 0: none */
	uint64_t entries;
	struct buffer cursor; /* of that line */
	bool has_header, complete;
	struct buffer line; /* the start of the current line, or all of it if it is kept */
};

void export_lines_see(struct export_lines *lines, struct slice bytes);
void export_lines_deinit(struct export_lines *lines);

#endif
