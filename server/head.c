#include "server/head.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

/* What matters for framing, gathered while the fields pass by. */
struct framing {
	struct head *head;
	unsigned hosts, lengths, codings;
	const char *length, *coding;
	bool bad_name;
};

/* RFC 9110, 5.6.2: what a field name is made of. */
static bool is_token(const char *name, size_t len)
{
	static const bool delimiters[256] = {
		['('] = true, [')'] = true, ['<'] = true,  ['>'] = true, ['@'] = true, [','] = true,
		[';'] = true, [':'] = true, ['\\'] = true, ['"'] = true, ['/'] = true, ['['] = true,
		[']'] = true, ['?'] = true, ['='] = true,  ['{'] = true, ['}'] = true,
	};

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c <= ' ' || c >= 0x7F || delimiters[c])
			return false;
	}
	return len > 0;
}

static bool is_named(const char *name, size_t len, struct slice wanted)
{
	return len == wanted.len && strncasecmp(name, wanted.data, len) == 0;
}

/* Of the names below. */
#define TRACE_NAME_MIN_LEN 10
#define TRACE_NAME_MAX_LEN 12

static void take_trace_field(struct trace *trace, const char *name, size_t name_len,
			     const char *value)
{
	unsigned char *count = NULL;

	if (is_named(name, name_len, SLICE("X-Request-Id"))) {
		count = &trace->request_ids;
		trace->sent.request_id = value;
	} else if (is_named(name, name_len, SLICE("traceparent"))) {
		count = &trace->parents;
		trace->sent.traceparent = value;
	} else if (is_named(name, name_len, SLICE("tracestate"))) {
		count = &trace->states;
	}
	if (count && *count < UCHAR_MAX)
		(*count)++;
}

/* Blanks at the end are not of the value (RFC 9110, 5.5), and the library leaves them there. It has
 * the value in memory of the connection, which is cut in place for all who ask it later. Not those
 * that tell where the body ends: there we must read what the library has read. */
static void trim(const char *value, size_t len)
{
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		((char *)(uintptr_t)value)[--len] = '\0';
}

static enum MHD_Result take_field(void *cls, enum MHD_ValueKind kind, const char *name,
				  size_t name_len, const char *value, size_t value_len)
{
	struct framing *framing = cls;
	struct head *head = framing->head;

	(void)kind;
	if (!value)
		value = "";
	if (!is_token(name, name_len))
		framing->bad_name = true;
	if (is_named(name, name_len, SLICE("Content-Length"))) {
		framing->lengths++;
		framing->length = value;
	} else if (is_named(name, name_len, SLICE("Transfer-Encoding"))) {
		framing->codings++;
		framing->coding = value;
	} else {
		trim(value, value_len);
	}
	if (is_named(name, name_len, SLICE("Host"))) {
		framing->hosts++;
	} else if (name_len >= TRACE_NAME_MIN_LEN && name_len <= TRACE_NAME_MAX_LEN) {
		take_trace_field(&head->trace, name, name_len, value);
	}
	if (head->count < HEAD_FIELDS)
		head->fields[head->count++] = (struct head_field){
			.name = name,
			.value = value,
			.name_len = name_len,
		};
	else
		head->overflow = true;
	return MHD_YES;
}

/* Digits only, and fewer than could overflow. */
static bool parse_length(const char *text, uint64_t *ret)
{
	size_t digits = 0;
	uint64_t length = 0;

	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 19; digits++)
		length = length * 10 + (uint64_t)(text[digits] - '0');
	*ret = length;
	return digits > 0 && text[digits] == '\0';
}

unsigned head_read(struct head *head, struct MHD_Connection *connection, const char *version,
		   const char **ret_problem)
{
	struct framing framing = {.head = head};

	head->connection = connection;
	head->content_length = 0;
	head->count = 0;
	head->overflow = false;
	(void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_field, &framing);
	if (framing.bad_name)
		*ret_problem = "a header has a name with a character that names cannot have, such "
			       "as a blank before the colon";
	else if (framing.hosts > 1 ||
		 (framing.hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_1) == 0))
		*ret_problem = "an HTTP/1.1 request needs one Host header";
	else if (framing.lengths + framing.codings > 1)
		*ret_problem = "send one Content-Length or one Transfer-Encoding, not both and "
			       "none of them twice";
	else if (framing.coding && strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
		*ret_problem = "an HTTP/1.0 request cannot have a Transfer-Encoding";
	else if (framing.length && !parse_length(framing.length, &head->content_length))
		*ret_problem = "Content-Length must be a whole number of bytes";
	else if (framing.coding && strcasecmp(framing.coding, "chunked") != 0) {
		*ret_problem = "the only Transfer-Encoding that this server takes is chunked";
		return 501;
	} else {
		if (framing.coding)
			head->content_length = LENGTH_UNKNOWN;
		return 0;
	}
	return 400;
}

const char *head_find(const struct head *head, struct slice name)
{
	for (size_t i = 0; i < head->count; i++)
		if (is_named(head->fields[i].name, head->fields[i].name_len, name))
			return head->fields[i].value;
	return head->overflow
		       ? MHD_lookup_connection_value(head->connection, MHD_HEADER_KIND, name.data)
		       : NULL;
}

struct count {
	struct slice name;
	size_t times;
};

static enum MHD_Result count_field(void *cls, enum MHD_ValueKind kind, const char *name,
				   size_t name_len, const char *value, size_t value_len)
{
	struct count *count = cls;

	(void)kind;
	(void)value;
	(void)value_len;
	count->times += is_named(name, name_len, count->name);
	return MHD_YES;
}

bool head_repeats(const struct head *head, struct slice name)
{
	struct count count = {.name = name};

	(void)MHD_get_connection_values_n(head->connection, MHD_HEADER_KIND, count_field, &count);
	return count.times > 1;
}
