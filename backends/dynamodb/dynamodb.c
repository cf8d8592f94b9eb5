/* The dynamodb backend: Amazon DynamoDB, over backends/remote.
 *
 *   dynamodb.c   the protocol, operations, open and close
 *   settings.c   what it was told
 *   wire.c       how entries, namespaces and accounts stand in the table
 *   state.c      what its parts share
 *   call.c       a call goes through stages, each of which is a kind of request:
 *   answer.c     answers as JSON
 *   prepare.c    the table is there, and what it says of itself and its namespaces is known
 *   read.c       GET, EXISTS
 *   write.c      SET of one item, DELETE; update.c: the body of a write
 *   batch.c      SET of several items: a transaction
 *   list.c       SCAN; range.c: the keys that it goes through
 *   expire.c     EXPIRE
 *   clear.c      CLEAR, also of a namespace that goes with it; recall.c: what others then find
 *   accounts.c   what namespaces hold; STATS
 *   configure.c  CONFIGURE
 *   sweep.c      what has expired is removed; victim.c: what it and CLEAR remove
 *   space.c      the namespaces, as this process knows them
 *   verdict.c    exceptions
 *
 * Keys. One table. Its partition key is the namespace and a shard, its sort key the key's bytes: so
 * a busy namespace is spread over as many partitions as there are shards, and each shard gives its
 * keys in byte order, which a listing merges. The number of shards is a property of the data, as
 * the shard of a key is its hash modulo that number: it is kept in the table, and a process that
 * is told another number refuses to work.
 *
 * No limits and no eviction. A size limit that holds at every moment would need one item through
 * which all writes of a namespace go, 1,000 a second at most, and an eviction by use a write of the
 * whole item at each GET, five times the price of reading it. So GETs do not count as uses either.
 *
 * Accounts are added to apart from the entries (accounts.c): in one transaction both would cost
 * twice as much. */
#include "backends/dynamodb/dynamodb.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "backends/dynamodb/accounts.h"
#include "backends/dynamodb/call.h"
#include "backends/dynamodb/verdict.h"
#include "backends/remote/backend.h"
#include "backends/remote/transport_curl.h"

/* Calls under way from which on reads wait for others to share a request with. */
#define MERGES_FROM 8
#define WINDOW_US   INT64_C(500)
/* An answer has up to 16 MB of items, which are longer in base64. */
#define ANSWER_MAX_BYTES ((size_t)32 << 20)

static const struct remote_dialect *const dialects[] = {&dynamodb_call_dialect, NULL};

static const char *const headers[] = {
	"Content-Type: " DYNAMODB_CONTENT_TYPE,
	"Accept: application/json",
	NULL,
};

static const struct remote_protocol protocol = {
	.name = "dynamodb",
	.dialects = dialects,
	.sentences = dynamodb_verdict_sentences,
	.judge = dynamodb_verdict_judge,
	.merges_from = MERGES_FROM,
	.merge_window_us = WINDOW_US,
	.own_op = dynamodb_call_own_op,
	.merged_ops_max = 1000,
	.merged_bytes_max = 4U << 20,
	.open_transport = remote_transport_curl_open,
	.headers = headers,
	.answer_max_bytes = ANSWER_MAX_BYTES,
};

static void free_state(struct dynamodb_state *state)
{
	/* Its own operations, if the end came before theirs. */
	free(state->flush_op);
	free(state->sweep_op);
	free(state->recall_op);
	dynamodb_spaces_deinit(&state->spaces);
	aws_credentials_close(state->credentials);
	dynamodb_settings_deinit(&state->settings);
	free(state);
}

static struct backend *dynamodb_open(const struct backend_config *config, char *error,
				     size_t error_size)
{
	struct dynamodb_state *state = calloc(1, sizeof(*state));
	struct remote_settings settings;

	if (!state) {
		(void)snprintf(error, error_size, "dynamodb: out of memory");
		return NULL;
	}
	if (!dynamodb_settings_init(&state->settings, &settings, config, error, error_size)) {
		free(state);
		return NULL;
	}
	state->credentials = aws_credentials_open(error, error_size);
	if (!state->credentials) {
		remote_settings_deinit(&settings);
		free_state(state);
		return NULL;
	}
	if (getrandom(&state->random, sizeof(state->random), 0) != sizeof(state->random))
		state->random = (uint64_t)cache_clock_now_us(&system_clock);
	dynamodb_state_name(state, state->writer);
	state->slot = (unsigned)(state->random % DYNAMODB_SLOTS);
	state->flush_at_us = state->reread_at_us = INT64_MAX;
	struct backend *backend = remote_backend_open(&dynamodb_backend_ops, &protocol, config,
						      &settings, state, error, error_size);
	if (!backend)
		free_state(state);
	return backend;
}

/* What is to be added to the accounts is, unless DynamoDB does not answer. */
static void dynamodb_close(struct backend *backend)
{
	struct dynamodb_state *state = remote_backend_user(backend);
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SYNC);
	(void)backend_call(backend, &op);
	cache_op_deinit(&op);
	remote_backend_close(backend);
	free_state(state);
}

const struct backend_ops dynamodb_backend_ops = {
	.name = "dynamodb",
	.bits = BACKEND_PERSISTS | BACKEND_REMOTE | BACKEND_HISTORY | BACKEND_CONDITIONS |
		BACKEND_STALE | BACKEND_ORDERED_SCAN | BACKEND_PREFIX_CLEAR | BACKEND_STATS,
	.schemes = DYNAMODB_URL_SCHEMES,
	.options = &dynamodb_options,
	.default_policy = DYNAMODB_DEFAULT_POLICY,
	.value_max_bytes = DYNAMODB_VALUE_MAX,
	.set_max_items = DYNAMODB_TRANSACT_MAX,
	.check_config = dynamodb_settings_check,
	.scope = dynamodb_settings_scope,
	.open = dynamodb_open,
	.get = remote_backend_submit,
	.set = remote_backend_submit,
	.remove = remote_backend_submit,
	.exists = remote_backend_submit,
	.expire = remote_backend_submit,
	.clear = remote_backend_submit,
	.scan = remote_backend_submit,
	.stats = remote_backend_submit,
	.configure = remote_backend_submit,
	.sync = remote_backend_submit,
	.check = remote_backend_submit,
	.gauges = remote_backend_gauges,
	.hurry = remote_backend_hurry,
	.close = dynamodb_close,
};
