#include "backends/d1/ops_group.h"

#include <stdlib.h>

static bool can_share(const struct remote_job *job)
{
	return job->item_count == 1 && job->is_idempotent &&
	       (job->op->type == CACHE_OP_GET || job->op->type == CACHE_OP_EXISTS ||
		job->op->type == CACHE_OP_DELETE);
}

static struct ops_group *find_group(struct ops_state *state, const struct remote_job *job)
{
	for (size_t i = 0; i < state->group_count; i++) {
		struct ops_group *group = &state->groups[i];
		const struct cache_op *first = group->first->op;

		if (group->is_shared && group->type == job->op->type &&
		    first->no_touch == job->op->no_touch &&
		    first->serve_stale == job->op->serve_stale &&
		    slice_equal(first->ns, job->op->ns))
			return group;
	}
	return NULL;
}

struct ops_state *d1_ops_group(const struct remote_call *call)
{
	struct ops_state *state =
		calloc(1, sizeof(*state) + call->jobs.count * sizeof(state->groups[0]));

	for (struct remote_job *job = call->jobs.first; state && job; job = job->next) {
		bool is_shared = job->op && can_share(job);
		struct ops_group *group = is_shared ? find_group(state, job) : NULL;

		job->grouped = NULL;
		if (!job->op)
			continue;
		if (group) {
			group->last->grouped = job;
			group->last = job;
			group->item_count++;
			continue;
		}
		state->groups[state->group_count++] = (struct ops_group){
			.type = job->op->type,
			.is_shared = is_shared,
			.first = job,
			.last = job,
			.item_count = job->item_count,
		};
	}
	return state;
}
