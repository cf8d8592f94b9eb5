/* What the rows say of the operations that may take several rounds: a set and a configuration go on
 * until there is room, a clear by prefix until there is nothing left to delete. */
#include <stdlib.h>

#include "backends/d1/rest_read_parts.h"
#include "backends/d1/wire.h"

/* ---- Set ---- */

static void admit_set(const struct d1_context *context, struct rest_group *group,
		      const json_t *outcome, const json_t *found)
{
	struct d1_job *job = group->ops.first;
	const struct cache_clock *clock = context->config->clock;
	int64_t now_us = cache_clock_now_us(clock ? clock : &system_clock);
	const json_t **index = d1_rest_index_rows(found, group->ops.item_count);

	if (!index) {
		d1_rest_fail_group(group, CACHE_NO_MEMORY, NULL);
		return;
	}
	for (size_t i = 0; i < job->op->item_count; i++) {
		struct cache_item *item = &job->op->items[i];
		int64_t ttl_s = item->ttl_s != TTL_DEFAULT
					? item->ttl_s
					: d1_read_integer(outcome, "default_ttl", 0);

		item->status = CACHE_OK;
		item->created = d1_read_integer(index[i], "live", 0) != 1;
		item->value->modified_at_us = now_us;
		item->value->expires_at_us =
			item->history && item->history->expires_at_us != HISTORY_TTL
				? item->history->expires_at_us
			: ttl_s > 0 ? now_us + ttl_s * US_PER_S
				    : 0;
	}
	free((void *)(uintptr_t)index);
	group->expired += d1_rest_count_rows(found, "live", 0);
	d1_rest_tally_gone(context, group);
	d1_rest_tally_job(context, job);
	d1_rest_finish_group(group);
}

/* A namespace of capacity 0 accepts everything and stores nothing. */
static void swallow_set(struct rest_group *group)
{
	struct cache_op *op = group->ops.first->op;

	for (size_t i = 0; i < op->item_count; i++) {
		op->items[i].status = CACHE_OK;
		op->items[i].created = true;
		op->items[i].value->modified_at_us = 0;
		op->items[i].value->expires_at_us = 0;
	}
	d1_rest_finish_group(group);
}

/* Why a set was not let in; CACHE_OK: more has to be evicted. */
static enum cache_status refusal_of(const struct cache_op *op, const json_t *outcome,
				    const json_t *before, const char **ret_detail)
{
	uint64_t max_size = (uint64_t)d1_read_integer(outcome, "max_size", 0);
	int64_t capacity = d1_read_integer(outcome, "capacity", CAPACITY_UNLIMITED);
	uint64_t size = 0;

	*ret_detail = NULL;
	if (!outcome)
		return CACHE_TOO_MANY_NAMESPACES;
	if (op->item_count == 1 && !d1_rest_condition_holds(&op->items[0].condition, before))
		return CACHE_PRECONDITION_FAILED;
	for (size_t i = 0; i < op->item_count; i++)
		size += op->items[i].size_bytes;
	if (max_size > 0 && size > max_size)
		return CACHE_TOO_LARGE;
	if (capacity > 0 && op->item_count > (uint64_t)capacity) {
		*ret_detail = "the batch has more items than the namespace may hold entries";
		return CACHE_TOO_LARGE;
	}
	if (slice_equal(d1_read_text(outcome, "policy"), SLICE("none"))) {
		*ret_detail =
			"the namespace is full and its eviction is \"none\"; delete entries or "
			"raise its limits";
		return CACHE_NO_SPACE;
	}
	return CACHE_OK;
}

void d1_rest_read_set(const struct d1_context *context, struct rest_group *group,
		      const json_t *results)
{
	const struct cache_op *op = group->ops.first->op;
	size_t offset = (group->round == 0) + (size_t)group->mark;
	const json_t *swept = d1_rest_rows_of(results, group, offset);
	const json_t *found = d1_rest_rows_of(results, group, offset + 1);
	size_t gone = json_array_size(d1_rest_rows_of(results, group, offset + 3));
	const json_t *outcome =
		d1_rest_first_row(d1_rest_rows_of(results, group, group->count - 2));
	const char *detail = NULL;

	group->expired += d1_rest_count_rows(swept, "expired", 1);
	group->evicted += gone;
	if (!op) {
		group->is_finished = true;
		return;
	}
	if (d1_read_integer(outcome, "admitted", 0) == 1) {
		admit_set(context, group, outcome, found);
		return;
	}
	if (outcome && d1_read_integer(outcome, "capacity", CAPACITY_UNLIMITED) == 0) {
		swallow_set(group);
		return;
	}
	enum cache_status status = refusal_of(op, outcome, d1_rest_first_row(found), &detail);
	/* What has expired would make room, but there is more of it than one sweep takes. */
	bool may_help = status == CACHE_NO_SPACE && json_array_size(swept) >= REST_SWEEP_MAX;
	if (status != CACHE_OK && !(may_help && group->round < REST_ROUNDS_MAX)) {
		d1_rest_fail_group(group, status, detail);
	} else if (group->round >= REST_ROUNDS_MAX) {
		d1_rest_fail_group(group, CACHE_UNAVAILABLE,
				   "the namespace is being written too fast; try again");
	} else {
		group->mark = gone == 0 && group->round > 0;
		group->continuing = d1_read_integer(outcome, "by_size", 0) ? 1 : 2;
		group->round++;
	}
}

/* ---- Clear, configure ---- */

void d1_rest_read_clear(const struct d1_context *context, struct rest_group *group,
			const json_t *results)
{
	const struct cache_op *op = group->ops.first->op;
	const json_t *rows = d1_rest_rows_of(results, group, 0);

	if (op && op->prefix.len > 0 && !group->accounts) {
		group->deleted += d1_rest_count_rows(rows, "expired", 0);
		group->accounts = json_array_size(rows) < REST_CLEAR_MAX;
		return;
	}
	if (!group->accounts)
		group->deleted =
			(uint64_t)d1_read_integer(d1_rest_first_row(rows), "entry_count", 0);
	d1_rest_tally_gone(context, group);
	d1_rest_finish_group(group);
}

void d1_rest_read_configure(const struct d1_context *context, struct rest_group *group,
			    const json_t *results)
{
	const json_t *outcome =
		d1_rest_first_row(d1_rest_rows_of(results, group, group->count - 2));
	size_t gone = json_array_size(d1_rest_rows_of(results, group, group->count - 3));

	group->evicted += gone;
	if (!outcome) {
		d1_rest_fail_group(group, CACHE_TOO_MANY_NAMESPACES, NULL);
	} else if (d1_read_integer(outcome, "unfinished", 0) && gone > 0) {
		group->round++;
		group->continuing = d1_read_integer(outcome, "by_size", 0) ? 1 : 2;
	} else {
		d1_rest_tally_gone(context, group);
		d1_rest_finish_group(group);
	}
}
