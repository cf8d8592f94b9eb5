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
	uint64_t at; /* of the value */
	bool is_begun, is_base64;
	struct export_body *body; /* of a value whose bytes are a body, once it is begun */
	/* Called for such a value after EXPORT_LINE_WAITS, once, on any thread. */
	void (*wake)(void *user);
	void *wake_user;
	const char *failure; /* a sentence that lives as long as the backend */
};

enum export_line_step {
	EXPORT_LINE_GOES_ON,
	EXPORT_LINE_WAITS,
	EXPORT_LINE_ENDS,
	EXPORT_LINE_FAILS, /* in the middle; `failure` says why */
};

/* Continues the line until `out` has `goal` bytes or the line is complete. */
enum export_line_step export_line_append(struct buffer *out, struct export_line *line, size_t goal);
/* Frees what a line holds that has not come to its end. */
void export_line_deinit(struct export_line *line);

#endif
