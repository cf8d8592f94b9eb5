#include "pickle/view_out.h"

size_t view_out_room(const struct view_out *out)
{
	return out->is_full || out->limit < out->text->len ? 0 : out->limit - out->text->len;
}

void view_out_put(struct view_out *out, struct slice text)
{
	size_t room = view_out_room(out);

	if (text.len > room) {
		while (room > 0 && ((unsigned char)text.data[room] & 0xc0) == 0x80)
			room--;
		text.len = room;
		out->is_full = true;
	}
	if (text.len > 0)
		buffer_append(out->text, text);
	/* Out of memory is a bound like another. */
	if (out->text->failed)
		out->is_full = true;
}

void view_out_line(struct view_out *out)
{
	view_out_put(out, SLICE("\n"));
	out->line_start = out->text->len;
	for (size_t i = 0; i < out->indent && !out->is_full; i++)
		view_out_put(out, SLICE(" "));
}

struct view_try view_out_try(struct view_out *out)
{
	struct view_try before = {
		.len = out->text->len,
		.limit = out->limit,
	};
	size_t line_end = out->line_start + VIEW_LINE_BYTES;

	/* A comma follows. */
	if (line_end - 1 < out->limit)
		out->limit = line_end - 1;
	out->is_try = true;
	return before;
}

bool view_out_tried(struct view_out *out, const struct view_try *before)
{
	bool has_fitted = !out->is_full;

	out->limit = before->limit;
	out->is_try = false;
	if (!has_fitted) {
		out->text->len = before->len;
		out->is_full = out->text->failed;
	}
	return has_fitted;
}
