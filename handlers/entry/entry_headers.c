#include "handlers/entry/entry_headers.h"

#include <stdio.h>
#include <strings.h>

#include "handlers/respond/error.h"

#define ENCODING      SLICE("Content-Encoding")
#define CACHE_CONTROL SLICE("Cache-Control")
#define META          SLICE("X-Meta-")

/* Most headers of a request are of no interest, so their first letters decide. */
static void take(void *user, struct slice name, const char *value)
{
	struct entry_head *head = user;
	int first = name.len > 0 ? name.data[0] | 0x20 : 0;

	if ((first != 'c' && first != 'x') || head->verdict != HEAD_ADDED || *value == '\0' ||
	    (slice_equal_in_any_case(name, ENCODING) && strcasecmp(value, "identity") == 0))
		return;
	enum value_head_verdict verdict = value_head_add(&head->room, name, slice_of(value));
	if (verdict == HEAD_NOT_KEPT && name.len > VALUE_HEADER_NAME_MAX_LEN &&
	    slice_equal_in_any_case((struct slice){name.data, META.len}, META))
		verdict = HEAD_TOO_LONG;
	if (verdict == HEAD_ADDED || verdict == HEAD_NOT_KEPT)
		return;
	head->verdict = verdict;
	(void)snprintf(head->wrong_name, sizeof(head->wrong_name), "%.*s", (int)name.len,
		       name.data);
}

/* The type that a PUT with the Content-Type `given` stores (NULL: there is none). NULL: the default
 * type, which also replaces that of HTML forms, because curl, urllib, Ruby and PHP send that
 * unasked. */
static const char *type_of(const char *given)
{
	static const char unasked[] = "application/x-www-form-urlencoded";
	const size_t len = sizeof(unasked) - 1;

	if (!given || strncasecmp(given, unasked, len) != 0)
		return given;
	const char *rest = given + len + strspn(given + len, " \t");
	return *rest == '\0' || *rest == ';' ? NULL : given;
}

void entry_headers_read(const struct request *request, struct entry_head *ret)
{
	struct slice type = slice_of(type_of(request_header(request, "Content-Type")));

	value_head_begin(&ret->room,
			 content_type_is_valid(type) ? type : SLICE(CONTENT_TYPE_BYTES));
	ret->verdict = HEAD_ADDED;
	request_each_header(request, take, ret);
}

bool entry_headers_fit(const struct request *request, struct response *response)
{
	struct entry_head head;

	if (request->has_whole_head)
		return true;
	entry_headers_read(request, &head);
	if (head.verdict == HEAD_ADDED)
		return true;
	respond_error(request, response, head.verdict == HEAD_TOO_LONG ? 431 : 400, "%s %s",
		      head.wrong_name, value_head_complaint(head.verdict));
	return false;
}

bool entry_headers_rule_caches(const struct cache_value *value)
{
	return cache_value_has_headers(value) &&
	       value_head_find(cache_value_head(value), CACHE_CONTROL).data;
}

void entry_headers_add(struct response *response, const struct cache_value *value, bool is_decoded)
{
	struct slice head;

	if (!cache_value_has_headers(value))
		return;
	head = cache_value_head(value);
	response->kept = value_head_headers(head);
	response->drops_encoding = is_decoded;
	if (value_head_find(head, ENCODING).data)
		response_header_static(response, "Vary", "Accept-Encoding");
}
