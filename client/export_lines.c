#include "client/export_lines.h"

#include <jansson.h>

/* Enough to recognize a line; its first member names it. */
#define START_BYTES 24
/* A cursor holds a key in base64; keys end at 64 KiB. */
#define KEPT_MAX_BYTES ((size_t)1 << 20)

static bool begins(const struct export_lines *lines, struct slice start)
{
	return slice_starts_with(buffer_bytes(&lines->line), start);
}

static void end_line(struct export_lines *lines)
{
	bool is_cursor = begins(lines, SLICE("{\"cursor\":"));

	if (begins(lines, SLICE("{\"steadycache_export\":"))) {
		lines->has_header = true;
	} else if (is_cursor || begins(lines, SLICE("{\"complete\":"))) {
		json_auto_t *object = json_loadb(lines->line.data, lines->line.len, 0, NULL);
		const json_t *cursor = json_object_get(object, "cursor");

		if (json_is_string(cursor)) {
			lines->cursor.len = 0;
			buffer_append(&lines->cursor, slice_of(json_string_value(cursor)));
			lines->safe_end = lines->offset;
		}
		lines->complete |= json_is_true(json_object_get(object, "complete"));
	} else if (lines->line.len > 0) {
		lines->entries++;
	}
	lines->line.len = 0;
}

static void keep(struct export_lines *lines, struct slice part)
{
	size_t max = START_BYTES;

	if (lines->line.len < START_BYTES && part.len > 0) {
		size_t start = START_BYTES - lines->line.len;

		if (start > part.len)
			start = part.len;
		buffer_append(&lines->line, (struct slice){.data = part.data, .len = start});
		part.data += start;
		part.len -= start;
	}
	if (begins(lines, SLICE("{\"c")))
		max = KEPT_MAX_BYTES;
	if (lines->line.len + part.len <= max)
		buffer_append(&lines->line, part);
}

void export_lines_see(struct export_lines *lines, struct slice bytes)
{
	while (bytes.len > 0) {
		const char *feed = memchr(bytes.data, '\n', bytes.len);
		size_t len = feed ? (size_t)(feed - bytes.data) : bytes.len;
		size_t step = len + (feed != NULL);

		keep(lines, (struct slice){.data = bytes.data, .len = len});
		lines->offset += step;
		if (feed)
			end_line(lines);
		bytes.data += step;
		bytes.len -= step;
	}
}

void export_lines_deinit(struct export_lines *lines)
{
	buffer_deinit(&lines->cursor);
	buffer_deinit(&lines->line);
}
