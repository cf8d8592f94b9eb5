#include "backends/redis/connection.h"

#include <sys/un.h>

#include "base/clock.h"
#include "base/invariant.h"

#define PIECES_MAX 64          /* exchanges that are written at once */
#define READ_BYTES (64U << 10) /* that are read at once */
#define READS_MAX  64          /* before others have their turn */

/* ---- Towards a stream ---- */

static bool start_unix(struct redis_connection *connection, const struct redis_url *url)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	union {
		const struct sockaddr_un *as_unix;
		const struct sockaddr *as_any;
	} cast = {.as_unix = &address};

	strncpy(address.sun_path, url->path, sizeof(address.sun_path) - 1);
	return redis_stream_start(&connection->stream, cast.as_any, sizeof(address), NULL, NULL);
}

/* Begins to connect to the next address to which that can be begun. False: there is none. */
static bool start_next(struct redis_connection *connection, const struct redis_endpoint *endpoint)
{
	while (connection->next_address) {
		const struct addrinfo *address = connection->next_address;

		connection->next_address = address->ai_next;
		if (redis_stream_start(&connection->stream, address->ai_addr, address->ai_addrlen,
				       endpoint->trust, endpoint->address->host))
			return true;
	}
	return false;
}

enum remote_failure redis_connection_start_as(struct redis_connection *connection,
					      const struct redis_endpoint *endpoint,
					      const struct redis_connection_role *role,
					      int64_t limit_us)
{
	const struct redis_url *url = endpoint->url;

	*connection = (struct redis_connection){
		.role = *role,
		.stream = {.fd = -1},
		.limit_us = limit_us,
		.reader = redis_reader_create(endpoint->answer_max_bytes),
	};
	redis_exchange_list_init(&connection->exchanges);
	if (!connection->reader)
		return FAILURE_CONNECT;
	connection->state = CONNECTION_CONNECTS;
	if (url->path)
		return start_unix(connection, url) ? redis_connection_go_on(connection, endpoint)
						   : FAILURE_CONNECT;
	connection->state = CONNECTION_LOOKS_UP;
	connection->lookup = redis_lookup_start(endpoint->address->host, endpoint->address->port,
						endpoint->wake_fd);
	if (!connection->lookup)
		return FAILURE_CONNECT;
	return redis_connection_go_on(connection, endpoint);
}

enum remote_failure redis_connection_start(struct redis_connection *connection,
					   const struct redis_endpoint *endpoint, int64_t limit_us)
{
	static const struct redis_connection_role for_exchanges;

	return redis_connection_start_as(connection, endpoint, &for_exchanges, limit_us);
}

static enum remote_failure look_up(struct redis_connection *connection,
				   const struct redis_endpoint *endpoint)
{
	if (!redis_lookup_take(connection->lookup, &connection->addresses))
		return FAILURE_NONE;
	redis_lookup_drop(connection->lookup);
	connection->lookup = NULL;
	connection->next_address = connection->addresses;
	connection->state = CONNECTION_CONNECTS;
	return start_next(connection, endpoint) ? FAILURE_NONE : FAILURE_CONNECT;
}

static enum remote_failure greet(struct redis_connection *connection,
				 const struct redis_endpoint *endpoint)
{
	struct remote_request request = {0};
	size_t held_from = 0;
	unsigned held_for = 0;

	if (connection->role.write_hello)
		connection->role.write_hello(connection->role.user, endpoint->url, &request);
	else
		held_from = redis_hello_write(endpoint->url, &request, &held_for);
	if (request.body.failed) {
		remote_request_deinit(&request);
		return FAILURE_CONNECT;
	}
	struct redis_exchange *hello = redis_exchange_create(EXCHANGE_HELLO, &request);
	if (!hello)
		return FAILURE_CONNECT;
	hello->limit_us = INT64_MAX;
	hello->held_from = held_from;
	hello->held_for = held_for;
	connection->state = CONNECTION_GREETS;
	redis_connection_push(connection, hello);
	return redis_connection_send(connection) ? FAILURE_NONE : FAILURE_RESET;
}

enum remote_failure redis_connection_go_on(struct redis_connection *connection,
					   const struct redis_endpoint *endpoint)
{
	if (connection->state == CONNECTION_LOOKS_UP) {
		enum remote_failure failure = look_up(connection, endpoint);

		if (failure != FAILURE_NONE)
			return failure;
	}
	while (connection->state == CONNECTION_CONNECTS) {
		switch (redis_stream_go_on(&connection->stream)) {
		case STREAM_OPEN:
			return greet(connection, endpoint);
		case STREAM_WAITS:
			return FAILURE_NONE;
		case STREAM_UNTRUSTED:
			return FAILURE_TLS;
		case STREAM_BROKEN:
			if (connection->stream.is_connected)
				return FAILURE_CONNECT;
			redis_stream_close(&connection->stream);
			if (!start_next(connection, endpoint))
				return FAILURE_CONNECT;
		}
	}
	return FAILURE_NONE;
}

/* ---- Sending ---- */

void redis_connection_push(struct redis_connection *connection, struct redis_exchange *exchange)
{
	redis_exchange_list_push(&connection->exchanges, exchange);
	if (!connection->unsent)
		connection->unsent = exchange;
	connection->under_way++;
	connection->unsent_bytes += exchange->request.body.len;
}

bool redis_connection_has_begun(const struct redis_connection *connection,
				const struct redis_exchange *exchange)
{
	size_t begun = connection->stream.tls_begun;

	for (const struct redis_exchange *at = connection->unsent; at && begun > 0; at = at->next) {
		size_t left = at->request.body.len - at->sent;

		if (at == exchange)
			return true;
		begun -= left < begun ? left : begun;
	}
	return exchange->sent > 0;
}

void redis_connection_remove(struct redis_connection *connection, struct redis_exchange *exchange)
{
	struct redis_exchange **link = &connection->exchanges.first;

	INVARIANT(!redis_connection_has_begun(connection, exchange));
	while (*link != exchange)
		link = &(*link)->next;
	*link = exchange->next;
	if (!exchange->next)
		connection->exchanges.last = link;
	if (connection->unsent == exchange)
		connection->unsent = exchange->next;
	connection->under_way--;
	connection->unsent_bytes -= exchange->request.body.len;
}

static void count_sent(struct redis_connection *connection, size_t len)
{
	connection->unsent_bytes -= len;
	while (len > 0) {
		struct redis_exchange *exchange = connection->unsent;
		size_t left = exchange->request.body.len - exchange->sent;
		size_t part = len < left ? len : left;

		exchange->sent += part;
		len -= part;
		if (part == left)
			connection->unsent = exchange->next;
	}
}

bool redis_connection_has_output(const struct redis_connection *connection)
{
	const struct redis_exchange *unsent = connection->unsent;

	return unsent && unsent->sent < redis_exchange_may_send(unsent);
}

bool redis_connection_send(struct redis_connection *connection)
{
	while (redis_connection_has_output(connection)) {
		struct iovec pieces[PIECES_MAX];
		int count = 0;

		for (struct redis_exchange *at = connection->unsent; at && count < PIECES_MAX;
		     at = at->next) {
			size_t end = redis_exchange_may_send(at);

			pieces[count++] = (struct iovec){
				.iov_base = at->request.body.data + at->sent,
				.iov_len = end - at->sent,
			};
			if (end < at->request.body.len)
				break;
		}
		ssize_t sent = redis_stream_write(&connection->stream, pieces, count);
		if (sent <= 0)
			return sent == 0;
		count_sent(connection, (size_t)sent);
	}
	return true;
}

/* ---- Receiving ---- */

static bool is_asked_for(const struct redis_exchange *exchange)
{
	/* The server answers commands of a request whose others are not sent yet. */
	return exchange && exchange->sent > 0 &&
	       (exchange->sent == exchange->request.body.len ||
		exchange->got + 1 < exchange->asked);
}

/* Gives replies to the exchanges in whose place they are. */
static enum remote_failure take_replies(struct redis_connection *connection,
					void (*whole)(void *user,
						      struct redis_connection *connection,
						      struct redis_exchange *exchange),
					void *user)
{
	struct redis_reply reply;
	enum redis_read result;

	while ((result = redis_reader_next(connection->reader, &reply)) == READ_REPLY) {
		struct redis_exchange *exchange = connection->exchanges.first;

		if (connection->role.take_push &&
		    connection->role.take_push(connection->role.user, &reply)) {
			redis_reply_deinit(&reply);
			continue;
		}
		/* A server that ends a connection may say why without being asked. */
		if (!is_asked_for(exchange)) {
			bool is_notice = reply.kind == REPLY_ERROR;

			if (is_notice && exchange && exchange->kind == EXCHANGE_HELLO) {
				exchange->replies[0] = reply;
				exchange->got = 1;
			} else {
				redis_reply_deinit(&reply);
			}
			return is_notice ? FAILURE_RESET : FAILURE_BAD_ANSWER;
		}
		bool is_over = exchange->held_from > 0 && redis_hello_is_over(&reply);
		redis_exchange_take(exchange, &reply, redis_reader_last_bytes(connection->reader));
		if (is_over)
			return FAILURE_RESET;
		if (exchange->got < exchange->asked)
			continue;
		(void)redis_exchange_list_pop(&connection->exchanges);
		connection->under_way--;
		whole(user, connection, exchange);
		if (connection->state == CONNECTION_CLOSED)
			return FAILURE_NONE;
	}
	return result == READ_MORE  ? FAILURE_NONE
	       : result == READ_BAD ? FAILURE_BAD_ANSWER
				    : FAILURE_RESET;
}

enum remote_failure redis_connection_receive(struct redis_connection *connection,
					     void (*whole)(void *user,
							   struct redis_connection *connection,
							   struct redis_exchange *exchange),
					     void *user)
{
	char bytes[READ_BYTES];

	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t got = redis_stream_read(&connection->stream, bytes, sizeof(bytes));
		enum remote_failure failure;

		if (got <= 0)
			return got == 0 ? FAILURE_NONE : FAILURE_RESET;
		if (i == 0)
			connection->heard_us = monotonic_now_us();
		if (!redis_reader_feed(connection->reader,
				       (struct slice){.data = bytes, .len = (size_t)got}))
			return FAILURE_RESET;
		failure = take_replies(connection, whole, user);
		if (failure != FAILURE_NONE || connection->state == CONNECTION_CLOSED)
			return failure;
		if ((size_t)got < sizeof(bytes) && !redis_stream_has_more(&connection->stream))
			break;
	}
	return FAILURE_NONE;
}

/* ---- Turns ---- */

struct pollfd redis_connection_polled(const struct redis_connection *connection)
{
	if (connection->state == CONNECTION_CLOSED || connection->state == CONNECTION_LOOKS_UP)
		return (struct pollfd){.fd = -1};
	return (struct pollfd){
		.fd = connection->stream.fd,
		.events = redis_stream_events(&connection->stream,
					      redis_connection_has_output(connection)),
	};
}

enum remote_failure redis_connection_turn(struct redis_connection *connection,
					  const struct redis_endpoint *endpoint, bool is_awake,
					  void (*whole)(void *user,
							struct redis_connection *connection,
							struct redis_exchange *exchange),
					  void *user)
{
	is_awake |= redis_stream_has_more(&connection->stream);
	if (connection->state == CONNECTION_LOOKS_UP ||
	    (connection->state == CONNECTION_CONNECTS && is_awake))
		return redis_connection_go_on(connection, endpoint);
	if (connection->state >= CONNECTION_GREETS && is_awake)
		return redis_connection_receive(connection, whole, user);
	return FAILURE_NONE;
}

void redis_connection_close(struct redis_connection *connection, struct redis_exchange_list *ret)
{
	redis_exchange_list_init(ret);
	if (connection->state == CONNECTION_CLOSED)
		return;
	redis_exchange_list_take(&connection->exchanges, ret);
	redis_stream_close(&connection->stream);
	redis_reader_free(connection->reader);
	redis_lookup_drop(connection->lookup);
	if (connection->addresses)
		freeaddrinfo(connection->addresses);
	*connection = (struct redis_connection){.stream = {.fd = -1}};
	redis_exchange_list_init(&connection->exchanges);
}
