#include "base/value_head.h"

#include <strings.h>

/* In the order in which a head has them. Those of a user follow. */
static const struct slice kept_names[] = {
	SLICE("Cache-Control"),    SLICE("Content-Disposition"), SLICE("Content-Encoding"),
	SLICE("Content-Language"), SLICE("X-Artifact-Duration"), SLICE("X-Artifact-Tag"),
};
#define KEPT_NAMES (sizeof(kept_names) / sizeof(kept_names[0]))
#define META       SLICE("X-Meta-")

static bool is_text(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.data[i] < ' ' || text.data[i] > '~') && text.data[i] != '\t')
			return false;
	return text.len > 0;
}

bool content_type_is_valid(struct slice type)
{
	return is_text(type) && type.len <= CONTENT_TYPE_MAX_LEN;
}

struct slice value_head_type(struct slice head)
{
	const char *end = head.len > 0 ? memchr(head.data, '\n', head.len) : NULL;

	return end ? (struct slice){head.data, (size_t)(end - head.data)} : head;
}

struct slice value_head_headers(struct slice head)
{
	size_t type_len = value_head_type(head).len;

	if (type_len == head.len)
		return (struct slice){0};
	return (struct slice){head.data + type_len + 1, head.len - type_len - 1};
}

static bool is_token(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] > '~' ||
		    strchr("()<>@,;:\\\"/[]?={}", name.data[i]))
			return false;
	return name.len > 0;
}

bool value_head_name(struct slice name, char ret[static VALUE_HEADER_NAME_MAX_LEN + 1])
{
	struct slice found = name;
	bool is_meta = name.len > META.len && name.len <= VALUE_HEADER_NAME_MAX_LEN &&
		       strncasecmp(name.data, META.data, META.len) == 0 && is_token(name);
	bool is_kept = is_meta;

	for (size_t i = 0; i < KEPT_NAMES && !is_kept; i++)
		if (slice_equal_in_any_case(name, kept_names[i])) {
			found = kept_names[i];
			is_kept = true;
		}
	if (!is_kept)
		return false;
	memcpy(ret, found.data, found.len);
	ret[found.len] = '\0';
	if (is_meta)
		memcpy(ret, META.data, META.len);
	for (size_t i = META.len; is_meta && i < found.len; i++)
		if (ret[i] >= 'A' && ret[i] <= 'Z')
			ret[i] = (char)(ret[i] - 'A' + 'a');
	return true;
}

bool value_head_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
	if (rest->len == 0)
		return false;
	const char *end = memchr(rest->data, '\n', rest->len);
	size_t len = end ? (size_t)(end - rest->data) : rest->len;
	const char *colon = memchr(rest->data, ':', len);
	size_t name_len = colon ? (size_t)(colon - rest->data) : len;
	size_t at = name_len + 2 <= len ? name_len + 2 : len;

	*ret_name = (struct slice){rest->data, name_len};
	*ret_value = (struct slice){rest->data + at, len - at};
	size_t taken = end ? len + 1 : len;
	*rest = (struct slice){rest->data + taken, rest->len - taken};
	return true;
}

struct slice value_head_find(struct slice head, struct slice name)
{
	struct slice rest = value_head_headers(head), found, value;

	while (value_head_next(&rest, &found, &value))
		if (slice_equal(found, name))
			return value;
	return (struct slice){0};
}

/* The order of names that value_head_name() wrote. */
static int compare_names(struct slice a, struct slice b)
{
	bool a_is_meta = slice_starts_with(a, META), b_is_meta = slice_starts_with(b, META);

	return a_is_meta == b_is_meta ? slice_compare(a, b) : a_is_meta - b_is_meta;
}

void value_head_begin(struct value_head_room *room, struct slice type)
{
	room->len = type.len < CONTENT_TYPE_MAX_LEN ? type.len : CONTENT_TYPE_MAX_LEN;
	memcpy(room->text, type.data, room->len);
}

enum value_head_verdict value_head_add(struct value_head_room *room, struct slice name,
				       struct slice value)
{
	char text[VALUE_HEADER_NAME_MAX_LEN + 1];
	struct slice found, ignored;

	if (!value_head_name(name, text))
		return HEAD_NOT_KEPT;
	if (!is_text(value))
		return HEAD_BAD_VALUE;
	struct slice written = slice_of(text);
	struct slice rest = value_head_headers(value_head_text(room));
	size_t headers_len = rest.len > 0 ? rest.len + 1 : 0;
	char *at = room->text + room->len;
	while (value_head_next(&rest, &found, &ignored)) {
		int order = compare_names(written, found);

		if (order == 0)
			return HEAD_TWICE;
		if (order < 0) {
			at = room->text + (found.data - room->text) - 1;
			break;
		}
	}
	size_t len = 1 + written.len + 2 + value.len;
	if (value.len > VALUE_HEADERS_MAX_LEN || headers_len + len > VALUE_HEADERS_MAX_LEN)
		return HEAD_TOO_LONG;
	memmove(at + len, at, (size_t)(room->text + room->len - at));
	*at = '\n';
	memcpy(at + 1, written.data, written.len);
	memcpy(at + 1 + written.len, ": ", 2);
	memcpy(at + 3 + written.len, value.data, value.len);
	room->len += len;
	return HEAD_ADDED;
}

const char *value_head_complaint(enum value_head_verdict verdict)
{
	switch (verdict) {
	case HEAD_ADDED:
		break;
	case HEAD_NOT_KEPT:
		return "is none of the headers that are kept: Cache-Control, Content-Disposition, "
		       "Content-Encoding, Content-Language, X-Artifact-Duration, X-Artifact-Tag "
		       "and X-Meta-*";
	case HEAD_BAD_VALUE:
		return "may have printable characters of ASCII only, and at least one";
	case HEAD_TWICE:
		return "may be there only once";
	case HEAD_TOO_LONG:
		return "is too long: a name may have 64 bytes, and all headers that are kept 2048 "
		       "together, with their names";
	}
	return "";
}

/* Whether a line is what value_head_add() would have written behind the name `last`. */
static bool is_written(struct slice name, struct slice value, struct slice last)
{
	char text[VALUE_HEADER_NAME_MAX_LEN + 1];

	return value_head_name(name, text) && slice_equal(name, slice_of(text)) && is_text(value) &&
	       memcmp(name.data + name.len, ": ", 2) == 0 &&
	       (last.len == 0 || compare_names(last, name) < 0);
}

bool value_head_is_valid(struct slice head)
{
	struct slice rest = value_head_headers(head), name, value, last = {0};

	if (!content_type_is_valid(value_head_type(head)) || head.len > VALUE_HEAD_MAX_LEN ||
	    rest.len + 1 > VALUE_HEADERS_MAX_LEN || head.data[head.len - 1] == '\n')
		return false;
	while (value_head_next(&rest, &name, &value)) {
		if (!is_written(name, value, last))
			return false;
		last = name;
	}
	return true;
}
