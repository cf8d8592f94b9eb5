#include "backends/redis/read_lease.h"

#include "backends/redis/check.h"

static enum lease_outcome outcome_of(const struct cache_op *op, int64_t code)
{
	if (op->type == CACHE_OP_LEASE_END)
		return code == CODE_OK ? LEASE_ENDED : LEASE_OVER;
	switch (code) {
	case CODE_HELD:
		return LEASE_HELD;
	case CODE_FRESH:
		return LEASE_FRESH;
	default:
		return op->lease.token.len > 0 ? LEASE_GRANTED : LEASE_FREE;
	}
}

void redis_read_lease(const struct redis_command *command, const struct redis_reply *reply)
{
	struct remote_job *job = command->job;
	struct cache_op *op = job->op;

	if (!op)
		return;
	op->lease.outcome = outcome_of(op, redis_check_code(reply));
	op->lease.left_us = 0;
	if (op->lease.outcome == LEASE_GRANTED || op->lease.outcome == LEASE_HELD)
		op->lease.left_us = redis_check_number(reply, 2) - redis_check_number(reply, 1);
	op->one.status = CACHE_OK;
	remote_job_succeed(job);
}
