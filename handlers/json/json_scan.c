#include "handlers/json/json_scan.h"

#include <stdlib.h>

#include "handlers/json/json_number.h"
#include "handlers/json/json_scan_string.h"

#define WHOLE_DIGITS_MAX 15
/* Initial room for elements of a list. */
#define LIST_ROOM_MIN 64

/* ---- The object ---- */

static bool scan_whole(struct scan_cursor *cursor, int64_t *ret)
{
	const char *from;
	int64_t number = 0;

	json_scan_blank(cursor);
	for (from = cursor->at;
	     cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		if (cursor->at - from == WHOLE_DIGITS_MAX)
			return false;
		number = number * 10 + (*cursor->at - '0');
	}
	*ret = number;
	return cursor->at > from && (*from != '0' || cursor->at == from + 1);
}

static bool scan_scalar(struct scan_cursor *cursor, struct slice *ret)
{
	json_scan_blank(cursor);
	ret->data = cursor->at;
	while (cursor->at < cursor->end &&
	       ((*cursor->at >= '0' && *cursor->at <= '9') ||
		(*cursor->at >= 'a' && *cursor->at <= 'z') || *cursor->at == '.' ||
		*cursor->at == '-' || *cursor->at == '+' || *cursor->at == 'E'))
		cursor->at++;
	ret->len = (size_t)(cursor->at - ret->data);
	return json_number_is(*ret) || slice_equal(*ret, SLICE("null")) ||
	       slice_equal(*ret, SLICE("true")) || slice_equal(*ret, SLICE("false"));
}

static bool scan_name(struct scan_cursor *cursor, struct slice *ret)
{
	return json_scan_string(cursor, ret) && json_scan_take(cursor, ':');
}

/* Reads the value of the member `name`. */
static bool scan_member(struct scan_cursor *cursor, struct slice name, struct scan_member *members,
			size_t count)
{
	struct scan_member *member = NULL;

	for (size_t i = 0; i < count && !member; i++)
		if (slice_equal(name, members[i].name))
			member = &members[i];
	if (!member || member->found)
		return false;
	member->found = true;
	if (member->type == SCAN_STRING)
		return json_scan_string(cursor, &member->string);
	return member->type == SCAN_WHOLE ? scan_whole(cursor, &member->whole)
					  : scan_scalar(cursor, &member->string);
}

static bool all_required(const struct scan_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (members[i].required && !members[i].found)
			return false;
	return true;
}

static void decode_all(struct scan_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (members[i].found && members[i].type == SCAN_STRING)
			json_scan_decode(&members[i].string);
}

/* ---- The list ---- */

/* Makes room for one more element; `*room` is the number that fit. */
static struct scan_member *add_element(struct scan_list *list, size_t *room)
{
	size_t stride = json_scan_stride(list);

	if (list->count == *room) {
		size_t more = *room > 0 ? *room * 2 : LIST_ROOM_MIN;
		struct scan_member *found =
			reallocarray(list->found, more, stride * sizeof(*found));

		if (!found)
			return NULL;
		list->found = found;
		*room = more;
	}
	struct scan_member *element = list->found + list->count++ * stride;
	if (list->member_count > 0)
		memcpy(element, list->members, stride * sizeof(*element));
	else
		*element = (struct scan_member){.type = SCAN_STRING, .found = true};
	return element;
}

static bool scan_element(struct scan_cursor *cursor, const struct scan_list *list,
			 struct scan_member *element)
{
	struct slice name;

	if (list->member_count == 0)
		return json_scan_string(cursor, &element->string);
	if (!json_scan_take(cursor, '{'))
		return false;
	do {
		if (!scan_name(cursor, &name) ||
		    !scan_member(cursor, name, element, list->member_count))
			return false;
	} while (json_scan_take(cursor, ','));
	return json_scan_take(cursor, '}') && all_required(element, list->member_count);
}

static bool scan_list(struct scan_cursor *cursor, struct scan_list *list)
{
	size_t room = 0;

	if (!json_scan_take(cursor, '['))
		return false;
	do {
		struct scan_member *element =
			list->count < list->max_count ? add_element(list, &room) : NULL;

		if (!element || !scan_element(cursor, list, element))
			return false;
	} while (json_scan_take(cursor, ','));
	return json_scan_take(cursor, ']');
}

/* ---- All ---- */

static bool scan_object(struct scan_cursor *cursor, struct scan_member *members, size_t count,
			struct scan_list *list)
{
	struct slice name;

	if (!json_scan_take(cursor, '{'))
		return false;
	do {
		if (!scan_name(cursor, &name))
			return false;
		bool is_list = list && !list->found && slice_equal(name, list->name);
		if (is_list ? !scan_list(cursor, list) : !scan_member(cursor, name, members, count))
			return false;
	} while (json_scan_take(cursor, ','));
	if (!json_scan_take(cursor, '}'))
		return false;
	json_scan_blank(cursor);
	return cursor->at == cursor->end && all_required(members, count) && (!list || list->found);
}

bool json_scan(char *text, size_t len, struct scan_member *members, size_t count,
	       struct scan_list *list)
{
	struct scan_cursor cursor = {.at = text, .end = text + len};

	if (list) {
		list->found = NULL;
		list->count = 0;
	}
	if (!scan_object(&cursor, members, count, list)) {
		if (list) {
			free(list->found);
			list->found = NULL;
		}
		return false;
	}
	decode_all(members, count);
	if (list)
		decode_all(list->found, list->count * json_scan_stride(list));
	return true;
}
