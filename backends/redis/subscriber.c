#include "backends/redis/subscriber.h"

#include <poll.h>
#include <stdlib.h>

#include "backends/redis/command.h"
#include "backends/remote/backoff.h"
#include "base/clock.h"

/* Between attempts: doubled with each that fails, as those of the transport. */
#define PAUSE_MIN_US    INT64_C(10000)
#define PAUSE_MAX_US    US_PER_S
#define PAUSE_BARRED_US (5 * US_PER_S) /* an ACL forbids it */
/* A subscription that lasted so long was no failure. */
#define LASTED_US US_PER_S
/* After so long a silence it is asked whether it is alive, and has so long to answer. */
#define ASK_US    US_PER_S
#define ANSWER_US (2 * US_PER_S)

void redis_subscriber_init(struct redis_subscriber *subscriber, struct redis_news *news,
			   int64_t connect_timeout_us)
{
	*subscriber = (struct redis_subscriber){
		.news = news,
		.connection.stream.fd = -1,
		.connect_timeout_us = connect_timeout_us,
		.random = (uint64_t)monotonic_now_us() ^ (uint64_t)(uintptr_t)subscriber,
	};
}

/* ---- Its end ---- */

static void hang_up(struct redis_subscriber *subscriber, bool is_lost)
{
	struct redis_exchange_list dropped;

	redis_connection_close(&subscriber->connection, &dropped);
	redis_exchange_list_drop(&dropped);
	subscriber->asked_us = 0;
	if (subscriber->news)
		redis_news_end(subscriber->news, is_lost);
}

void redis_subscriber_deinit(struct redis_subscriber *subscriber)
{
	hang_up(subscriber, false);
	free(subscriber->address.host);
	subscriber->address.host = NULL;
}

static void fail(struct redis_subscriber *subscriber, int64_t now_us)
{
	bool is_barred = subscriber->news->is_barred_to_subscribe;

	if (subscriber->connection.state == CONNECTION_READY &&
	    now_us - subscriber->began_us >= LASTED_US)
		subscriber->failures = 0;
	hang_up(subscriber, true);
	subscriber->next_attempt_us =
		now_us + remote_backoff_pause_us(
				 subscriber->failures++, is_barred ? PAUSE_BARRED_US : PAUSE_MIN_US,
				 is_barred ? PAUSE_BARRED_US : PAUSE_MAX_US, &subscriber->random);
}

/* ---- Its beginning ---- */

static void write_hello(void *user, const struct redis_url *url, struct remote_request *request)
{
	const struct redis_subscriber *subscriber = user;

	redis_hello_write_listener(url, request);
	redis_news_write_subscribe(subscriber->news, request);
}

/* A published message; all else is an answer. */
static bool take_message(void *user, const struct redis_reply *reply)
{
	struct redis_subscriber *subscriber = user;
	const struct redis_reply *kind = redis_reply_element(reply, 0, REPLY_STRING);
	const struct redis_reply *channel = redis_reply_element(reply, 2, REPLY_STRING);
	const struct redis_reply *message = redis_reply_element(reply, 3, REPLY_STRING);

	if (!kind || !slice_equal(kind->text, SLICE("pmessage")))
		return false;
	if (channel && message && reply->count == 4)
		redis_news_take(subscriber->news, channel->text, message->text);
	return true;
}

/* The server that it leads to may be forgotten meanwhile. False: out of memory. */
static bool copy_endpoint(struct redis_subscriber *subscriber,
			  const struct redis_endpoint *endpoint)
{
	free(subscriber->address.host);
	subscriber->address = (struct redis_address){0};
	subscriber->endpoint = *endpoint;
	if (!endpoint->address)
		return true;
	subscriber->address.host = strdup(endpoint->address->host);
	subscriber->address.port = endpoint->address->port;
	subscriber->endpoint.address = &subscriber->address;
	return subscriber->address.host != NULL;
}

static void start(struct redis_subscriber *subscriber, const struct redis_endpoint *endpoint,
		  int64_t now_us)
{
	const struct redis_connection_role role = {
		.write_hello = write_hello, .take_push = take_message, .user = subscriber};

	if (!endpoint || !copy_endpoint(subscriber, endpoint)) {
		fail(subscriber, now_us);
		return;
	}
	if (redis_connection_start_as(&subscriber->connection, &subscriber->endpoint, &role,
				      now_us + subscriber->connect_timeout_us) != FAILURE_NONE)
		fail(subscriber, now_us);
}

static void greeted(struct redis_subscriber *subscriber, const struct redis_exchange *hello)
{
	const struct redis_reply *last = &hello->replies[hello->got - 1];
	bool may = !redis_reply_is_error(last, SLICE("NOPERM"));

	redis_news_may_subscribe(subscriber->news, may);
	if (last->kind != REPLY_ARRAY ||
	    redis_hello_read_listener(subscriber->endpoint.url, hello->replies, hello->got - 1,
				      &subscriber->connection.hello)
			    .len > 0) {
		fail(subscriber, monotonic_now_us());
		return;
	}
	subscriber->connection.state = CONNECTION_READY;
	subscriber->began_us = monotonic_now_us();
	redis_news_begin(subscriber->news);
}

static void whole(void *user, struct redis_connection *connection, struct redis_exchange *exchange)
{
	struct redis_subscriber *subscriber = user;

	if (connection->state == CONNECTION_GREETS)
		greeted(subscriber, exchange);
	else
		subscriber->asked_us = 0;
	redis_exchange_free(exchange);
}

/* ---- Turns ---- */

static void ask(struct redis_subscriber *subscriber, int64_t now_us)
{
	struct remote_request request = {0};
	struct redis_exchange *exchange = NULL;

	redis_command_begin(&request, 1);
	redis_command_word(&request, SLICE("PING"));
	if (request.body.failed)
		remote_request_deinit(&request);
	else
		exchange = redis_exchange_create(EXCHANGE_LOOK, &request);
	subscriber->asked_us = now_us;
	if (exchange)
		redis_connection_push(&subscriber->connection, exchange);
}

/* By when something is to happen with it. */
static int64_t due_us(const struct redis_subscriber *subscriber, int64_t now_us)
{
	int64_t heard_us = subscriber->connection.heard_us;

	if (subscriber->connection.state == CONNECTION_CLOSED)
		return redis_news_are_wanted(subscriber->news, now_us) ? subscriber->next_attempt_us
								       : INT64_MAX;
	if (subscriber->connection.state != CONNECTION_READY)
		return subscriber->connection.limit_us;
	if (subscriber->asked_us == 0)
		return heard_us + ASK_US;
	return ANSWER_US + (subscriber->asked_us > heard_us ? subscriber->asked_us : heard_us);
}

static void act(struct redis_subscriber *subscriber, const struct redis_endpoint *endpoint,
		int64_t now_us)
{
	switch (subscriber->connection.state) {
	case CONNECTION_CLOSED:
		start(subscriber, endpoint, now_us);
		return;
	case CONNECTION_READY:
		if (subscriber->asked_us == 0) {
			ask(subscriber, now_us);
			return;
		}
		break;
	default:
		break;
	}
	fail(subscriber, now_us);
}

bool redis_subscriber_is_closed(const struct redis_subscriber *subscriber)
{
	return subscriber->connection.state == CONNECTION_CLOSED;
}

void redis_subscriber_move(struct redis_subscriber *subscriber, int64_t now_us)
{
	fail(subscriber, now_us);
}

int64_t redis_subscriber_begin_turn(struct redis_subscriber *subscriber,
				    const struct redis_endpoint *endpoint, int64_t now_us,
				    struct pollfd *ret)
{
	struct redis_connection *connection = &subscriber->connection;

	*ret = (struct pollfd){.fd = -1};
	if (!subscriber->news)
		return INT64_MAX;
	bool were_heard = redis_news_are_heard(subscriber->news);
	if (connection->state != CONNECTION_CLOSED &&
	    !redis_news_are_wanted(subscriber->news, now_us))
		hang_up(subscriber, false);
	if (due_us(subscriber, now_us) <= now_us)
		act(subscriber, endpoint, now_us);
	if (connection->state >= CONNECTION_GREETS && redis_connection_has_output(connection) &&
	    !redis_connection_send(connection))
		fail(subscriber, now_us);
	*ret = redis_connection_polled(connection);
	if (redis_news_are_heard(subscriber->news) != were_heard ||
	    redis_stream_has_more(&connection->stream))
		return now_us;
	return due_us(subscriber, now_us);
}

void redis_subscriber_end_turn(struct redis_subscriber *subscriber, bool is_awake)
{
	struct redis_connection *connection = &subscriber->connection;
	enum remote_failure failure = redis_connection_turn(connection, &subscriber->endpoint,
							    is_awake, whole, subscriber);

	if (failure != FAILURE_NONE && connection->state != CONNECTION_CLOSED)
		fail(subscriber, monotonic_now_us());
}
