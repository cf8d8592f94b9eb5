#include "handlers/json/json_read_skip.h"

#include "handlers/json/json_number.h"
#include "handlers/json/json_read.h"

#define UNFINISHED "the text ends here, too early"

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The escape after a backslash that the cursor has passed. */
static const char *skip_escape(struct scan_cursor *cursor)
{
	if (cursor->at == cursor->end)
		return UNFINISHED;
	if (*cursor->at != 'u')
		return memchr("\"\\/bfnrt", *cursor->at++, 8) ? NULL : "there is no such escape";
	cursor->at++;
	for (int i = 0; i < 4; i++, cursor->at++) {
		if (cursor->at == cursor->end)
			return UNFINISHED;
		if (!is_hex(*cursor->at))
			return "four hexadecimal digits should follow \\u";
	}
	return NULL;
}

static const char *skip_string(struct scan_cursor *cursor)
{
	const char *what = NULL;

	for (cursor->at++; cursor->at < cursor->end && !what;) {
		unsigned char c = (unsigned char)*cursor->at;

		if (c < 0x20)
			return "control characters must be escaped in strings";
		cursor->at++;
		if (c == '"')
			return NULL;
		if (c == '\\')
			what = skip_escape(cursor);
	}
	return what ? what : UNFINISHED;
}

static bool take_word(struct scan_cursor *cursor, struct slice word)
{
	if ((size_t)(cursor->end - cursor->at) < word.len ||
	    memcmp(cursor->at, word.data, word.len) != 0)
		return false;
	cursor->at += word.len;
	return true;
}

static const char *skip_scalar(struct scan_cursor *cursor, enum scan_kind *ret)
{
	size_t len = json_number_len(cursor->at, cursor->end);

	cursor->at += len;
	if (len > 0)
		*ret = KIND_NUMBER;
	else if (take_word(cursor, SLICE("null")))
		*ret = KIND_NULL;
	else if (take_word(cursor, SLICE("true")) || take_word(cursor, SLICE("false")))
		*ret = KIND_OTHER;
	else
		return "there is no such value";
	/* "007" is a 0 with something after it. */
	if (cursor->at < cursor->end && !memchr(" \t\r\n,]}:", *cursor->at, 8))
		return "there is no such value";
	return NULL;
}

static const char *skip_name(struct scan_cursor *cursor)
{
	json_scan_blank(cursor);
	if (cursor->at == cursor->end)
		return UNFINISHED;
	if (*cursor->at != '"')
		return "a name in quotes should stand here";
	const char *what = skip_string(cursor);
	if (what)
		return what;
	return json_scan_take(cursor, ':') ? NULL : "a colon should stand here";
}

/* The open objects and arrays: without recursion, so that no text can exhaust the stack. */
struct nesting {
	size_t depth;
	bool is_object[JSON_DEPTH_MAX];
};

/* Enters the object or array that begins here. */
static const char *enter(struct scan_cursor *cursor, struct nesting *nesting, bool *ret_is_empty)
{
	bool is_object = *cursor->at == '{';

	if (nesting->depth == JSON_DEPTH_MAX)
		return "it is nested too deep: objects and arrays may be 512 levels deep";
	nesting->is_object[nesting->depth++] = is_object;
	cursor->at++;
	json_scan_blank(cursor);
	*ret_is_empty = cursor->at < cursor->end && *cursor->at == (is_object ? '}' : ']');
	return is_object && !*ret_is_empty ? skip_name(cursor) : NULL;
}

/* After a value: leaves everything that ends there. *ret_is_over: nothing is open any more;
 * otherwise another value follows. */
static const char *leave(struct scan_cursor *cursor, struct nesting *nesting, bool *ret_is_over)
{
	while (nesting->depth > 0) {
		bool is_object = nesting->is_object[nesting->depth - 1];

		if (json_scan_take(cursor, ',')) {
			*ret_is_over = false;
			return is_object ? skip_name(cursor) : NULL;
		}
		if (!json_scan_take(cursor, is_object ? '}' : ']'))
			return cursor->at == cursor->end ? UNFINISHED
							 : "a comma or an end should stand here";
		nesting->depth--;
	}
	*ret_is_over = true;
	return NULL;
}

const char *json_skip_value(struct scan_cursor *cursor, enum scan_kind *ret)
{
	struct nesting nesting;
	const char *what = NULL;
	bool is_over = false;

	nesting.depth = 0;
	while (!what && !is_over) {
		enum scan_kind kind = KIND_STRING;
		size_t depth = nesting.depth;
		bool is_empty = true;

		json_scan_blank(cursor);
		if (cursor->at == cursor->end)
			return UNFINISHED;
		if (*cursor->at == '{' || *cursor->at == '[') {
			kind = *cursor->at == '{' ? KIND_OBJECT : KIND_ARRAY;
			what = enter(cursor, &nesting, &is_empty);
		} else if (*cursor->at == '"') {
			what = skip_string(cursor);
		} else {
			what = skip_scalar(cursor, &kind);
		}
		if (depth == 0)
			*ret = kind;
		if (!what && is_empty)
			what = leave(cursor, &nesting, &is_over);
	}
	return what;
}
