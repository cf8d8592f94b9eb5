#include "backends/redis/gather.h"

#include <stdlib.h>

#include "backends/redis/claim.h"
#include "backends/redis/figures.h"
#include "backends/redis/house.h"
#include "backends/redis/slot.h"
#include "backends/remote/settings.h"

/* Uses that one call of the script tells. */
#define USES_A_CALL 64
/* Such calls that housekeeping makes in one go: others have their turn between. */
#define CALLS_AT_ONCE 4
/* Settings that a read goes by may be so old, where another server changed them: the stale time,
 * and the idle time, which housekeeping hears within a second. */
#define SETTINGS_FRESH_US (1 * US_PER_S)
#define IDLE_FRESH_US     (3 * US_PER_S)

struct gatherer {
	const struct remote_context *context;
	struct redis_state *state;
	struct redis_batch *batch;
	int64_t now_us; /* monotonic */
};

static bool add(const struct gatherer *g, enum redis_kind kind, struct redis_part *part,
		struct remote_job *job)
{
	return redis_batch_add(g->batch, kind, part, job) != NULL;
}

static bool add_some_uses(const struct gatherer *g, struct redis_part *part, size_t calls)
{
	for (; calls > 0 && !redis_uses_are_none(&part->uses); calls--) {
		struct redis_command *command = redis_batch_add(g->batch, COMMAND_USE, part, NULL);

		if (!command)
			return false;
		redis_uses_take(&part->uses, &command->uses, USES_A_CALL);
		redis_figures_add(&redis_state_of(g->context)->figures, REDIS_FIGURE_USES_TOLD,
				  (int64_t)command->uses.count);
	}
	part->has_uses = !redis_uses_are_none(&part->uses);
	return true;
}

/* What was used goes before what depends on it. */
static bool add_uses(const struct gatherer *g, struct redis_part *part)
{
	return add_some_uses(g, part, SIZE_MAX);
}

static bool asks_time(const struct gatherer *g, const struct redis_part *part)
{
	for (size_t i = 0; i < g->batch->count; i++)
		if (g->batch->commands[i].kind == COMMAND_TIME &&
		    g->batch->commands[i].part->clock == part->clock)
			return true;
	return false;
}

static bool asks(const struct gatherer *g, enum redis_kind kind, const struct redis_part *part)
{
	for (size_t i = 0; i < g->batch->count; i++)
		if (g->batch->commands[i].kind == kind && g->batch->commands[i].part == part)
			return true;
	return false;
}

static bool knows_settings(const struct gatherer *g, const struct redis_part *part,
			   int64_t fresh_us)
{
	return part->refreshed_us > 0 && g->now_us - part->refreshed_us < fresh_us;
}

/* A read judges itself what has expired: by the engine's clock, by the stale time, and, with an
 * idle time, by the last uses: those that are being told come before it, the others are here. */
static bool gather_read(const struct gatherer *g, struct redis_part *part, struct remote_job *job)
{
	bool is_get = job->op->type == CACHE_OP_GET;
	bool serves_stale = is_get && job->op->serve_stale;
	bool knows_time = g->context->config->clock ||
			  redis_clock_is_fresh(part->clock, g->now_us) || asks_time(g, part);
	bool knows_all = knows_settings(g, part, serves_stale ? SETTINGS_FRESH_US : IDLE_FRESH_US);
	bool may_be_idle = !knows_settings(g, part, IDLE_FRESH_US) || part->max_idle_s > 0;

	g->batch->writes |= may_be_idle;
	if (!knows_time && !add(g, COMMAND_TIME, part, NULL))
		return false;
	if (!knows_all && !asks(g, COMMAND_SETTINGS, part) && !add(g, COMMAND_SETTINGS, part, NULL))
		return false;
	if (is_get && may_be_idle && !asks(g, COMMAND_GET, part) &&
	    !add(g, COMMAND_HEADS, part, NULL))
		return false;
	return redis_batch_share(g->batch, is_get ? COMMAND_GET : COMMAND_EXISTS, part, job) !=
	       NULL;
}

static bool gather_write(const struct gatherer *g, enum redis_kind kind, struct redis_part *part,
			 struct remote_job *job)
{
	g->batch->writes = true;
	if (job->op->progress == PHASE_WORK)
		kind = COMMAND_WORK;
	return add_uses(g, part) && add(g, kind, part, job);
}

/* Single sets without a condition go together, each with an outcome of its own. */
static bool gather_set(const struct gatherer *g, struct redis_part *part, struct remote_job *job)
{
	const struct cache_op *op = job->op;

	if (op->progress != PHASE_FIRST || op->item_count != 1 ||
	    op->items[0].condition.kind != CONDITION_NONE)
		return gather_write(g, COMMAND_SET, part, job);
	g->batch->writes = true;
	return add_uses(g, part) && redis_batch_share(g->batch, COMMAND_SET_EACH, part, job);
}

static bool gather_all_stats(const struct gatherer *g, struct remote_job *job)
{
	const struct redis_batch *batch = g->batch;

	g->batch->writes = true;
	if (job->op->progress == PHASE_FIRST) { /* in a Cluster the names are all (split.h) */
		g->batch->route = g->state->names_route;
		return add(g, COMMAND_NAMES, NULL, job);
	}
	for (size_t i = 0; i < batch->named_count; i++)
		if (!add_uses(g, batch->named[i]) || !add(g, COMMAND_WORK, batch->named[i], NULL) ||
		    !add(g, COMMAND_STATS, batch->named[i], job))
			return false;
	return true;
}

static bool gather_stats(const struct gatherer *g, struct redis_part *part, struct remote_job *job)
{
	g->batch->writes = true;
	return add_uses(g, part) && add(g, COMMAND_WORK, part, NULL) &&
	       add(g, COMMAND_STATS, part, job);
}

/* A SYNC of a partition is housekeeping's, which goes on where it stopped, or a part of one of
 * all. */
static bool gather_sync(const struct gatherer *g, struct redis_part *part, struct remote_job *job)
{
	struct redis_part *each = NULL;
	size_t calls = part && job->op == part->op ? CALLS_AT_ONCE : SIZE_MAX;

	g->batch->writes = true;
	if (part)
		return add_some_uses(g, part, calls) && add(g, COMMAND_WORK, part, job);
	while (!g->state->spaces.is_cluster &&
	       (each = redis_space_next_part(&g->state->spaces, each)))
		if (!add_uses(g, each))
			return false;
	return add(g, COMMAND_PING, NULL, job);
}

static bool gather_of_part(const struct gatherer *g, struct redis_part *part,
			   struct remote_job *job)
{
	const struct cache_op *op = job->op;

	if (op->type != CACHE_OP_SYNC)
		redis_house_touched(g->context, part, g->now_us);
	switch (op->type) {
	case CACHE_OP_GET:
	case CACHE_OP_EXISTS:
		return gather_read(g, part, job);
	case CACHE_OP_SET:
		return gather_set(g, part, job);
	case CACHE_OP_DELETE:
		return gather_write(g, COMMAND_DELETE, part, job);
	case CACHE_OP_EXPIRE:
		return gather_write(g, COMMAND_EXPIRE, part, job);
	case CACHE_OP_CLEAR:
		if (op->drop)
			return gather_write(g, COMMAND_DROP, part, job);
		return gather_write(g, op->prefix.len > 0 ? COMMAND_CLEAR_PREFIX : COMMAND_CLEAR,
				    part, job);
	case CACHE_OP_CONFIGURE:
		return gather_write(g, COMMAND_CONFIGURE, part, job);
	case CACHE_OP_SCAN: /* tells frequencies, which uses change */
		g->batch->writes = true;
		return add_uses(g, part) && add(g, COMMAND_LIST, part, job);
	case CACHE_OP_STATS:
		return gather_stats(g, part, job);
	case CACHE_OP_SYNC:
		return gather_sync(g, part, job);
	case CACHE_OP_LEASE_TAKE:
		g->batch->hears = g->state->news.told != NULL;
		redis_news_want(&g->state->news, g->now_us + g->context->settings->timeout_us +
							 LEASE_HEARD_S * US_PER_S);
		return add(g, COMMAND_LEASE_TAKE, part, job);
	case CACHE_OP_LEASE_END:
		return add(g, COMMAND_LEASE_END, part, job);
	case CACHE_OP_CHECK:
	case CACHE_OP_TYPES:
		break;
	}
	return add(g, COMMAND_PING, NULL, job);
}

static bool gather_of_none(const struct gatherer *g, struct remote_job *job)
{
	const struct cache_op *op = job->op;

	if (op->type == CACHE_OP_STATS)
		return gather_all_stats(g, job);
	if (op->type == CACHE_OP_SYNC)
		return gather_sync(g, NULL, job);
	if (op->part > 0)
		g->batch->route = redis_slot_begin(op->part - 1, g->state->spaces.part_count) + 1;
	return add(g, COMMAND_PING, NULL, job);
}

static bool gather_job(const struct gatherer *g, struct remote_job *job)
{
	const struct cache_op *op = job->op;
	struct redis_spaces *spaces = &g->state->spaces;

	if (op->ns.len == 0)
		return gather_of_none(g, job);
	struct redis_space *space = redis_space_find(spaces, op->ns);
	struct redis_part *part =
		space ? redis_space_part(spaces, space, op->part > 0 ? op->part - 1 : 0) : NULL;
	if (!part)
		return false;
	g->batch->route = part->route;
	if (op->progress != PHASE_NAME && op->progress != PHASE_UNNAME)
		return gather_of_part(g, part, job);
	g->batch->writes = true;
	g->batch->route = g->state->names_route;
	if (op->progress == PHASE_UNNAME)
		return add(g, COMMAND_UNNAME, part, job);
	return (part->route > 0 || add_uses(g, part)) && add(g, COMMAND_NAME, part, job);
}

/* The list of namespaces is another key: in a Cluster a request is for it or for a partition. */
static bool is_for_names(const struct gatherer *g, const struct remote_call *call)
{
	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		if (job->op && job->op->progress == PHASE_NAME)
			return g->state->names_route > 0;
	return false;
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
	if (redis_claim_is_due(context, call, g.now_us))
		return redis_claim_gather(g.state, g.batch) ? g.batch : NULL;
	bool only_names = is_for_names(&g, call);
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		if (job->op && (!only_names || job->op->progress == PHASE_NAME) &&
		    !gather_job(&g, job))
			return NULL;
	return g.batch;
}
