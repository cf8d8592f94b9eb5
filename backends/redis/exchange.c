#include "backends/redis/exchange.h"

#include <limits.h>
#include <stdlib.h>

#include "base/invariant.h"

struct redis_exchange *redis_exchange_create(enum redis_exchange_kind kind,
					     struct remote_request *request)
{
	struct redis_exchange *exchange = calloc(1, sizeof(*exchange));
	struct redis_reply *replies = exchange ? &exchange->one : NULL;

	if (exchange && request->replies > 1)
		replies = calloc(request->replies, sizeof(*replies));
	if (!replies) {
		free(exchange);
		remote_request_deinit(request);
		return NULL;
	}
	exchange->kind = kind;
	exchange->request = *request;
	exchange->replies = replies;
	exchange->asked = request->replies;
	request->headers = request->body = (struct buffer){0};
	return exchange;
}

/* In `places`: a reply that is of no use. */
#define NO_PLACE UINT_MAX

static unsigned place_of(const struct redis_exchange *exchange, unsigned i)
{
	return exchange->places ? exchange->places[i] : i;
}

void redis_exchange_free(struct redis_exchange *exchange)
{
	for (unsigned i = 0; i < exchange->request.replies; i++)
		redis_reply_deinit(&exchange->replies[i]);
	if (exchange->replies != &exchange->one)
		free(exchange->replies);
	free(exchange->places);
	remote_request_deinit(&exchange->request);
	free(exchange);
}

size_t redis_exchange_may_send(const struct redis_exchange *exchange)
{
	bool is_held = exchange->held_from > 0 && exchange->got < exchange->held_for;

	return is_held ? exchange->held_from : exchange->request.body.len;
}

void redis_exchange_take(struct redis_exchange *exchange, struct redis_reply *reply, size_t bytes)
{
	unsigned place = place_of(exchange, exchange->got);

	exchange->got++;
	exchange->got_bytes += bytes;
	if (place == NO_PLACE)
		redis_reply_deinit(reply);
	else
		exchange->replies[place] = *reply;
}

const struct redis_reply *redis_exchange_reply(const struct redis_exchange *exchange, unsigned i)
{
	unsigned place = place_of(exchange, i);

	return place == NO_PLACE ? NULL : &exchange->replies[place];
}

void redis_exchange_rewind(struct redis_exchange *exchange)
{
	for (unsigned i = 0; i < exchange->got; i++)
		if (place_of(exchange, i) != NO_PLACE)
			redis_reply_deinit(&exchange->replies[place_of(exchange, i)]);
	exchange->got = 0;
	exchange->sent = 0;
	exchange->next = NULL;
}

/* ---- A part of the commands ---- */

/* Reads a sign, digits, CR LF at *at and moves it behind them. */
static size_t read_head(struct slice body, size_t *at)
{
	size_t number = 0;

	for (++*at; *at < body.len && body.data[*at] != '\r'; ++*at)
		number = number * 10 + (size_t)(body.data[*at] - '0');
	*at += 2;
	return number;
}

/* The command at `at` of a body. */
static struct slice command_at(struct slice body, size_t at)
{
	size_t end = at;

	for (size_t words = read_head(body, &end); words > 0; words--) {
		size_t len = read_head(body, &end);

		end += len + 2;
	}
	INVARIANT(end <= body.len);
	return (struct slice){.data = body.data + at, .len = end - at};
}

/* Whether the command to which reply number `i` belongs has still to be sent. */
static bool is_open(const struct redis_exchange *exchange, unsigned i,
		    bool (*is_undone)(const struct redis_reply *reply))
{
	return place_of(exchange, i) != NO_PLACE &&
	       (i >= exchange->got || is_undone(&exchange->replies[place_of(exchange, i)]));
}

bool redis_exchange_again(struct redis_exchange *exchange,
			  bool (*is_undone)(const struct redis_reply *reply), bool is_asking)
{
	static const struct slice asking = {.data = "*1\r\n$6\r\nASKING\r\n", .len = 16};
	unsigned *places = calloc(2 * (size_t)exchange->request.replies, sizeof(*places));
	struct buffer *body = &exchange->request.body, fresh = {0};
	unsigned count = 0;
	size_t at = 0;

	for (unsigned i = 0; places && i < exchange->asked; i++) {
		struct slice command = command_at(buffer_bytes(body), at);

		at += command.len;
		if (!is_open(exchange, i, is_undone))
			continue;
		if (is_asking) {
			buffer_append(&fresh, asking);
			places[count++] = NO_PLACE;
		}
		buffer_append(&fresh, command);
		places[count++] = place_of(exchange, i);
	}
	if (!places || fresh.failed) {
		free(places);
		buffer_deinit(&fresh);
		return false;
	}
	for (unsigned i = 0; i < exchange->got; i++) {
		if (is_open(exchange, i, is_undone))
			redis_reply_deinit(&exchange->replies[place_of(exchange, i)]);
		else if (place_of(exchange, i) != NO_PLACE)
			exchange->is_begun = true;
	}
	free(exchange->places);
	exchange->places = places;
	buffer_deinit(body);
	*body = fresh;
	exchange->asked = count;
	exchange->got = 0;
	exchange->sent = 0;
	exchange->is_asking = is_asking;
	exchange->was_repeated = false;
	exchange->next = NULL;
	return true;
}

/* ---- The end ---- */

void redis_exchange_end(struct redis_exchange *exchange, enum remote_failure failure, bool reached,
			bool is_partial)
{
	bool is_whole = failure == FAILURE_NONE;
	struct remote_answer answer = {
		.failure = failure,
		.reached = reached || exchange->is_begun,
		.is_partial = is_partial,
		.retry_after_s = -1,
		.native = is_whole ? exchange->replies : NULL,
		.native_count = is_whole ? exchange->request.replies : 0,
		.native_bytes = exchange->got_bytes,
	};

	if (exchange->request.done)
		exchange->request.done(exchange->request.user, &answer);
	buffer_deinit(&answer.body);
	redis_exchange_free(exchange);
}

static bool fill_with(struct redis_exchange *exchange, struct slice text)
{
	for (unsigned i = 0; i < exchange->request.replies; i++) {
		char *copy = calloc(1, text.len + 1);

		redis_reply_deinit(&exchange->replies[i]);
		if (!copy)
			return false;
		memcpy(copy, text.data, text.len);
		exchange->replies[i] = (struct redis_reply){
			.kind = REPLY_ERROR,
			.text = {.data = copy, .len = text.len},
		};
	}
	return true;
}

void redis_exchange_refuse(struct redis_exchange *exchange, struct slice text, bool is_partial)
{
	enum remote_failure failure = fill_with(exchange, text) ? FAILURE_NONE : FAILURE_CONNECT;

	redis_exchange_end(exchange, failure, false, is_partial);
}

void redis_exchange_list_init(struct redis_exchange_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

void redis_exchange_list_push(struct redis_exchange_list *list, struct redis_exchange *exchange)
{
	exchange->next = NULL;
	*list->last = exchange;
	list->last = &exchange->next;
}

void redis_exchange_list_insert(struct redis_exchange_list *list, struct redis_exchange *exchange)
{
	struct redis_exchange **at = &list->first;

	while (*at && (*at)->order <= exchange->order)
		at = &(*at)->next;
	exchange->next = *at;
	*at = exchange;
	if (!exchange->next)
		list->last = &exchange->next;
}

struct redis_exchange *redis_exchange_list_pop(struct redis_exchange_list *list)
{
	struct redis_exchange *first = list->first;

	if (!first)
		return NULL;
	list->first = first->next;
	if (!list->first)
		list->last = &list->first;
	first->next = NULL;
	return first;
}

void redis_exchange_list_drop(struct redis_exchange_list *list)
{
	struct redis_exchange *exchange;

	while ((exchange = redis_exchange_list_pop(list)))
		redis_exchange_free(exchange);
}

size_t redis_exchange_list_count(const struct redis_exchange_list *list)
{
	size_t count = 0;

	for (const struct redis_exchange *at = list->first; at; at = at->next)
		count++;
	return count;
}

void redis_exchange_list_take(struct redis_exchange_list *list, struct redis_exchange_list *ret)
{
	*ret = *list;
	if (!ret->first)
		ret->last = &ret->first;
	redis_exchange_list_init(list);
}
