/* The text of a view: bounded, with lines that break where a value does not fit. */
#ifndef STEADYCACHE_PICKLE_VIEW_OUT_H
#define STEADYCACHE_PICKLE_VIEW_OUT_H

#include "base/buffer.h"

/* Longest line that holds more than one value, bytes. */
#define VIEW_LINE_BYTES 80
#define VIEW_INDENT     4

struct view_out {
	struct buffer *text;
	size_t limit;      /* of text->len */
	size_t line_start; /* in the text */
	size_t indent;     /* of the next line */
	bool is_full;      /* something did not fit; all that follows is dropped */
	bool is_try;       /* on one line only */
	bool has_left_out; /* what was put says that it is not all */
};

/* What view_out_try changes. */
struct view_try {
	size_t len, limit;
};

/* The bytes that fit. */
size_t view_out_room(const struct view_out *out);

/* Appends what fits of a text, whole characters of UTF-8. */
void view_out_put(struct view_out *out, struct slice text);

/* Begins a line at the indent. */
void view_out_line(struct view_out *out);

/* What is put until view_out_tried goes on the rest of this line, or is taken back. */
struct view_try view_out_try(struct view_out *out);
/* Whether it has fitted. */
bool view_out_tried(struct view_out *out, const struct view_try *before);

#endif
