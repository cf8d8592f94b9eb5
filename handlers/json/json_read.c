#include "handlers/json/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "handlers/json/json_number.h"
#include "handlers/json/json_read_skip.h"

struct reader {
	struct scan_cursor cursor;
	struct json_fault *fault;
	struct slice *unknown;
	const struct scan_list *list; /* the list that the reader is in; NULL: none */
	size_t index;                 /* ... at this element */
};

static bool fail(struct reader *reader, const char *what)
{
	if (!reader->fault->what)
		reader->fault->what = what;
	return false;
}

static bool fail_no_memory(struct reader *reader)
{
	reader->fault->no_memory = true;
	return fail(reader, "out of memory");
}

static bool skip(struct reader *reader, enum scan_kind *ret)
{
	const char *what = json_skip_value(&reader->cursor, ret);

	return !what || fail(reader, what);
}

/* ---- Members ---- */

/* The path of `name` (empty: of the element itself) in the text. */
static void tell_path(struct reader *reader, struct slice name)
{
	char *path = reader->fault->path;
	size_t size = sizeof(reader->fault->path);

	if (!reader->list)
		(void)snprintf(path, size, "%.*s", (int)name.len, name.data);
	else
		(void)snprintf(path, size, "%.*s[%zu]%s%.*s", (int)reader->list->name.len,
			       reader->list->name.data, reader->index, name.len > 0 ? "." : "",
			       (int)name.len, name.data);
}

/* Whether a string can be decoded. It is decoded once the whole text is known to be valid, so that
 * the place of an error is that of the original text. */
static bool check_string(struct reader *reader, struct slice name, struct slice string)
{
	if (!memchr(string.data, '\\', string.len) || json_scan_escapes_are_good(string))
		return true;
	tell_path(reader, name);
	return fail(reader, "has half of a surrogate pair (\\uD800 to \\uDFFF stand for characters "
			    "in pairs only)");
}

static void decode_all(struct scan_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (members[i].kind == KIND_STRING && members[i].string.data)
			json_scan_decode(&members[i].string);
}

/* Reads a value into `member`, whose type says what is wanted. */
static bool read_value(struct reader *reader, struct scan_member *member)
{
	json_scan_blank(&reader->cursor);
	struct slice text = {.data = reader->cursor.at};
	bool is_scalar = false;

	member->found = true;
	member->string = (struct slice){0};
	member->whole = -1;
	if (!skip(reader, &member->kind))
		return false;
	text.len = (size_t)(reader->cursor.at - text.data);
	is_scalar = member->kind == KIND_NUMBER || member->kind == KIND_NULL ||
		    member->kind == KIND_OTHER;
	if (member->kind == KIND_NUMBER && !json_number_whole(text, INT64_MAX, &member->whole))
		member->whole = -1;
	if ((is_scalar && (member->type == SCAN_SCALAR || member->type == SCAN_ANY)) ||
	    (member->kind == KIND_OBJECT && member->type == SCAN_OBJECT))
		member->string = text;
	if (member->kind != KIND_STRING ||
	    (member->type != SCAN_STRING && member->type != SCAN_ANY))
		return true;
	member->string = (struct slice){.data = text.data + 1, .len = text.len - 2};
	return check_string(reader, member->name, member->string);
}

/* A name and its colon. A name that is not valid text cannot be one that is asked for. */
static bool read_name(struct reader *reader, struct slice *ret)
{
	enum scan_kind kind;

	json_scan_blank(&reader->cursor);
	if (reader->cursor.at == reader->cursor.end || *reader->cursor.at != '"')
		return fail(reader, "a name in quotes should stand here");
	ret->data = reader->cursor.at + 1;
	if (!skip(reader, &kind))
		return false;
	ret->len = (size_t)(reader->cursor.at - ret->data) - 1;
	if (memchr(ret->data, '\\', ret->len) && json_scan_escapes_are_good(*ret))
		json_scan_decode(ret);
	return json_scan_take(&reader->cursor, ':') || fail(reader, "a colon should stand here");
}

static struct scan_member *find_member(struct slice name, struct scan_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (members[i].name.len > 0 && slice_equal(name, members[i].name))
			return &members[i];
	return NULL;
}

static bool read_list(struct reader *reader, struct scan_list *list);

/* An object; `list` may be NULL. */
static bool read_object(struct reader *reader, struct scan_member *members, size_t count,
			struct scan_list *list)
{
	struct slice name;
	enum scan_kind kind;

	if (!json_scan_take(&reader->cursor, '{'))
		return fail(reader, "an object should stand here");
	if (json_scan_take(&reader->cursor, '}'))
		return true;
	do {
		if (!read_name(reader, &name))
			return false;
		struct scan_member *member = find_member(name, members, count);
		bool is_list = list && slice_equal(name, list->name);

		if (!member && !is_list && reader->unknown && !reader->unknown->data)
			*reader->unknown = name;
		if (is_list  ? !read_list(reader, list)
		    : member ? !read_value(reader, member)
			     : !skip(reader, &kind))
			return false;
	} while (json_scan_take(&reader->cursor, ','));
	return json_scan_take(&reader->cursor, '}') ||
	       fail(reader, "a comma or the end of the object should stand here");
}

/* ---- The list ---- */

static size_t kept_elements(const struct scan_list *list)
{
	return list->count < list->max_count ? list->count : list->max_count;
}

/* Room for the element at `index`; NULL: out of memory. */
static struct scan_member *element_at(struct scan_list *list, size_t index)
{
	size_t stride = json_scan_stride(list);

	/* The room doubles: it is full whenever the count is a power of two. */
	if ((index & (index - 1)) == 0) {
		size_t room = index > 0 ? index * 2 : 1;
		struct scan_member *found =
			reallocarray(list->found, room, stride * sizeof(*found));

		if (!found)
			return NULL;
		list->found = found;
	}
	struct scan_member *element = list->found + index * stride;
	if (list->member_count > 0)
		memcpy(element, list->members, stride * sizeof(*element));
	else
		*element = (struct scan_member){.type = SCAN_STRING};
	return element;
}

static bool read_element(struct reader *reader, struct scan_list *list)
{
	enum scan_kind kind;
	bool is_right = true;

	if (list->count >= list->max_count)
		return skip(reader, &kind);
	struct scan_member *element = element_at(list, list->count);
	if (!element)
		return fail_no_memory(reader);
	json_scan_blank(&reader->cursor);
	if (list->member_count == 0) {
		if (!read_value(reader, element))
			return false;
		is_right = element->string.data != NULL;
	} else if (reader->cursor.at < reader->cursor.end && *reader->cursor.at == '{') {
		if (!read_object(reader, element, list->member_count, NULL))
			return false;
	} else {
		is_right = false;
		if (!skip(reader, &kind))
			return false;
	}
	if (!is_right && list->first_wrong == SIZE_MAX)
		list->first_wrong = list->count;
	return true;
}

static void empty_list(struct scan_list *list)
{
	free(list->found);
	list->found = NULL;
	list->count = 0;
	list->first_wrong = SIZE_MAX;
	list->is_array = false;
}

static bool read_list(struct reader *reader, struct scan_list *list)
{
	struct slice *unknown = reader->unknown;
	enum scan_kind kind;

	empty_list(list);
	list->is_there = true;
	json_scan_blank(&reader->cursor);
	if (reader->cursor.at < reader->cursor.end && *reader->cursor.at != '[')
		return skip(reader, &kind);
	list->is_array = json_scan_take(&reader->cursor, '[');
	if (json_scan_take(&reader->cursor, ']'))
		return true;
	reader->list = list;
	reader->unknown = NULL; /* of the object, not of its elements */
	do {
		reader->index = list->count;
		if (!read_element(reader, list))
			return false;
		list->count++;
	} while (json_scan_take(&reader->cursor, ','));
	reader->list = NULL;
	reader->unknown = unknown;
	return json_scan_take(&reader->cursor, ']') ||
	       fail(reader, "a comma or the end of the list should stand here");
}

/* ---- All ---- */

static bool read_text(struct reader *reader, struct scan_member *members, size_t count,
		      struct scan_list *list)
{
	enum scan_kind kind;
	bool is_object;

	json_scan_blank(&reader->cursor);
	is_object = reader->cursor.at < reader->cursor.end && *reader->cursor.at == '{';
	if (is_object ? !read_object(reader, members, count, list) : !skip(reader, &kind))
		return false;
	json_scan_blank(&reader->cursor);
	if (reader->cursor.at < reader->cursor.end)
		return fail(reader, "the end should stand here");
	return is_object;
}

/* Where the reader has stopped. */
static void tell_place(const struct reader *reader, const char *text)
{
	struct json_fault *fault = reader->fault;

	fault->line = 1;
	fault->column = 1;
	for (const char *at = text; at < reader->cursor.at; at++) {
		fault->column++;
		if (*at == '\n') {
			fault->line++;
			fault->column = 1;
		}
	}
}

bool json_read(char *text, size_t len, struct scan_member *members, size_t count,
	       struct scan_list *list, struct slice *ret_unknown, struct json_fault *fault)
{
	struct reader reader = {
		.cursor = {.at = text, .end = text + len},
		.fault = fault,
		.unknown = ret_unknown,
	};

	*fault = (struct json_fault){0};
	if (list)
		*list = (struct scan_list){.name = list->name,
					   .members = list->members,
					   .member_count = list->member_count,
					   .max_count = list->max_count,
					   .first_wrong = SIZE_MAX};
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		reader.cursor.at += 3;
	if (!utf8_is_valid((struct slice){.data = text, .len = len})) {
		(void)fail(&reader, "is not UTF-8");
	} else if (read_text(&reader, members, count, list)) {
		decode_all(members, count);
		if (list && list->found)
			decode_all(list->found, kept_elements(list) * json_scan_stride(list));
		return true;
	} else if (!fault->what) {
		fault->what = "is no object";
	} else if (fault->path[0] == '\0' && !fault->no_memory) {
		tell_place(&reader, text);
	}
	if (list)
		empty_list(list);
	return false;
}
