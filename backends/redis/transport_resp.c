#include "backends/redis/transport_resp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "backends/redis/cluster.h"
#include "backends/redis/figures.h"
#include "backends/redis/news.h"
#include "backends/redis/node.h"
#include "backends/redis/node_state.h"
#include "backends/redis/subscriber.h"
#include "backends/redis/trust.h"
#include "backends/redis/verdict.h"
#include "backends/remote/protocol.h"
#include "base/clock.h"

#define WAIT_MAX_US (60 * US_PER_S)

struct resp_transport {
	struct remote_transport transport; /* first: the engine is handed this */
	struct redis_node_config config;
	struct redis_trust *trust;
	struct redis_node *node;       /* the server, or */
	struct redis_cluster *cluster; /* those of a Cluster */
	struct redis_subscriber subscriber;
	struct redis_exchange_list deaf; /* requests that wait till news are heard */
	struct pollfd *polled;           /* the wake_fd, the subscriber, connections */
	size_t polled_size;
	uint64_t order; /* of the last request that was submitted */
	bool has_ended; /* a request, in this turn, before the wait */
};

static struct resp_transport *resp_of(struct remote_transport *transport)
{
	return (struct resp_transport *)transport;
}

/* ---- What becomes of requests to one server ---- */

/* redis_node_events.answered */
static void answered(void *user, struct redis_node *node, struct redis_exchange *exchange)
{
	bool reached = false;

	(void)user;
	(void)node;
	for (unsigned i = 0; i < exchange->got; i++)
		reached |= !redis_verdict_is_refusal(redis_exchange_reply(exchange, i));
	redis_exchange_end(exchange, FAILURE_NONE, reached, false);
}

/* redis_node_events.failed */
static void failed(void *user, struct redis_node *node, struct redis_exchange *exchange,
		   enum remote_failure failure, struct slice refusal)
{
	struct resp_transport *transport = user;

	(void)node;
	transport->has_ended = true;
	if (refusal.len > 0)
		redis_exchange_refuse(exchange, refusal, false);
	else
		redis_exchange_end(exchange, failure, exchange->sent > 0, false);
}

static const struct redis_node_events events = {.answered = answered, .failed = failed};

/* ---- Requests ---- */

static void carry(struct resp_transport *transport, struct redis_exchange *exchange)
{
	if (transport->cluster)
		redis_cluster_carry(transport->cluster, exchange);
	else
		redis_node_carry(transport->node, exchange);
}

/* Carries what waits till news are heard, or ends it because its time is over or they cannot be
 * heard. Returns when to look again at the latest. */
static int64_t carry_deaf(struct resp_transport *transport, int64_t now_us)
{
	const struct redis_news *news = transport->config.news;
	struct redis_exchange_list deaf;
	struct redis_exchange *exchange;
	int64_t until_us = INT64_MAX;

	redis_exchange_list_take(&transport->deaf, &deaf);
	while ((exchange = redis_exchange_list_pop(&deaf))) {
		if (exchange->limit_us <= now_us) {
			redis_exchange_end(exchange, FAILURE_TIMEOUT, false, false);
			until_us = now_us;
		} else if (news && redis_news_are_heard(news)) {
			carry(transport, exchange);
		} else if (!news || redis_news_are_barred(news)) {
			redis_exchange_refuse(exchange, SLICE("NOPERM"), false);
			until_us = now_us;
		} else {
			until_us = earlier_us(until_us, exchange->limit_us);
			redis_exchange_list_push(&transport->deaf, exchange);
		}
	}
	return until_us;
}

/* ---- Turns ---- */

/* What is true of the servers now. */
static void tell_figures(const struct resp_transport *transport)
{
	struct redis_figures *figures = transport->config.figures;
	struct redis_node_sum sum = {0};

	if (transport->cluster)
		redis_cluster_sum(transport->cluster, &sum);
	else
		redis_node_sum(transport->node, &sum);
	redis_figures_set(figures, REDIS_FIGURE_SERVERS, sum.servers);
	redis_figures_set(figures, REDIS_FIGURE_SERVERS_DOWN, sum.down);
	redis_figures_set(figures, REDIS_FIGURE_CONNECTIONS, sum.connections);
	redis_figures_set(figures, REDIS_FIGURE_MEMORY_USED, sum.memory_used);
	redis_figures_set(figures, REDIS_FIGURE_MEMORY_MAX, sum.is_unbounded ? 0 : sum.memory_max);
	redis_figures_set(figures, REDIS_FIGURE_MEMORY_FULLEST, sum.fullest_percent);
}

/* True: a request ended. */
static bool prepare_all(struct resp_transport *transport, int64_t now_us)
{
	if (transport->cluster)
		return redis_cluster_prepare(transport->cluster, now_us);
	transport->has_ended = false;
	redis_node_prepare(transport->node, now_us);
	return transport->has_ended;
}

/* Room for what is polled; how much that is. 0: out of memory. */
static nfds_t reserve(struct resp_transport *transport)
{
	size_t count = 2 + (transport->cluster ? redis_cluster_connections(transport->cluster)
					       : transport->node->count);

	if (count > transport->polled_size) {
		struct pollfd *grown = realloc(transport->polled, count * sizeof(*grown));

		if (!grown)
			return 0;
		transport->polled = grown;
		transport->polled_size = count;
	}
	return count;
}

/* The server of which news are heard next, if a connection to one is to begin. In a Cluster each
 * hears those of all. NULL: none. */
static const struct redis_endpoint *news_endpoint(const struct resp_transport *transport,
						  int64_t now_us)
{
	if (transport->cluster)
		return redis_cluster_endpoint(transport->cluster, now_us);
	return &transport->node->endpoint;
}

/* The address may lead to another server by now, which is told of what is written; in a Cluster the
 * node may be cut off from the others, and is no master any more. */
static void follow_news(struct resp_transport *transport, int64_t now_us)
{
	const struct redis_connection *listener = &transport->subscriber.connection;
	bool may_stay;

	if (listener->state != CONNECTION_READY)
		return;
	if (transport->cluster)
		may_stay = redis_cluster_has(transport->cluster, &transport->subscriber.address);
	else
		may_stay = redis_node_may_be(transport->node, listener->hello.run_id);
	if (!may_stay)
		redis_subscriber_move(&transport->subscriber, now_us);
}

/* Fills all that is polled. Returns when to go on at the latest. */
static int64_t fill_polled(struct resp_transport *transport, int64_t now_us)
{
	struct pollfd *polled = transport->polled;
	int64_t news_us, until_us;

	follow_news(transport, now_us);
	polled[0] = (struct pollfd){.fd = transport->config.wake_fd, .events = POLLIN};
	news_us = redis_subscriber_begin_turn(&transport->subscriber,
					      redis_subscriber_is_closed(&transport->subscriber)
						      ? news_endpoint(transport, now_us)
						      : NULL,
					      now_us, &polled[1]);
	if (transport->cluster)
		until_us = redis_cluster_poll(transport->cluster, polled + 2, now_us);
	else
		until_us = redis_node_poll(transport->node, polled + 2, now_us);
	return earlier_us(news_us, until_us);
}

/* Waits for something to happen, at most until `until_us`. */
static void poll_until(struct resp_transport *transport, nfds_t count, int64_t until_us,
		       int64_t now_us)
{
	int64_t wait_us = until_us < now_us ? 0 : until_us - now_us;

	if (wait_us > WAIT_MAX_US)
		wait_us = WAIT_MAX_US;
	const struct timespec timeout = {
		.tv_sec = wait_us / US_PER_S,
		.tv_nsec = wait_us % US_PER_S * 1000,
	};
	if (ppoll(transport->polled, count, &timeout, NULL) < 0)
		for (nfds_t i = 0; i < count; i++)
			transport->polled[i].revents = 0;
}

/* remote_transport_ops.wait */
static void wait_for_answers(struct remote_transport *of, int64_t timeout_us)
{
	struct resp_transport *transport = resp_of(of);
	int64_t now_us = monotonic_now_us(), until_us = now_us + timeout_us, deaf_us;
	uint64_t woken;

	deaf_us = carry_deaf(transport, now_us);
	if (prepare_all(transport, now_us))
		until_us = now_us;
	tell_figures(transport);
	nfds_t count = reserve(transport);
	if (count == 0)
		return;
	until_us = earlier_us(until_us, earlier_us(deaf_us, fill_polled(transport, now_us)));
	poll_until(transport, count, until_us, now_us);
	struct pollfd *polled = transport->polled;
	if (polled[0].revents != 0 && read(polled[0].fd, &woken, sizeof(woken)) < 0)
		woken = 0;
	redis_subscriber_end_turn(&transport->subscriber, polled[1].revents != 0);
	if (transport->cluster)
		redis_cluster_go_on(transport->cluster, polled + 2);
	else
		redis_node_go_on(transport->node, polled + 2);
}

/* remote_transport_ops.submit */
static bool submit(struct remote_transport *of, struct remote_request *request)
{
	struct resp_transport *transport = resp_of(of);
	struct redis_exchange *exchange = redis_exchange_create(EXCHANGE_WORK, request);

	if (!exchange)
		return false;
	exchange->order = ++transport->order;
	exchange->limit_us = monotonic_now_us() + exchange->request.timeout_us;
	exchange->request.trace = NULL;
	redis_figures_add(transport->config.figures, REDIS_FIGURE_COMMANDS,
			  exchange->request.replies);
	if (exchange->request.hears)
		redis_exchange_list_push(&transport->deaf, exchange);
	else
		carry(transport, exchange);
	return true;
}

/* remote_transport_ops.wake */
static void wake(struct remote_transport *of)
{
	const uint64_t one = 1;

	while (write(resp_of(of)->config.wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* ---- Opening and closing ---- */

/* remote_transport_ops.close */
static void close_transport(struct remote_transport *of)
{
	struct resp_transport *transport = resp_of(of);

	redis_node_free(transport->node);
	redis_cluster_free(transport->cluster);
	redis_subscriber_deinit(&transport->subscriber);
	redis_exchange_list_drop(&transport->deaf);
	if (transport->config.wake_fd >= 0)
		(void)close(transport->config.wake_fd);
	redis_trust_free(transport->trust);
	free(transport->polled);
	free(transport);
}

static const struct remote_transport_ops resp_ops = {
	.submit = submit,
	.wait = wait_for_answers,
	.wake = wake,
	.close = close_transport,
};

static bool prepare(struct resp_transport *transport, const struct remote_settings *settings,
		    const struct redis_settings *own)
{
	char ignored[200];

	if (transport->config.wake_fd < 0)
		return false;
	if (own->url.has_tls) {
		transport->trust = redis_trust_create(settings->ca_file, own->cert_file,
						      own->key_file, ignored, sizeof(ignored));
		if (!transport->trust)
			return false;
		transport->config.trust = transport->trust;
	}
	if (own->url.is_cluster) {
		transport->cluster = redis_cluster_create(&transport->config, settings->timeout_us);
		return transport->cluster != NULL;
	}
	transport->node = redis_node_create(&transport->config, own->url.servers);
	if (transport->node)
		redis_node_connect(transport->node, monotonic_now_us());
	return transport->node != NULL;
}

struct remote_transport *redis_transport_open(const struct remote_settings *settings,
					      const struct remote_protocol *protocol,
					      const struct redis_settings *own,
					      struct redis_news *news,
					      struct redis_figures *figures)
{
	struct resp_transport *transport = calloc(1, sizeof(*transport));

	if (!transport)
		return NULL;
	transport->transport.ops = &resp_ops;
	transport->config = (struct redis_node_config){
		.url = &own->url,
		.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		.answer_max_bytes = protocol->answer_max_bytes,
		.connect_timeout_us = settings->connect_timeout_us,
		.news = news,
		.figures = figures,
		.events = &events,
		.user = transport,
	};
	redis_exchange_list_init(&transport->deaf);
	redis_subscriber_init(&transport->subscriber, news, settings->connect_timeout_us);
	if (!prepare(transport, settings, own)) {
		close_transport(&transport->transport);
		return NULL;
	}
	return &transport->transport;
}
