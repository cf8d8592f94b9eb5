#include "backends/redis/node.h"

#include <stdlib.h>

#include "backends/redis/figures.h"
#include "backends/redis/news.h"
#include "backends/redis/node_carry.h"
#include "backends/redis/verdict.h"
#include "backends/remote/backoff.h"
#include "base/clock.h"

/* Between attempts to connect: doubled with each that fails. */
#define PAUSE_MIN_US INT64_C(10000)
#define PAUSE_MAX_US INT64_C(200000)
/* What has so little time left when its connection ends has none for another try. */
#define SOON_US INT64_C(20000)

/* ---- The end of connections ---- */

/* Ends an exchange whose connection broke, or that never had one. */
static void end_broken(struct redis_node *node, struct redis_exchange *exchange,
		       enum remote_failure failure, struct slice refusal)
{
	const struct redis_node_config *config = node->config;

	if (exchange->kind == EXCHANGE_WORK || exchange->kind == EXCHANGE_SLOTS)
		config->events->failed(config->user, node, exchange, failure, refusal);
	else
		redis_exchange_free(exchange);
}

static bool is_alive(const struct redis_node *node)
{
	for (size_t i = 0; i < node->count; i++)
		if (node->connections[i].state != CONNECTION_CLOSED &&
		    !node->connections[i].is_retiring)
			return true;
	return false;
}

/* What waits for a connection ends if there is none any more. */
static void fail_waiting(struct redis_node *node, enum remote_failure failure, struct slice refusal)
{
	struct redis_exchange_list waiting;
	struct redis_exchange *exchange;

	if (is_alive(node))
		return;
	redis_exchange_list_take(&node->waiting, &waiting);
	while ((exchange = redis_exchange_list_pop(&waiting)))
		end_broken(node, exchange, failure, refusal);
}

static void pause_attempts(struct redis_node *node)
{
	int64_t now_us = monotonic_now_us();

	node->next_attempt_us = now_us + remote_backoff_pause_us(node->failures++, PAUSE_MIN_US,
								 PAUSE_MAX_US, &node->random);
	redis_figures_add(node->config->figures, REDIS_FIGURE_CONNECTS_FAILED, 1);
	if (node->down_us == 0 && !is_alive(node))
		node->down_us = now_us;
}

/* An attempt that led to no ready connection. */
static void give_up(struct redis_node *node, struct redis_connection *connection,
		    enum remote_failure failure)
{
	const struct redis_exchange *hello = connection->exchanges.first;
	struct redis_hello ignored;
	struct slice error = {0};
	struct redis_exchange_list dropped;
	struct redis_exchange *exchange;

	/* A server that has no place for us says so, and hangs up. One that wants TLS only hangs
	 * up. */
	if (connection->state == CONNECTION_GREETS && hello && failure == FAILURE_RESET) {
		error = redis_hello_read(node->config->url, hello->replies, hello->got, &ignored);
		if (hello->got == 0)
			failure = FAILURE_CONNECT;
	}
	redis_connection_close(connection, &dropped);
	pause_attempts(node);
	fail_waiting(node, failure, error);
	while ((exchange = redis_exchange_list_pop(&dropped)))
		end_broken(node, exchange, failure, error);
}

static void break_connection(struct redis_node *node, struct redis_connection *connection,
			     enum remote_failure failure)
{
	struct redis_exchange_list dropped;
	struct redis_exchange *exchange;

	if (connection->state != CONNECTION_READY) {
		give_up(node, connection, failure);
		return;
	}
	redis_node_carry_remember(node, connection);
	redis_node_carry_free_lanes(node, connection);
	redis_connection_close(connection, &dropped);
	while ((exchange = redis_exchange_list_pop(&dropped))) {
		enum remote_failure its = exchange->is_late ? FAILURE_TIMEOUT : failure;

		end_broken(node, exchange, its, (struct slice){0});
		if (failure == FAILURE_BAD_ANSWER)
			failure = FAILURE_RESET; /* the first one's was bad */
	}
	redis_node_carry_waiting(node); /* what waited for its lane */
}

void redis_node_break(struct redis_node *node)
{
	for (size_t i = 0; i < node->count; i++)
		if (node->connections[i].state != CONNECTION_CLOSED)
			break_connection(node, &node->connections[i], FAILURE_RESET);
}

/* ---- Whole exchanges ---- */

static void note_memory(struct redis_node *node, const struct redis_hello *hello)
{
	node->memory_used = hello->memory_used;
	node->memory_max = hello->memory_max;
}

static void greeted(struct redis_node *node, struct redis_connection *connection,
		    struct redis_exchange *exchange)
{
	struct slice error = redis_hello_read(node->config->url, exchange->replies, exchange->got,
					      &connection->hello);

	if (error.len > 0) {
		struct redis_exchange_list none;

		redis_connection_close(connection, &none);
		pause_attempts(node);
		fail_waiting(node, FAILURE_CONNECT, error);
	} else {
		connection->state = CONNECTION_READY;
		connection->looked_us = monotonic_now_us();
		note_memory(node, &connection->hello);
		redis_figures_add(node->config->figures, REDIS_FIGURE_CONNECTS, 1);
		redis_figures_add(node->config->figures, REDIS_FIGURE_SCRIPT_LOADS,
				  connection->hello.has_loaded ? 1 : 0);
		if (node->config->news)
			redis_news_may_publish(node->config->news, connection->hello.may_publish);
		node->failures = 0;
		node->next_attempt_us = 0;
		node->down_us = 0;
		if (!connection->hello.has_functions)
			redis_node_carry_script(connection);
		redis_node_carry_kills(node, connection);
		redis_node_carry_waiting(node);
	}
	redis_exchange_free(exchange);
}

/* Whether the exchange is sent again because the server has lost the script. */
static bool is_repeated(struct redis_connection *connection, struct redis_exchange *exchange)
{
	unsigned lacking = 0;

	for (unsigned i = 0; i < exchange->got; i++) {
		const struct redis_reply *reply = redis_exchange_reply(exchange, i);

		lacking += reply && redis_verdict_lacks_script(reply);
	}
	if (lacking == 0 || exchange->was_repeated ||
	    (lacking < exchange->got && !exchange->request.is_repeatable))
		return false;
	redis_exchange_rewind(exchange);
	exchange->was_repeated = true;
	redis_node_carry_script(connection);
	redis_connection_push(connection, exchange);
	return true;
}

static void answer(struct redis_node *node, struct redis_connection *connection,
		   struct redis_exchange *exchange)
{
	for (unsigned i = 0; i < exchange->got; i++) {
		const struct redis_reply *reply = redis_exchange_reply(exchange, i);

		/* Another server may be the master now. */
		if (reply)
			connection->is_retiring |= redis_reply_is_error(reply, SLICE("READONLY"));
	}
	node->config->events->answered(node->config->user, node, exchange);
}

static void whole(void *user, struct redis_connection *connection, struct redis_exchange *exchange)
{
	struct redis_node *node = user;
	struct redis_hello hello;

	switch (exchange->kind) {
	case EXCHANGE_HELLO:
		greeted(node, connection, exchange);
		return;
	case EXCHANGE_LOOK:
		connection->is_retiring |=
			redis_hello_read_look(node->config->url, exchange->replies, &hello).len > 0;
		note_memory(node, &hello);
		redis_exchange_free(exchange);
		return;
	case EXCHANGE_SCRIPT:
		redis_figures_add(node->config->figures, REDIS_FIGURE_SCRIPT_LOADS,
				  exchange->replies[0].kind != REPLY_ERROR ? 1 : 0);
		redis_exchange_free(exchange);
		return;
	case EXCHANGE_KILL:
		redis_exchange_free(exchange);
		return;
	case EXCHANGE_WORK:
	case EXCHANGE_SLOTS:
		if (!is_repeated(connection, exchange))
			answer(node, connection, exchange);
		return;
	}
}

/* ---- Time ---- */

static bool is_timed(const struct redis_exchange *exchange)
{
	return exchange->kind == EXCHANGE_WORK || exchange->kind == EXCHANGE_SLOTS;
}

/* A request whose time is over ends. If it has begun, its connection does, too: else what the
 * server does late might come after what is sent later over another one. */
static void expire_connection(struct redis_node *node, struct redis_connection *connection,
			      int64_t now_us)
{
	struct redis_exchange *next;
	bool is_late = false;

	for (struct redis_exchange *each = connection->exchanges.first; each; each = next) {
		next = each->next;
		if (!is_timed(each))
			continue;
		if (each->limit_us > now_us + (is_late ? SOON_US : 0)) {
			node->next_limit_us = earlier_us(node->next_limit_us, each->limit_us);
			continue;
		}
		each->is_late = true;
		if (redis_connection_has_begun(connection, each)) {
			is_late = true;
			continue;
		}
		redis_connection_remove(connection, each);
		end_broken(node, each, FAILURE_TIMEOUT, (struct slice){0});
	}
	if (is_late)
		break_connection(node, connection, FAILURE_RESET);
}

static void expire_waiting(struct redis_node *node, int64_t now_us)
{
	struct redis_exchange_list waiting;
	struct redis_exchange *exchange;
	bool is_greeting = false;

	for (size_t i = 0; i < node->count; i++)
		is_greeting |= node->connections[i].state == CONNECTION_GREETS;
	redis_exchange_list_take(&node->waiting, &waiting);
	while ((exchange = redis_exchange_list_pop(&waiting)))
		if (exchange->limit_us <= now_us) {
			exchange->is_late = true;
			end_broken(node, exchange, is_greeting ? FAILURE_TIMEOUT : FAILURE_CONNECT,
				   (struct slice){0});
		} else {
			node->next_limit_us = earlier_us(node->next_limit_us, exchange->limit_us);
			redis_exchange_list_insert(&node->waiting, exchange);
		}
}

static void expire(struct redis_node *node, int64_t now_us)
{
	for (size_t i = 0; i < node->count; i++) {
		struct redis_connection *each = &node->connections[i];

		if (each->state != CONNECTION_CLOSED && each->state != CONNECTION_READY &&
		    each->limit_us <= now_us)
			give_up(node, each,
				each->state == CONNECTION_GREETS ? FAILURE_TIMEOUT
								 : FAILURE_CONNECT);
	}
	if (now_us < node->next_limit_us)
		return;
	node->next_limit_us = INT64_MAX;
	for (size_t i = 0; i < node->count; i++)
		if (node->connections[i].state == CONNECTION_READY)
			expire_connection(node, &node->connections[i], now_us);
	expire_waiting(node, now_us);
}

/* ---- Turns ---- */

static void start(struct redis_node *node, struct redis_connection *connection, int64_t now_us)
{
	enum remote_failure failure = redis_connection_start(
		connection, &node->endpoint, now_us + node->config->connect_timeout_us);

	connection->kills_told =
		node->kill_count > REDIS_NODE_KILLS ? node->kill_count - REDIS_NODE_KILLS : 0;
	if (failure != FAILURE_NONE)
		give_up(node, connection, failure);
}

static bool is_wanted(const struct redis_node *node)
{
	const struct redis_connection *chosen = redis_node_carry_choose(node);

	if (chosen)
		return redis_node_carry_is_busy(node, chosen);
	return node->waiting.first || node->is_kept;
}

/* Begins another connection if something waits for one, or all that are ready are full; one at a
 * time. */
static void start_where_wanted(struct redis_node *node, int64_t now_us)
{
	struct redis_connection *closed = NULL;

	if (now_us < node->next_attempt_us || !is_wanted(node))
		return;
	for (size_t i = 0; i < node->count; i++) {
		struct redis_connection *each = &node->connections[i];

		if (each->state == CONNECTION_CLOSED)
			closed = closed ? closed : each;
		else if (each->state != CONNECTION_READY)
			return;
	}
	if (closed)
		start(node, closed, now_us);
}

static void send_all(struct redis_node *node, int64_t now_us)
{
	for (size_t i = 0; i < node->count; i++) {
		struct redis_connection *each = &node->connections[i];
		bool is_over = each->is_retiring && !each->exchanges.first;

		if (each->state >= CONNECTION_GREETS && redis_connection_has_output(each)) {
			if (each->unsent == each->exchanges.first)
				each->heard_us = now_us; /* nothing is unanswered so far */
			is_over = !redis_connection_send(each);
		}
		if (is_over)
			break_connection(node, each, FAILURE_RESET);
	}
}

void redis_node_prepare(struct redis_node *node, int64_t now_us)
{
	expire(node, now_us);
	start_where_wanted(node, now_us);
	send_all(node, now_us);
}

int64_t redis_node_poll(const struct redis_node *node, struct pollfd *ret, int64_t now_us)
{
	int64_t until_us = node->next_limit_us;

	if (node->next_attempt_us > now_us && is_wanted(node))
		until_us = earlier_us(until_us, node->next_attempt_us);
	for (size_t i = 0; i < node->count; i++) {
		const struct redis_connection *each = &node->connections[i];

		ret[i] = redis_connection_polled(each);
		if (each->state != CONNECTION_CLOSED && each->state != CONNECTION_READY)
			until_us = earlier_us(until_us, each->limit_us);
		if (redis_stream_has_more(&each->stream))
			until_us = now_us;
	}
	return until_us;
}

void redis_node_go_on(struct redis_node *node, const struct pollfd *polled)
{
	for (size_t i = 0; i < node->count; i++) {
		struct redis_connection *each = &node->connections[i];
		enum remote_failure failure = redis_connection_turn(
			each, &node->endpoint, polled[i].revents != 0, whole, node);

		if (failure != FAILURE_NONE && each->state != CONNECTION_CLOSED)
			break_connection(node, each, failure);
	}
}

/* ---- Carrying ---- */

void redis_node_carry(struct redis_node *node, struct redis_exchange *exchange)
{
	redis_node_carry_one(node, exchange);
}

void redis_node_take_waiting(struct redis_node *node, struct redis_exchange_list *ret)
{
	redis_exchange_list_take(&node->waiting, ret);
}

/* ---- Making and freeing ---- */

struct redis_node *redis_node_create(const struct redis_node_config *config,
				     const struct redis_address *address)
{
	struct redis_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->config = config;
	node->count = config->url->connections;
	node->next_limit_us = INT64_MAX;
	node->random = (uint64_t)monotonic_now_us() ^ (uint64_t)(uintptr_t)node;
	redis_exchange_list_init(&node->waiting);
	node->connections = calloc(node->count, sizeof(*node->connections));
	if (address)
		node->address = (struct redis_address){.host = strdup(address->host),
						       .port = address->port};
	if (!node->connections || (address && !node->address.host)) {
		redis_node_free(node);
		return NULL;
	}
	for (size_t i = 0; i < node->count; i++) {
		node->connections[i].stream.fd = -1;
		redis_exchange_list_init(&node->connections[i].exchanges);
	}
	node->endpoint = (struct redis_endpoint){
		.url = config->url,
		.address = address ? &node->address : NULL,
		.trust = config->trust,
		.wake_fd = config->wake_fd,
		.answer_max_bytes = config->answer_max_bytes,
	};
	return node;
}

void redis_node_free(struct redis_node *node)
{
	struct redis_exchange_list list;

	if (!node)
		return;
	for (size_t i = 0; node->connections && i < node->count; i++) {
		redis_connection_close(&node->connections[i], &list);
		redis_exchange_list_drop(&list);
	}
	redis_exchange_list_drop(&node->waiting);
	free(node->connections);
	free(node->address.host);
	free(node);
}

void redis_node_connect(struct redis_node *node, int64_t now_us)
{
	start(node, &node->connections[0], now_us);
}
