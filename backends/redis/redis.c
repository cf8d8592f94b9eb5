/* The redis backend: what is Redis' own over backends/remote.
 *
 *   redis.c      the protocol, operations, open and close
 *   settings.c, url.c, trust.c  what it was told; decimal.c: numbers in that, and in replies
 *   script/      the policy, which runs in the server
 *   dialects.c   how the script is called
 *   split.c      operations in a Cluster, each to its partitions: scatter.c and scatter_items.c,
 *                scatter_list.c with merge.c, scatter_stats.c, scatter_all.c; share.h: limits;
 *                refusal.c: sentences; claim.c: the number of partitions
 *   gather.c     which commands a call needs; batch.c: a list of them
 *   write.c      commands as they are sent; command.c: their form
 *   read.c       replies; check.c, read_items.c, read_lease.c, read_all.c
 *   value.c      how entries stand in the server
 *   space.c      namespaces that this server touches; part.c: their partitions; slot.c: where those
 *                live; uses.c: uses that are not told yet
 *   house.c      what is done without being asked for; due.c: when
 *   clock.c      the server's clock
 *   verdict.c    refusals of the server
 *   transport_resp.c  requests and their answers
 *   cluster.c    the servers of a Cluster: route.c, where requests go; gates.c, where they wait;
 *                slot_map.c, members.c: who has what; redirect.c: what nodes say about that
 *   figures.c    what is counted of all that
 *   node.c       a server: when there is a connection; node_carry.c: which carries what;
 *                node_state.c: how it is
 *   news.c       news of other servers' writes; subscriber.c: the connection over which they come
 *   connection.c one of them; stream.c: its bytes, by TCP, a Unix socket, TLS; lookup.c: names
 *   hello.c      its first words; exchange.c: requests on it; reply.c: replies as values */
#include "backends/redis/redis.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/redis/command.h"
#include "backends/redis/dialects.h"
#include "backends/redis/house.h"
#include "backends/redis/slot.h"
#include "backends/redis/split.h"
#include "backends/redis/transport_resp.h"
#include "backends/redis/verdict.h"
#include "backends/remote/backend.h"

/* Calls under way from which on others wait for company, for so long: what goes together costs the
 * server a third. */
#define MERGES_FROM 2
#define WINDOW_US   INT64_C(150)
/* Items that single operations are merged into one request up to. */
#define BATCH_SIZE 64
/* Requests under way, which share connections. */
#define MAX_IN_FLIGHT 256

static const struct remote_dialect *const dialects[] = {&redis_dialects_functions,
							&redis_dialects_script, NULL};

static struct remote_transport *open_transport(const struct remote_settings *settings,
					       const struct remote_protocol *protocol, void *user)
{
	struct redis_state *state = user;

	return redis_transport_open(settings, protocol, &state->settings, &state->news,
				    &state->figures);
}

static const struct remote_protocol protocol = {
	.name = "redis",
	.dialects = dialects,
	.sentences = redis_verdict_sentences,
	.judge = redis_verdict_judge,
	.merges_from = MERGES_FROM,
	.merge_window_us = WINDOW_US,
	.own_op = redis_house_own_op,
	.merged_ops_max = BATCH_SIZE,
	.merged_bytes_max = 1U << 20,
	.open_transport = open_transport,
	.answer_max_bytes = 1U << 30,
};

static void free_state(struct redis_state *state)
{
	redis_space_deinit_all(&state->spaces);
	redis_news_deinit(&state->news);
	buffer_deinit(&state->names_key);
	buffer_deinit(&state->partitions_key);
	redis_settings_deinit(&state->settings);
	free(state);
}

/* The key PREFIX:`name`, as a word of a command, and its route. False: out of memory. */
static bool make_key(const struct redis_state *state, const char *name, struct buffer *ret,
		     unsigned *ret_route)
{
	struct buffer key = {0};

	buffer_printf(&key, "%s:%s", state->spaces.prefix, name);
	redis_command_encode(ret, buffer_bytes(&key));
	if (state->spaces.is_cluster)
		*ret_route = redis_slot_of(buffer_bytes(&key)) + 1;
	bool is_whole = !key.failed && !ret->failed;
	buffer_deinit(&key);
	return is_whole;
}

/* False: out of memory. */
static bool prepare(struct redis_state *state, const struct backend_config *config)
{
	const struct redis_url *url = &state->settings.url;

	state->spaces.prefix = url->prefix;
	state->spaces.is_cluster = url->is_cluster;
	state->spaces.part_count = url->partitions;
	redis_refusal_init(&state->refusals, url->partitions);
	return make_key(state, "namespaces", &state->names_key, &state->names_route) &&
	       make_key(state, "partitions", &state->partitions_key, &state->partitions_route) &&
	       redis_news_init(&state->news, config, url->prefix);
}

/* Of a Cluster, with one partition and with more. */
static const struct backend_ops cluster_ops, partitions_ops;

static const struct backend_ops *ops_of(const struct redis_url *url)
{
	if (url->partitions > 1)
		return &partitions_ops;
	return url->is_cluster ? &cluster_ops : &redis_backend_ops;
}

static struct backend *redis_open(const struct backend_config *config, char *error,
				  size_t error_size)
{
	struct redis_state *state = calloc(1, sizeof(*state));
	struct remote_settings settings = {0};

	if (!state) {
		(void)snprintf(error, error_size, "redis: out of memory");
		return NULL;
	}
	if (!redis_settings_init(&state->settings, &settings, config, error, error_size)) {
		free(state);
		return NULL;
	}
	settings.batch_size = BATCH_SIZE;
	settings.max_in_flight = MAX_IN_FLIGHT;
	struct backend *backend = NULL;
	if (prepare(state, config)) {
		backend = remote_backend_open(ops_of(&state->settings.url), &protocol, config,
					      &settings, state, error, error_size);
	} else {
		(void)snprintf(error, error_size, "redis: out of memory");
		remote_settings_deinit(&settings);
	}
	if (backend)
		state->backend = backend;
	else
		free_state(state);
	return backend;
}

/* Tells the server what is left to tell: nobody else asks any more. */
static void redis_close(struct backend *backend)
{
	struct redis_state *state = remote_backend_user(backend);
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SYNC);
	(void)backend_call(backend, &op);
	cache_op_deinit(&op);
	remote_backend_close(backend);
	free_state(state);
}

static size_t redis_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	const struct redis_state *state = remote_backend_user(backend);
	size_t count = remote_backend_gauges(backend, ret, max);

	count += redis_figures_gauges(&state->figures, state->settings.url.is_cluster, ret + count,
				      max - count);
	return count + redis_news_gauges(&state->news, ret + count, max - count);
}

/* `submit` takes all operations; `less` are bits that the backend lacks. */
#define REDIS_OPS(submit, less)                                                                    \
	{                                                                                          \
		.name = "redis",                                                                   \
		.bits = (BACKEND_PERSISTS | BACKEND_REMOTE | BACKEND_WHOLE | BACKEND_LEASES |      \
			 BACKEND_NEWS | BACKEND_IDLE) &                                            \
			~(unsigned)(less),                                                         \
		.options = &redis_options, .schemes = REDIS_URL_SCHEMES,                           \
		.url_parameters = REDIS_URL_PARAMETERS, .default_policy = REDIS_DEFAULT_POLICY,    \
		.check_config = redis_settings_check, .scope = redis_settings_scope,               \
		.open = redis_open, .get = (submit), .set = (submit), .remove = (submit),          \
		.exists = (submit), .expire = (submit), .clear = (submit), .scan = (submit),       \
		.stats = (submit), .configure = (submit), .sync = (submit), .check = (submit),     \
		.lease = (submit), .gauges = redis_gauges, .hurry = remote_backend_hurry,          \
		.close = redis_close,                                                              \
	}

const struct backend_ops redis_backend_ops = REDIS_OPS(remote_backend_submit, 0);
static const struct backend_ops cluster_ops = REDIS_OPS(redis_split_submit, 0);
static const struct backend_ops partitions_ops =
	REDIS_OPS(redis_split_submit, BACKEND_EXACT_EVICTION | BACKEND_ATOMIC_BATCH);
