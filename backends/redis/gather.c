#include "backends/redis/gather.h"

#include <stdlib.h>

/* Uses that one call of the script tells. */
#define USES_A_CALL 64
/* Settings that a read goes by may be so old, where another server changed them. */
#define SETTINGS_FRESH_US (1 * US_PER_S)

struct gatherer {
	const struct remote_context *context;
	struct redis_state *state;
	struct redis_batch *batch;
	int64_t now_us; /* monotonic */
};

static bool add(const struct gatherer *g, enum redis_kind kind, struct redis_space *space,
		struct remote_job *job)
{
	return redis_batch_add(g->batch, kind, space, job) != NULL;
}

/* What was used goes before what depends on it. */
static bool add_uses(const struct gatherer *g, struct redis_space *space)
{
	while (!redis_uses_are_none(&space->uses)) {
		struct redis_command *command = redis_batch_add(g->batch, COMMAND_USE, space, NULL);

		if (!command)
			return false;
		redis_uses_take(&space->uses, &command->uses, USES_A_CALL);
	}
	space->has_uses = false;
	return true;
}

static bool has(const struct gatherer *g, enum redis_kind kind, const struct redis_space *space)
{
	for (size_t i = 0; i < g->batch->count; i++)
		if (g->batch->commands[i].kind == kind && g->batch->commands[i].space == space)
			return true;
	return false;
}

/* A read judges itself what has expired: by the engine's clock, and by the stale time. */
static bool gather_read(const struct gatherer *g, struct redis_space *space, struct remote_job *job)
{
	bool is_get = job->op->type == CACHE_OP_GET;
	bool knows_time = g->context->config->clock ||
			  redis_clock_is_fresh(&g->state->clock, g->now_us) ||
			  has(g, COMMAND_TIME, NULL);
	bool knows_settings =
		!is_get || !job->op->serve_stale ||
		(space->refreshed_us > 0 && g->now_us - space->refreshed_us < SETTINGS_FRESH_US) ||
		has(g, COMMAND_SETTINGS, space);

	if (!knows_time && !add(g, COMMAND_TIME, NULL, NULL))
		return false;
	if (!knows_settings && !add(g, COMMAND_SETTINGS, space, NULL))
		return false;
	return redis_batch_share(g->batch, is_get ? COMMAND_GET : COMMAND_EXISTS, space, job) !=
	       NULL;
}

static bool gather_write(const struct gatherer *g, enum redis_kind kind, struct redis_space *space,
			 struct remote_job *job)
{
	g->batch->writes = true;
	if (job->op->progress == PHASE_NAME)
		kind = COMMAND_NAME;
	else if (job->op->progress == PHASE_WORK)
		kind = COMMAND_WORK;
	return add_uses(g, space) && add(g, kind, space, job);
}

static bool gather_all_stats(const struct gatherer *g, struct remote_job *job)
{
	const struct redis_batch *batch = g->batch;

	g->batch->writes = true;
	if (job->op->progress == PHASE_FIRST)
		return add(g, COMMAND_NAMES, NULL, job);
	for (size_t i = 0; i < batch->named_count; i++)
		if (!add_uses(g, batch->named[i]) || !add(g, COMMAND_WORK, batch->named[i], NULL) ||
		    !add(g, COMMAND_STATS, batch->named[i], job))
			return false;
	return true;
}

static bool gather_stats(const struct gatherer *g, struct redis_space *space,
			 struct remote_job *job)
{
	g->batch->writes = true;
	return add_uses(g, space) && add(g, COMMAND_WORK, space, NULL) &&
	       add(g, COMMAND_STATS, space, job);
}

/* A SYNC of a namespace is housekeeping's. */
static bool gather_sync(const struct gatherer *g, struct redis_space *space, struct remote_job *job)
{
	struct redis_space *each = NULL;

	g->batch->writes = true;
	if (space)
		return add_uses(g, space) && add(g, COMMAND_WORK, space, job) &&
		       (!space->is_named || add(g, COMMAND_NAME, space, NULL));
	while ((each = redis_space_next(&g->state->spaces, each)))
		if (!add_uses(g, each))
			return false;
	return add(g, COMMAND_PING, NULL, job);
}

static bool gather_job(const struct gatherer *g, struct remote_job *job)
{
	const struct cache_op *op = job->op;
	struct redis_space *space = NULL;

	if (op->ns.len > 0) {
		space = redis_space_find(&g->state->spaces, op->ns);
		if (!space)
			return false;
		if (op->type != CACHE_OP_SYNC)
			space->touched_us = g->now_us;
	}
	bool may_be_of_none = op->type == CACHE_OP_STATS || op->type == CACHE_OP_SYNC ||
			      op->type == CACHE_OP_CHECK;
	if (!space && !may_be_of_none)
		return false;
	switch (op->type) {
	case CACHE_OP_GET:
	case CACHE_OP_EXISTS:
		return gather_read(g, space, job);
	case CACHE_OP_SET:
		return gather_write(g, COMMAND_SET, space, job);
	case CACHE_OP_DELETE:
		return gather_write(g, COMMAND_DELETE, space, job);
	case CACHE_OP_CLEAR:
		return gather_write(g, op->prefix.len > 0 ? COMMAND_CLEAR_PREFIX : COMMAND_CLEAR,
				    space, job);
	case CACHE_OP_CONFIGURE:
		return gather_write(g, COMMAND_CONFIGURE, space, job);
	case CACHE_OP_SCAN: /* tells frequencies, which uses change */
		g->batch->writes = true;
		return add_uses(g, space) && add(g, COMMAND_LIST, space, job);
	case CACHE_OP_STATS:
		return space ? gather_stats(g, space, job) : gather_all_stats(g, job);
	case CACHE_OP_SYNC:
		return gather_sync(g, space, job);
	case CACHE_OP_LEASE_TAKE:
		g->batch->hears = true;
		return add(g, COMMAND_LEASE_TAKE, space, job);
	case CACHE_OP_LEASE_END:
		return add(g, COMMAND_LEASE_END, space, job);
	case CACHE_OP_CHECK:
	case CACHE_OP_TYPES:
		break;
	}
	return add(g, COMMAND_PING, NULL, job);
}

struct redis_batch *redis_gather(const struct remote_context *context, struct remote_call *call)
{
	struct gatherer g = {
		.context = context,
		.state = redis_state_of(context),
		.batch = call->state,
		.now_us = redis_state_mono_us(),
	};

	if (!g.batch)
		g.batch = call->state = calloc(1, sizeof(*g.batch));
	if (!g.batch)
		return NULL;
	redis_batch_empty(g.batch);
	if (call->kind == CALL_PROBE)
		return add(&g, COMMAND_PING, NULL, NULL) ? g.batch : NULL;
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		if (job->op && !gather_job(&g, job))
			return NULL;
	return g.batch;
}
