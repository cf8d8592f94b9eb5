#include "backends/redis/exchange.h"

#include <stdlib.h>

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
	request->headers = request->body = (struct buffer){0};
	return exchange;
}

static void drop_replies(struct redis_exchange *exchange)
{
	for (unsigned i = 0; i < exchange->got; i++)
		redis_reply_deinit(&exchange->replies[i]);
	exchange->got = 0;
	exchange->got_bytes = 0;
}

void redis_exchange_free(struct redis_exchange *exchange)
{
	drop_replies(exchange);
	if (exchange->replies != &exchange->one)
		free(exchange->replies);
	remote_request_deinit(&exchange->request);
	free(exchange);
}

void redis_exchange_rewind(struct redis_exchange *exchange)
{
	drop_replies(exchange);
	exchange->sent = 0;
	exchange->next = NULL;
}

void redis_exchange_end(struct redis_exchange *exchange, enum remote_failure failure, bool reached)
{
	bool is_whole = failure == FAILURE_NONE;
	struct remote_answer answer = {
		.failure = failure,
		.reached = reached,
		.retry_after_s = -1,
		.native = is_whole ? exchange->replies : NULL,
		.native_count = is_whole ? exchange->got : 0,
		.native_bytes = exchange->got_bytes,
	};

	if (exchange->request.done)
		exchange->request.done(exchange->request.user, &answer);
	buffer_deinit(&answer.body);
	redis_exchange_free(exchange);
}

void redis_exchange_refuse(struct redis_exchange *exchange, struct slice text)
{
	drop_replies(exchange);
	for (; exchange->got < exchange->request.replies; exchange->got++) {
		char *copy = calloc(1, text.len + 1);

		if (!copy)
			break;
		memcpy(copy, text.data, text.len);
		exchange->replies[exchange->got] = (struct redis_reply){
			.kind = REPLY_ERROR,
			.text = {.data = copy, .len = text.len},
		};
	}
	bool is_whole = exchange->got == exchange->request.replies;
	redis_exchange_end(exchange, is_whole ? FAILURE_NONE : FAILURE_CONNECT, false);
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

void redis_exchange_list_take(struct redis_exchange_list *list, struct redis_exchange_list *ret)
{
	*ret = *list;
	if (!ret->first)
		ret->last = &ret->first;
	redis_exchange_list_init(list);
}
