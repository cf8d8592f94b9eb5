#include "server/log/trace.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/clock.h"
#include "server/http/head.h"

/* ---- Request ids ---- */

/* A character that no log, shell or page could misread. */
static bool is_safe(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~:/+=@|", c));
}

static bool is_request_id(const char *text)
{
	size_t len = 0;

	while (len <= CACHE_REQUEST_ID_MAX_LEN && is_safe((unsigned char)text[len]))
		len++;
	return len >= 1 && len <= CACHE_REQUEST_ID_MAX_LEN && text[len] == '\0';
}

static void put_hex(char *out, uint64_t number, size_t digits)
{
	for (size_t i = digits; i-- > 0; number >>= 4)
		out[i] = "0123456789abcdef"[number & 15];
}

#define SERIES_LEN ((size_t)16)
#define NUMBER_LEN (MADE_ID_LEN - SERIES_LEN)

/* A thread's ids: its own 64 random bits, and a counter. */
static _Thread_local struct {
	uint32_t next; /* 0: start a new series */
	char series[SERIES_LEN];
} ids;

static void begin_series(void)
{
	uint64_t random = 0;

	/* Early in the life of a machine there may be no random bits yet. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = (uint64_t)cache_clock_now_us(&system_clock) << 12 ^ (uintptr_t)&ids;
	put_hex(ids.series, random, SERIES_LEN);
	ids.next = 1;
}

const char *trace_request_id(struct trace *trace, char room[static MADE_ID_LEN + 1])
{
	if (trace->sent.request_id)
		return trace->sent.request_id;
	if (ids.next == 0)
		begin_series();
	memcpy(room, ids.series, SERIES_LEN);
	put_hex(room + SERIES_LEN, ids.next++, NUMBER_LEN);
	room[MADE_ID_LEN] = '\0';
	trace->sent.request_id = room;
	return room;
}

/* ---- traceparent ---- */

/* Positions in "00-TRACEID-PARENTID-01". */
#define AT_TRACE_ID  3
#define AT_PARENT_ID 36
#define AT_FLAGS     53

static bool is_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
	return true;
}

/* ... an id, which is not all zeros. */
static bool is_id(const char *text, size_t len)
{
	return is_hex(text, len) && strspn(text, "0") < len;
}

/* Version 00, or a later one, which begins in the same way and may continue after a dash. */
static bool is_traceparent(const char *text)
{
	if (strnlen(text, TRACEPARENT_LEN) < TRACEPARENT_LEN || !is_hex(text, 2) ||
	    strncmp(text, "ff", 2) == 0 || text[2] != '-' || !is_id(text + AT_TRACE_ID, 32) ||
	    text[AT_PARENT_ID - 1] != '-' || !is_id(text + AT_PARENT_ID, 16) ||
	    text[AT_FLAGS - 1] != '-' || !is_hex(text + AT_FLAGS, 2))
		return false;
	char end = text[TRACEPARENT_LEN];
	return end == '\0' || (end == '-' && strncmp(text, "00", 2) != 0);
}

/* The part of a later version that version 00 defines: of its flags only "sampled". */
static const char *known_part(const char *text, char room[static TRACEPARENT_LEN + 1])
{
	if (strncmp(text, "00", 2) == 0)
		return text;
	memcpy(room, text, TRACEPARENT_LEN);
	memcpy(room, "00", 2);
	room[AT_FLAGS] = '0';
	room[AT_FLAGS + 1] = strchr("13579bdf", text[AT_FLAGS + 1]) ? '1' : '0';
	room[TRACEPARENT_LEN] = '\0';
	return room;
}

/* ---- tracestate ---- */

static bool is_key_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_-*/@", c));
}

/* key=value, as far as it matters for passing it on. */
static bool is_member(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len && is_key_byte(text[at]))
		at++;
	if (at == 0 || at > 256 || at + 1 >= len || text[at] != '=')
		return false;
	for (at++; at < len; at++)
		if (text[at] < ' ' || text[at] > '~' || text[at] == '=')
			return false;
	return true;
}

/* A list under construction: what does not fit is left out, from the end. */
struct list {
	char *text; /* room for CACHE_TRACESTATE_MAX_LEN and a NUL */
	size_t len;
	bool is_full;
};

/* Appends the members of one header. False: one of them is malformed. */
static bool add_members(struct list *list, const char *field)
{
	for (;;) {
		field += strspn(field, " \t");
		size_t len = strcspn(field, ",");
		const char *next = field + len;

		while (len > 0 && (field[len - 1] == ' ' || field[len - 1] == '\t'))
			len--;
		if (len > 0 && !is_member(field, len))
			return false;
		list->is_full |= list->len + len + 1 > CACHE_TRACESTATE_MAX_LEN;
		if (len > 0 && !list->is_full) {
			if (list->len > 0)
				list->text[list->len++] = ',';
			memcpy(list->text + list->len, field, len);
			list->len += len;
		}
		if (*next == '\0')
			return true;
		field = next + 1;
	}
}

/* The headers of that name form one list. NULL if it is empty, or one of its members is
 * malformed. */
static const char *read_tracestate(const struct head *head, char *room)
{
	struct list list = {.text = room};
	unsigned found = 0;

	for (size_t i = 0; i < head->count; i++) {
		const struct head_field *field = &head->fields[i];

		if (field->name_len != strlen("tracestate") ||
		    strncasecmp(field->name, "tracestate", field->name_len) != 0)
			continue;
		found++;
		if (!add_members(&list, field->value))
			return NULL;
	}
	room[list.len] = '\0';
	return found == head->trace.states && list.len > 0 ? room : NULL;
}

/* Both texts in one block. */
#define REWRITTEN_BYTES (TRACEPARENT_LEN + 1 + CACHE_TRACESTATE_MAX_LEN + 1)

/* A request works without a trace too: so it has none if memory runs out. */
static void rewrite(const struct head *head, struct trace *trace)
{
	const char *parent = trace->sent.traceparent;

	if (strncmp(parent, "00", 2) == 0 && trace->states == 0)
		return;
	trace->sent.traceparent = NULL;
	trace->rewritten = malloc(REWRITTEN_BYTES);
	if (!trace->rewritten)
		return;
	trace->sent.traceparent = known_part(parent, trace->rewritten);
	if (trace->states > 0)
		trace->sent.tracestate =
			read_tracestate(head, trace->rewritten + TRACEPARENT_LEN + 1);
}

void trace_check(struct head *head)
{
	struct trace *trace = &head->trace;

	/* A header that was sent twice does not count. */
	if (trace->request_ids != 1 || !is_request_id(trace->sent.request_id))
		trace->sent.request_id = NULL;
	if (trace->parents == 1 && is_traceparent(trace->sent.traceparent))
		rewrite(head, trace);
	else
		trace->sent.traceparent = NULL;
}

void trace_deinit(struct trace *trace)
{
	free(trace->rewritten);
	trace->rewritten = NULL;
}

const char *trace_id_of(const struct trace *trace, char room[static TRACE_ID_LEN + 1])
{
	if (!trace->sent.traceparent)
		return NULL;
	memcpy(room, trace->sent.traceparent + AT_TRACE_ID, TRACE_ID_LEN);
	room[TRACE_ID_LEN] = '\0';
	return room;
}
