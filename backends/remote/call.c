#include "backends/remote/call.h"

#include <stdlib.h>

#include "backends/remote/protocol.h"
#include "base/invariant.h"

struct remote_call *remote_call_create(enum remote_call_kind kind)
{
	struct remote_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->kind = kind;
	call->is_idempotent = true;
	call->next_limit_us = INT64_MAX;
	call->parts = &call->one;
	remote_job_list_init(&call->jobs);
	return call;
}

void remote_call_free(struct remote_call *call)
{
	struct remote_job *job;

	if (!call)
		return;
	if (call->state)
		call->dialect->discard(call);
	while ((job = remote_job_list_pop(&call->jobs)))
		remote_job_free(job);
	if (call->parts != &call->one)
		free(call->parts);
	free(call);
}

bool remote_call_begin_step(struct remote_call *call, const struct remote_context *context)
{
	bool has_parts = call->kind == CALL_WORK && call->dialect->parts;
	size_t count = has_parts ? call->dialect->parts(context, call) : 1;

	INVARIANT(count > 0 && call->under_way == 0 && call->waiting == 0);
	if (count > call->part_count && count > 1) {
		struct remote_part *parts = malloc(count * sizeof(*parts));

		if (!parts)
			return false;
		if (call->parts != &call->one)
			free(call->parts);
		call->parts = parts;
	}
	for (size_t i = 0; i < count; i++)
		call->parts[i] = (struct remote_part){.call = call};
	call->part_count = call->open = count;
	call->unsent = 0;
	return true;
}

bool remote_call_has_ops(const struct remote_call *call)
{
	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		if (job->op)
			return true;
	return call->kind == CALL_PROBE;
}
