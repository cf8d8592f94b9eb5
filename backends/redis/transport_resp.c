#include "backends/redis/transport_resp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "backends/redis/connection.h"
#include "backends/redis/trust.h"
#include "backends/redis/verdict.h"
#include "backends/remote/backoff.h"
#include "backends/remote/protocol.h"
#include "base/clock.h"

/* A connection with so much before it is full: the next one takes over. */
#define FULL_REQUESTS 64
#define FULL_BYTES    (256U << 10)
/* Between attempts to connect: doubled with each that fails. */
#define PAUSE_MIN_US INT64_C(10000)
#define PAUSE_MAX_US INT64_C(200000)
/* Connections that broke of which the server may not know yet. */
#define KILLS_MAX 8
/* Lanes with a connection of their own; more share these. */
#define LANES_MAX 4
/* While a connection is in use, the server is looked at again so often. */
#define LOOK_US     US_PER_S
#define WAIT_MAX_US (60 * US_PER_S)

struct kill {
	int64_t client_id;
	char run_id[41];
};

struct resp_transport {
	struct remote_transport transport; /* first: the engine is handed this */
	const struct remote_settings *settings;
	const struct redis_settings *own;
	struct redis_trust *trust;
	struct redis_endpoint endpoint;
	struct redis_connection *connections;
	size_t count;
	struct pollfd *polled;
	struct redis_connection *lanes[LANES_MAX]; /* over which each goes; NULL: any */
	struct redis_exchange_list waiting;        /* for a connection that is ready */
	int64_t next_limit_us;                     /* no exchange of work has an earlier one */
	unsigned failures;                         /* attempts since the last that succeeded */
	int64_t next_attempt_us;
	uint64_t random;
	bool has_ended;               /* a request, in this turn, before the wait */
	struct kill kills[KILLS_MAX]; /* number i at i modulo KILLS_MAX */
	uint64_t kill_count;
};

static struct resp_transport *resp_of(struct remote_transport *transport)
{
	return (struct resp_transport *)transport;
}

/* ---- Who carries what ---- */

static bool is_full(const struct redis_connection *connection)
{
	return connection->under_way >= FULL_REQUESTS || connection->unsent_bytes >= FULL_BYTES;
}

/* The first connection that is not full: what goes together shares system calls. If all are full,
 * the one with the least before it. NULL: none is ready. */
static struct redis_connection *choose(const struct resp_transport *transport)
{
	struct redis_connection *best = NULL;

	for (size_t i = 0; i < transport->count; i++) {
		struct redis_connection *each = &transport->connections[i];

		if (each->state != CONNECTION_READY || each->is_retiring)
			continue;
		if (!is_full(each))
			return each;
		if (!best || each->under_way < best->under_way)
			best = each;
	}
	return best;
}

/* The same for a lane: the connection over which its requests before this one went. If that is
 * about to end, there is none until then. */
static struct redis_connection *choose_for(struct resp_transport *transport, unsigned lane)
{
	struct redis_connection **held;

	if (lane == 0)
		return choose(transport);
	held = &transport->lanes[(lane - 1) % LANES_MAX];
	if (!*held)
		*held = choose(transport);
	return *held && !(*held)->is_retiring ? *held : NULL;
}

static void free_lanes(struct resp_transport *transport, const struct redis_connection *connection)
{
	for (size_t i = 0; i < LANES_MAX; i++)
		if (transport->lanes[i] == connection)
			transport->lanes[i] = NULL;
}

/* Puts a command of our own on a connection. False: out of memory. */
static bool push_own(struct redis_connection *connection, enum redis_exchange_kind kind,
		     struct remote_request *request)
{
	struct redis_exchange *exchange =
		request->body.failed ? NULL : redis_exchange_create(kind, request);

	if (exchange)
		redis_connection_push(connection, exchange);
	else
		remote_request_deinit(request);
	return exchange != NULL;
}

/* Has the server forget connections that broke, before anything else goes over this one. Another
 * process of the server has never known them, and may have given their numbers to others. */
static void tell_kills(struct resp_transport *transport, struct redis_connection *connection)
{
	if (transport->kill_count > connection->kills_told + KILLS_MAX)
		connection->kills_told = transport->kill_count - KILLS_MAX;
	for (; connection->kills_told < transport->kill_count; connection->kills_told++) {
		const struct kill *kill = &transport->kills[connection->kills_told % KILLS_MAX];
		struct remote_request request = {0};

		if (strcmp(kill->run_id, connection->hello.run_id) != 0)
			continue;
		redis_hello_write_kill(kill->client_id, &request);
		if (!push_own(connection, EXCHANGE_KILL, &request))
			return;
	}
}

/* A master may become a replica, and then has old values, without ending its connections. */
static void look_again(struct redis_connection *connection, int64_t now_us)
{
	struct remote_request request = {0};

	if (now_us < connection->looked_us + LOOK_US)
		return;
	connection->looked_us = now_us;
	redis_hello_write_look(&request);
	(void)push_own(connection, EXCHANGE_LOOK, &request);
}

static void load_script(struct redis_connection *connection)
{
	struct remote_request request = {0};

	redis_hello_write_script(connection->hello.has_functions, &request);
	(void)push_own(connection, EXCHANGE_SCRIPT, &request);
}

static void carry(struct resp_transport *transport, struct redis_exchange *exchange)
{
	struct redis_connection *connection = choose_for(transport, exchange->request.lane);

	if (!connection) {
		redis_exchange_list_push(&transport->waiting, exchange);
		return;
	}
	tell_kills(transport, connection);
	look_again(connection, monotonic_now_us());
	redis_connection_push(connection, exchange);
}

static void carry_waiting(struct resp_transport *transport)
{
	struct redis_exchange_list waiting;
	struct redis_exchange *exchange;

	redis_exchange_list_take(&transport->waiting, &waiting);
	while ((exchange = redis_exchange_list_pop(&waiting)))
		carry(transport, exchange);
}

/* ---- The end of connections ---- */

/* Ends an exchange whose connection broke, or that never had one. */
static void end_broken(struct resp_transport *transport, struct redis_exchange *exchange,
		       enum remote_failure failure)
{
	transport->has_ended = true;
	if (exchange->kind != EXCHANGE_WORK)
		redis_exchange_free(exchange);
	else
		redis_exchange_end(exchange, exchange->is_late ? FAILURE_TIMEOUT : failure,
				   exchange->sent > 0);
}

static bool is_alive(const struct resp_transport *transport)
{
	for (size_t i = 0; i < transport->count; i++)
		if (transport->connections[i].state != CONNECTION_CLOSED &&
		    !transport->connections[i].is_retiring)
			return true;
	return false;
}

/* What waits for a connection ends if there is none any more; text.len > 0: with that error of the
 * server. */
static void fail_waiting(struct resp_transport *transport, enum remote_failure failure,
			 struct slice text)
{
	struct redis_exchange_list waiting;
	struct redis_exchange *exchange;

	if (is_alive(transport))
		return;
	redis_exchange_list_take(&transport->waiting, &waiting);
	transport->has_ended |= waiting.first != NULL;
	while ((exchange = redis_exchange_list_pop(&waiting)))
		if (text.len > 0)
			redis_exchange_refuse(exchange, text);
		else
			end_broken(transport, exchange, failure);
}

static void remember_kill(struct resp_transport *transport,
			  const struct redis_connection *connection)
{
	struct kill *kill = &transport->kills[transport->kill_count % KILLS_MAX];
	bool has_sent = false;

	for (const struct redis_exchange *at = connection->exchanges.first; at; at = at->next)
		has_sent |= at->sent > 0;
	if (!has_sent || connection->hello.client_id == 0 || *connection->hello.run_id == '\0')
		return;
	kill->client_id = connection->hello.client_id;
	memcpy(kill->run_id, connection->hello.run_id, sizeof(kill->run_id));
	transport->kill_count++;
}

static void pause_attempts(struct resp_transport *transport)
{
	int64_t pause_us = PAUSE_MIN_US;

	for (unsigned i = 0; i < transport->failures && pause_us < PAUSE_MAX_US; i++)
		pause_us *= 2;
	if (pause_us > PAUSE_MAX_US)
		pause_us = PAUSE_MAX_US;
	transport->failures++;
	pause_us -= (int64_t)(remote_backoff_random(&transport->random) % (uint64_t)pause_us) / 2;
	transport->next_attempt_us = monotonic_now_us() + pause_us;
}

/* An attempt that led to no ready connection. */
static void give_up(struct resp_transport *transport, struct redis_connection *connection,
		    enum remote_failure failure)
{
	const struct redis_exchange *hello = connection->exchanges.first;
	struct redis_hello ignored;
	struct slice error = {0};
	struct redis_exchange_list dropped;
	struct redis_exchange *exchange;

	/* A server that has no place for us says so, and hangs up. */
	if (connection->state == CONNECTION_GREETS && hello && failure == FAILURE_RESET)
		error = redis_hello_read(transport->endpoint.url, hello->replies, hello->got,
					 &ignored);
	redis_connection_close(connection, &dropped);
	pause_attempts(transport);
	fail_waiting(transport, failure, error);
	while ((exchange = redis_exchange_list_pop(&dropped)))
		end_broken(transport, exchange, failure);
}

static void break_connection(struct resp_transport *transport, struct redis_connection *connection,
			     enum remote_failure failure)
{
	struct redis_exchange_list dropped;
	struct redis_exchange *exchange;

	if (connection->state != CONNECTION_READY) {
		give_up(transport, connection, failure);
		return;
	}
	remember_kill(transport, connection);
	free_lanes(transport, connection);
	redis_connection_close(connection, &dropped);
	while ((exchange = redis_exchange_list_pop(&dropped))) {
		end_broken(transport, exchange, failure);
		if (failure == FAILURE_BAD_ANSWER)
			failure = FAILURE_RESET; /* the first one's was bad */
	}
	carry_waiting(transport); /* what waited for its lane */
}

/* ---- Whole exchanges ---- */

static void greeted(struct resp_transport *transport, struct redis_connection *connection,
		    struct redis_exchange *exchange)
{
	struct slice error = redis_hello_read(transport->endpoint.url, exchange->replies,
					      exchange->got, &connection->hello);

	if (error.len > 0) {
		struct redis_exchange_list none;

		redis_connection_close(connection, &none);
		pause_attempts(transport);
		fail_waiting(transport, FAILURE_CONNECT, error);
	} else {
		connection->state = CONNECTION_READY;
		connection->looked_us = monotonic_now_us();
		transport->failures = 0;
		transport->next_attempt_us = 0;
		if (!connection->hello.has_functions)
			load_script(connection);
		tell_kills(transport, connection);
		carry_waiting(transport);
	}
	redis_exchange_free(exchange);
}

/* Whether the exchange is sent again because the server has lost the script. */
static bool is_repeated(struct redis_connection *connection, struct redis_exchange *exchange)
{
	unsigned lacking = 0;

	for (unsigned i = 0; i < exchange->got; i++)
		lacking += redis_verdict_lacks_script(&exchange->replies[i]);
	if (lacking == 0 || exchange->was_repeated ||
	    (lacking < exchange->got && !exchange->request.is_repeatable))
		return false;
	redis_exchange_rewind(exchange);
	exchange->was_repeated = true;
	load_script(connection);
	redis_connection_push(connection, exchange);
	return true;
}

static void answer(struct redis_connection *connection, struct redis_exchange *exchange)
{
	bool reached = false;

	for (unsigned i = 0; i < exchange->got; i++) {
		const struct redis_reply *reply = &exchange->replies[i];

		reached |= !redis_verdict_is_refusal(reply);
		/* Another server may be the master now. */
		connection->is_retiring |= redis_reply_is_error(reply, SLICE("READONLY"));
	}
	redis_exchange_end(exchange, FAILURE_NONE, reached);
}

static void whole(void *user, struct redis_connection *connection, struct redis_exchange *exchange)
{
	switch (exchange->kind) {
	case EXCHANGE_HELLO:
		greeted(user, connection, exchange);
		return;
	case EXCHANGE_LOOK:
		connection->is_retiring |= redis_hello_read_look(exchange->replies).len > 0;
		redis_exchange_free(exchange);
		return;
	case EXCHANGE_SCRIPT:
	case EXCHANGE_KILL:
		redis_exchange_free(exchange);
		return;
	case EXCHANGE_WORK:
		if (!is_repeated(connection, exchange))
			answer(connection, exchange);
		return;
	}
}

/* ---- Time ---- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A request whose time is over ends. If some of it is sent, its connection does, too: else what the
 * server does late might come after what is sent later over another one. */
static void expire_connection(struct resp_transport *transport, struct redis_connection *connection,
			      int64_t now_us)
{
	struct redis_exchange *next;
	bool is_late = false;

	for (struct redis_exchange *each = connection->exchanges.first; each; each = next) {
		next = each->next;
		if (each->kind != EXCHANGE_WORK)
			continue;
		if (each->limit_us > now_us) {
			transport->next_limit_us =
				earlier(transport->next_limit_us, each->limit_us);
			continue;
		}
		each->is_late = true;
		if (each->sent > 0) {
			is_late = true;
			continue;
		}
		redis_connection_remove(connection, each);
		end_broken(transport, each, FAILURE_TIMEOUT);
	}
	if (is_late)
		break_connection(transport, connection, FAILURE_RESET);
}

static void expire_waiting(struct resp_transport *transport, int64_t now_us)
{
	struct redis_exchange_list waiting;
	struct redis_exchange *exchange;
	bool is_greeting = false;

	for (size_t i = 0; i < transport->count; i++)
		is_greeting |= transport->connections[i].state == CONNECTION_GREETS;
	redis_exchange_list_take(&transport->waiting, &waiting);
	while ((exchange = redis_exchange_list_pop(&waiting)))
		if (exchange->limit_us <= now_us) {
			end_broken(transport, exchange,
				   is_greeting ? FAILURE_TIMEOUT : FAILURE_CONNECT);
		} else {
			transport->next_limit_us =
				earlier(transport->next_limit_us, exchange->limit_us);
			redis_exchange_list_push(&transport->waiting, exchange);
		}
}

static void expire(struct resp_transport *transport, int64_t now_us)
{
	for (size_t i = 0; i < transport->count; i++) {
		struct redis_connection *each = &transport->connections[i];

		if (each->state != CONNECTION_CLOSED && each->state != CONNECTION_READY &&
		    each->limit_us <= now_us)
			give_up(transport, each,
				each->state == CONNECTION_GREETS ? FAILURE_TIMEOUT
								 : FAILURE_CONNECT);
	}
	if (now_us < transport->next_limit_us)
		return;
	transport->next_limit_us = INT64_MAX;
	for (size_t i = 0; i < transport->count; i++)
		if (transport->connections[i].state == CONNECTION_READY)
			expire_connection(transport, &transport->connections[i], now_us);
	expire_waiting(transport, now_us);
}

/* ---- Turns ---- */

static void start(struct resp_transport *transport, struct redis_connection *connection,
		  int64_t now_us)
{
	enum remote_failure failure = redis_connection_start(
		connection, &transport->endpoint, now_us + transport->settings->connect_timeout_us);

	connection->kills_told =
		transport->kill_count > KILLS_MAX ? transport->kill_count - KILLS_MAX : 0;
	if (failure != FAILURE_NONE)
		give_up(transport, connection, failure);
}

/* Begins another connection if something waits for one, or all that are ready are full; one at a
 * time. */
static void start_where_wanted(struct resp_transport *transport, int64_t now_us)
{
	struct redis_connection *closed = NULL;
	const struct redis_connection *chosen = choose(transport);

	if ((chosen && !is_full(chosen)) || (!chosen && !transport->waiting.first) ||
	    now_us < transport->next_attempt_us)
		return;
	for (size_t i = 0; i < transport->count; i++) {
		struct redis_connection *each = &transport->connections[i];

		if (each->state == CONNECTION_CLOSED)
			closed = closed ? closed : each;
		else if (each->state != CONNECTION_READY)
			return;
	}
	if (closed)
		start(transport, closed, now_us);
}

static void send_all(struct resp_transport *transport)
{
	for (size_t i = 0; i < transport->count; i++) {
		struct redis_connection *each = &transport->connections[i];

		bool is_over = each->is_retiring && !each->exchanges.first;

		if (each->state >= CONNECTION_GREETS && each->unsent)
			is_over = !redis_connection_send(each);
		if (is_over)
			break_connection(transport, each, FAILURE_RESET);
	}
}

/* Waits for something to happen, at most until `until_us`. */
static void poll_all(struct resp_transport *transport, int64_t timeout_us, int64_t now_us)
{
	nfds_t count = 0;

	if (transport->waiting.first && transport->next_attempt_us > now_us)
		timeout_us = earlier(timeout_us, transport->next_attempt_us - now_us);
	timeout_us = earlier(timeout_us, transport->next_limit_us - now_us);
	transport->polled[count++] =
		(struct pollfd){.fd = transport->endpoint.wake_fd, .events = POLLIN};
	for (size_t i = 0; i < transport->count; i++) {
		const struct redis_connection *each = &transport->connections[i];

		transport->polled[count] = (struct pollfd){.fd = -1};
		if (each->state != CONNECTION_CLOSED && each->state != CONNECTION_READY)
			timeout_us = earlier(timeout_us, each->limit_us - now_us);
		if (each->state != CONNECTION_CLOSED && each->state != CONNECTION_LOOKS_UP)
			transport->polled[count] = (struct pollfd){
				.fd = each->stream.fd,
				.events = redis_stream_events(&each->stream, each->unsent != NULL),
			};
		if (redis_stream_has_more(&each->stream))
			timeout_us = 0;
		count++;
	}
	timeout_us = timeout_us < 0 ? 0 : earlier(timeout_us, WAIT_MAX_US);
	const struct timespec timeout = {
		.tv_sec = timeout_us / US_PER_S,
		.tv_nsec = timeout_us % US_PER_S * 1000,
	};
	if (ppoll(transport->polled, count, &timeout, NULL) < 0)
		for (nfds_t i = 0; i < count; i++)
			transport->polled[i].revents = 0;
}

static void go_on(struct resp_transport *transport, struct redis_connection *connection,
		  bool is_awake)
{
	enum remote_failure failure = FAILURE_NONE;

	if (connection->state == CONNECTION_LOOKS_UP ||
	    (connection->state == CONNECTION_CONNECTS && is_awake))
		failure = redis_connection_go_on(connection, &transport->endpoint);
	else if (connection->state >= CONNECTION_GREETS && is_awake)
		failure = redis_connection_receive(connection, whole, transport);
	if (failure != FAILURE_NONE && connection->state != CONNECTION_CLOSED)
		break_connection(transport, connection, failure);
}

/* remote_transport_ops.wait */
static void wait_for_answers(struct remote_transport *of, int64_t timeout_us)
{
	struct resp_transport *transport = resp_of(of);
	int64_t now_us = monotonic_now_us();
	uint64_t count;

	transport->has_ended = false;
	expire(transport, now_us);
	start_where_wanted(transport, now_us);
	send_all(transport);
	poll_all(transport, transport->has_ended ? 0 : timeout_us, now_us);
	if (transport->polled[0].revents != 0 &&
	    read(transport->endpoint.wake_fd, &count, sizeof(count)) < 0)
		count = 0;
	for (size_t i = 0; i < transport->count; i++) {
		struct redis_connection *each = &transport->connections[i];

		go_on(transport, each,
		      transport->polled[i + 1].revents != 0 ||
			      redis_stream_has_more(&each->stream));
	}
}

/* remote_transport_ops.submit */
static bool submit(struct remote_transport *of, struct remote_request *request)
{
	struct resp_transport *transport = resp_of(of);
	struct redis_exchange *exchange = redis_exchange_create(EXCHANGE_WORK, request);

	if (!exchange)
		return false;
	exchange->limit_us = monotonic_now_us() + exchange->request.timeout_us;
	exchange->request.trace = NULL;
	transport->next_limit_us = earlier(transport->next_limit_us, exchange->limit_us);
	carry(transport, exchange);
	return true;
}

/* remote_transport_ops.wake */
static void wake(struct remote_transport *of)
{
	const uint64_t one = 1;

	while (write(resp_of(of)->endpoint.wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* ---- Opening and closing ---- */

static void drop_all(struct redis_exchange_list *list)
{
	struct redis_exchange *exchange;

	while ((exchange = redis_exchange_list_pop(list)))
		redis_exchange_free(exchange);
}

/* remote_transport_ops.close */
static void close_transport(struct remote_transport *of)
{
	struct resp_transport *transport = resp_of(of);
	struct redis_exchange_list list;

	for (size_t i = 0; transport->connections && i < transport->count; i++) {
		redis_connection_close(&transport->connections[i], &list);
		drop_all(&list);
	}
	redis_exchange_list_take(&transport->waiting, &list);
	drop_all(&list);
	if (transport->endpoint.wake_fd >= 0)
		(void)close(transport->endpoint.wake_fd);
	redis_trust_free(transport->trust);
	free(transport->connections);
	free(transport->polled);
	free(transport);
}

static const struct remote_transport_ops resp_ops = {
	.submit = submit,
	.wait = wait_for_answers,
	.wake = wake,
	.close = close_transport,
};

static bool prepare(struct resp_transport *transport)
{
	const struct redis_settings *own = transport->own;
	char ignored[200];

	transport->connections = calloc(transport->count, sizeof(*transport->connections));
	transport->polled = calloc(transport->count + 1, sizeof(*transport->polled));
	if (!transport->connections || !transport->polled || transport->endpoint.wake_fd < 0)
		return false;
	for (size_t i = 0; i < transport->count; i++)
		transport->connections[i].stream.fd = -1;
	if (!own->url.has_tls)
		return true;
	transport->trust = redis_trust_create(transport->settings->ca_file, own->cert_file,
					      own->key_file, ignored, sizeof(ignored));
	transport->endpoint.trust = transport->trust;
	return transport->trust != NULL;
}

struct remote_transport *redis_transport_open(const struct remote_settings *settings,
					      const struct remote_protocol *protocol,
					      const struct redis_settings *own)
{
	struct resp_transport *transport = calloc(1, sizeof(*transport));

	if (!transport)
		return NULL;
	*transport = (struct resp_transport){
		.transport.ops = &resp_ops,
		.settings = settings,
		.own = own,
		.endpoint = {.url = &own->url,
			     .address = own->url.servers,
			     .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
			     .answer_max_bytes = protocol->answer_max_bytes},
		.count = own->url.connections,
		.next_limit_us = INT64_MAX,
		.random = (uint64_t)monotonic_now_us() ^ (uint64_t)(uintptr_t)transport,
	};
	redis_exchange_list_init(&transport->waiting);
	if (!prepare(transport)) {
		close_transport(&transport->transport);
		return NULL;
	}
	start(transport, &transport->connections[0], monotonic_now_us());
	return &transport->transport;
}
