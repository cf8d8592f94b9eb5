#include "store/keeper/ops.h"

#include <stdio.h>

#include "store/keeper/expire.h"
#include "store/keeper/keeper_state.h"
#include "store/keeper/listing.h"
#include "store/keeper/outcome.h"
#include "store/keeper/passes.h"
#include "store/keeper/reads.h"
#include "store/keeper/writes.h"

static int64_t now_of(const struct keeper *keeper)
{
	return cache_clock_now_us(keeper->config.clock);
}

/* ---- Reads ---- */

bool keeper_ops_is_read(const struct cache_op *op)
{
	return op->type == CACHE_OP_GET || op->type == CACHE_OP_EXISTS ||
	       op->type == CACHE_OP_SCAN || op->type == CACHE_OP_CHECK;
}

/* The driver's own sentence, or what the keeper knows. What ends with the process is a memory to
 * whoever asks what will last (client/import_watch.c). */
static void check_store(struct keeper *keeper, struct cache_op *op)
{
	struct cache_health_check *check = &op->checks[op->check_count++];

	*check = (struct cache_health_check){.name = keeper->ops->can & DRIVER_PERSISTS ? "store"
											: "memory"};
	enum driver_status status =
		keeper->ops->check(keeper->driver, check->detail, sizeof(check->detail));
	check->ok = status == DRIVER_OK;
	if (!check->ok && !check->detail[0])
		(void)snprintf(check->detail, sizeof(check->detail), "%s",
			       cache_status_text(keeper_outcome(keeper, status)));
	if (check->ok && keeper->damaged > 0)
		(void)snprintf(check->detail, sizeof(check->detail),
			       "%llu damaged records are left out",
			       (unsigned long long)keeper->damaged);
}

static enum cache_status read_in_gate(struct keeper *keeper, struct cache_op *op, bool *ret_lost)
{
	int64_t now_us = now_of(keeper);

	if (op->type == CACHE_OP_GET)
		return keeper_reads_get(keeper, op, now_us, ret_lost);
	if (op->type == CACHE_OP_EXISTS)
		return keeper_reads_exists(keeper, op, now_us);
	return keeper_listing_scan(keeper, op, now_us);
}

void keeper_ops_read(struct keeper *keeper, struct cache_op *op)
{
	enum cache_status status = CACHE_OK;
	bool is_lost = false;

	if (op->type == CACHE_OP_CHECK) {
		check_store(keeper, op);
	} else {
		(void)pthread_rwlock_rdlock(&keeper->gate);
		status = read_in_gate(keeper, op, &is_lost);
		(void)pthread_rwlock_unlock(&keeper->gate);
	}
	/* The sentence of the status is about a whole database. */
	if (status == CACHE_CORRUPT && op->type == CACHE_OP_GET)
		op->detail = "the stored value is damaged; store it again, or delete it";
	if (is_lost) {
		(void)pthread_rwlock_wrlock(&keeper->gate);
		keeper_reads_drop_lost(keeper, op);
		(void)pthread_rwlock_unlock(&keeper->gate);
	}
	cache_op_complete(op, status);
}

/* ---- Writes ---- */

bool keeper_ops_joins_a_group(const struct cache_op *op)
{
	return op->type == CACHE_OP_SET || op->type == CACHE_OP_DELETE;
}

/* Takes the steps of a write; its status is in the op until it is completed. */
static void take_steps(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	op->detail = NULL;
	op->status = op->type == CACHE_OP_SET ? keeper_writes_set(keeper, op, now_us)
					      : keeper_writes_delete(keeper, op, now_us);
}

/* A write that is not in a group. What refused it still holds if the commit fails. */
static void write_alone(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	take_steps(keeper, op, now_us);
	enum cache_status status = keeper_changes_commit(keeper);
	if (status != CACHE_OK && (op->status == CACHE_OK || op->status == CACHE_NOT_FOUND))
		op->status = status;
}

/* Whether the failure of a group may be due to one of its operations. */
static bool may_be_of_one(enum cache_status status)
{
	return status == CACHE_NO_SPACE || status == CACHE_NO_MEMORY || status == CACHE_TOO_LARGE ||
	       status == CACHE_CORRUPT || status == CACHE_INTERNAL;
}

static void write_group(struct keeper *keeper, const struct op_queue *group)
{
	int64_t now_us = now_of(keeper);
	enum cache_status status;

	if (group->length == 1) {
		write_alone(keeper, group->first, now_us);
		return;
	}
	for (struct cache_op *op = group->first; op; op = op->next)
		take_steps(keeper, op, now_us);
	status = keeper_changes_commit(keeper);
	/* An answer may depend on another op of the group, which is undone. */
	for (struct cache_op *op = group->first; status != CACHE_OK && op; op = op->next) {
		if (may_be_of_one(status)) {
			write_alone(keeper, op, now_us);
			continue;
		}
		op->status = status;
		op->detail = NULL;
	}
}

void keeper_ops_write_group(struct keeper *keeper, struct op_queue *group)
{
	struct cache_op *op;

	(void)pthread_rwlock_wrlock(&keeper->gate);
	write_group(keeper, group);
	(void)pthread_rwlock_unlock(&keeper->gate);
	(void)atomic_fetch_add(&keeper->applied_ops, group->length);
	while ((op = op_queue_pop(group)))
		cache_op_complete(op, op->status);
}

void keeper_ops_write(struct keeper *keeper, struct cache_op *op)
{
	enum cache_status status = CACHE_UNSUPPORTED;

	switch (op->type) {
	case CACHE_OP_EXPIRE:
		status = keeper_expire_run(keeper, op, now_of(keeper));
		break;
	case CACHE_OP_CLEAR:
		status =
			op->drop ? keeper_passes_drop(keeper, op) : keeper_passes_clear(keeper, op);
		break;
	case CACHE_OP_CONFIGURE:
		status = keeper_passes_configure(keeper, op);
		break;
	case CACHE_OP_SYNC:
		status = keeper_passes_sync(keeper);
		break;
	case CACHE_OP_STATS:
		(void)pthread_rwlock_wrlock(&keeper->gate);
		status = keeper_listing_stats(keeper, op, now_of(keeper));
		(void)pthread_rwlock_unlock(&keeper->gate);
		break;
	default:
		break;
	}
	cache_op_complete(op, status);
}
