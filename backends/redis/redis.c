/* The redis backend: what is Redis' own over backends/remote.
 *
 *   redis.c      the protocol, operations, open and close
 *   settings.c, url.c, trust.c  what it was told
 *   script/      the policy, which runs in the server
 *   dialects.c   how the script is called
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
 *   node.c       a server: when there is a connection; node_carry.c: which carries what
 *   news.c       news of other servers' writes; subscriber.c: the connection over which they come
 *   connection.c one of them; stream.c: its bytes, by TCP, a Unix socket, TLS; lookup.c: names
 *   hello.c      its first words; exchange.c: requests on it; reply.c: replies as values */
#include "backends/redis/redis.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/redis/command.h"
#include "backends/redis/dialects.h"
#include "backends/redis/house.h"
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
	redis_settings_deinit(&state->settings);
	free(state);
}

static struct backend *redis_open(const struct backend_config *config, char *error,
				  size_t error_size)
{
	struct redis_state *state = calloc(1, sizeof(*state));
	struct remote_settings settings = {0};
	struct buffer name = {0};

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
	state->spaces.prefix = state->settings.url.prefix;
	state->spaces.is_cluster = state->settings.url.is_cluster;
	state->spaces.part_count = state->settings.url.partitions;
	buffer_printf(&name, "%s:namespaces", state->spaces.prefix);
	redis_command_encode(&state->names_key, buffer_bytes(&name));
	bool is_whole = !name.failed && !state->names_key.failed &&
			redis_news_init(&state->news, config, state->spaces.prefix);
	buffer_deinit(&name);
	struct backend *backend = NULL;
	if (is_whole)
		backend = remote_backend_open(&redis_backend_ops, &protocol, config, &settings,
					      state, error, error_size);
	else
		(void)snprintf(error, error_size, "redis: out of memory");
	if (!is_whole)
		remote_settings_deinit(&settings);
	if (!backend)
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

const struct backend_ops redis_backend_ops = {
	.name = "redis",
	.bits = BACKEND_PERSISTS | BACKEND_REMOTE | BACKEND_WHOLE | BACKEND_LEASES | BACKEND_NEWS,
	.options = &redis_options,
	.schemes = REDIS_URL_SCHEMES,
	.default_policy = REDIS_DEFAULT_POLICY,
	.check_config = redis_settings_check,
	.open = redis_open,
	.get = remote_backend_submit,
	.set = remote_backend_submit,
	.remove = remote_backend_submit,
	.exists = remote_backend_submit,
	.clear = remote_backend_submit,
	.scan = remote_backend_submit,
	.stats = remote_backend_submit,
	.configure = remote_backend_submit,
	.sync = remote_backend_submit,
	.check = remote_backend_submit,
	.lease = remote_backend_submit,
	.gauges = redis_gauges,
	.hurry = remote_backend_hurry,
	.close = redis_close,
};
