#include "server/http/head.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

static bool is_named(const char *name, size_t len, struct slice wanted)
{
	return len == wanted.len && strncasecmp(name, wanted.data, len) == 0;
}

/* The bit in head->lengths for a length of names. */
static uint64_t length_bit(size_t name_len)
{
	return UINT64_C(1) << (name_len % 64);
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

/* Blanks at the end do not belong to the value (RFC 9110, 5.5), and the library leaves them there.
 * The value is in the connection's memory, and is cut in place for all later readers. */
static void trim(const char *value, size_t len)
{
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		((char *)(uintptr_t)value)[--len] = '\0';
}

static enum MHD_Result take_field(void *cls, enum MHD_ValueKind kind, const char *name,
				  size_t name_len, const char *value, size_t value_len)
{
	struct head *head = cls;

	(void)kind;
	if (!value)
		value = "";
	trim(value, value_len);
	if (name_len >= TRACE_NAME_MIN_LEN && name_len <= TRACE_NAME_MAX_LEN)
		take_trace_field(&head->trace, name, name_len, value);
	head->lengths |= length_bit(name_len);
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

void head_read(struct head *head, struct MHD_Connection *connection)
{
	head->connection = connection;
	head->count = 0;
	head->lengths = 0;
	head->overflow = false;
	(void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_field, head);
}

const char *head_find(const struct head *head, struct slice name)
{
	if ((head->lengths & length_bit(name.len)) == 0)
		return NULL;
	for (size_t i = 0; i < head->count; i++)
		if (is_named(head->fields[i].name, head->fields[i].name_len, name))
			return head->fields[i].value;
	return head->overflow
		       ? MHD_lookup_connection_value(head->connection, MHD_HEADER_KIND, name.data)
		       : NULL;
}

struct search {
	struct slice name;
	size_t left; /* to be skipped */
	const char *found;
};

static enum MHD_Result look_at_field(void *cls, enum MHD_ValueKind kind, const char *name,
				     size_t name_len, const char *value, size_t value_len)
{
	struct search *search = cls;

	(void)kind;
	(void)value_len;
	if (!is_named(name, name_len, search->name) || search->left-- > 0)
		return MHD_YES;
	search->found = value ? value : "";
	return MHD_NO;
}

const char *head_find_line(const struct head *head, struct slice name, size_t index)
{
	struct search search = {.name = name, .left = index};

	if ((head->lengths & length_bit(name.len)) == 0)
		return NULL;
	for (size_t i = 0; i < head->count; i++)
		if (look_at_field(&search, MHD_HEADER_KIND, head->fields[i].name,
				  head->fields[i].name_len, head->fields[i].value, 0) == MHD_NO)
			return search.found;
	if (!head->overflow)
		return NULL;
	search = (struct search){.name = name, .left = index};
	(void)MHD_get_connection_values_n(head->connection, MHD_HEADER_KIND, look_at_field,
					  &search);
	return search.found;
}

struct visit {
	void (*visit)(void *user, struct slice name, const char *value);
	void *user;
};

static enum MHD_Result visit_field(void *cls, enum MHD_ValueKind kind, const char *name,
				   size_t name_len, const char *value, size_t value_len)
{
	const struct visit *visit = cls;

	(void)kind;
	(void)value_len;
	visit->visit(visit->user, (struct slice){name, name_len}, value ? value : "");
	return MHD_YES;
}

void head_each(const struct head *head,
	       void (*visit)(void *user, struct slice name, const char *value), void *user)
{
	struct visit all = {visit, user};

	if (head->overflow)
		(void)MHD_get_connection_values_n(head->connection, MHD_HEADER_KIND, visit_field,
						  &all);
	for (size_t i = 0; !head->overflow && i < head->count; i++)
		visit(user, (struct slice){head->fields[i].name, head->fields[i].name_len},
		      head->fields[i].value);
}
