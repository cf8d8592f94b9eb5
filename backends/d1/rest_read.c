/* What the rows of REST mode's statements say. */
#include <stdlib.h>

#include "backends/d1/rest_read_parts.h"
#include "backends/d1/wire.h"

/* ---- Rows and groups ---- */

const json_t *d1_rest_rows_of(const json_t *results, const struct rest_group *group, size_t at)
{
	return json_object_get(json_array_get(results, group->first + at), "results");
}

const json_t *d1_rest_first_row(const json_t *rows)
{
	return json_array_get(rows, 0);
}

/* The row about item `i`, or NULL. Rows come in no order that could be relied on. */
const json_t **d1_rest_index_rows(const json_t *rows, size_t item_count)
{
	const json_t **index = calloc(item_count + 1, sizeof(*index));
	const json_t *row;
	size_t i;

	if (!index)
		return NULL;
	json_array_foreach(rows, i, row)
	{
		int64_t at = d1_read_integer(row, "i", -1);

		if (at >= 0 && (size_t)at < item_count)
			index[at] = row;
	}
	return index;
}

uint64_t d1_rest_count_rows(const json_t *rows, const char *member, int64_t value)
{
	const json_t *row;
	uint64_t count = 0;
	size_t i;

	json_array_foreach(rows, i, row) count += d1_read_integer(row, member, -1) == value;
	return count;
}

void d1_rest_fail_group(struct rest_group *group, enum cache_status status, const char *detail)
{
	group->is_finished = true;
	for (struct d1_job *job = group->ops.first; job; job = job->grouped)
		d1_job_fail(job, status, detail, 0);
}

void d1_rest_finish_group(struct rest_group *group)
{
	group->is_finished = true;
	for (struct d1_job *job = group->ops.first; job; job = job->grouped)
		d1_job_succeed(job);
}

void d1_rest_tally_job(const struct d1_context *context, const struct d1_job *job)
{
	for (const struct d1_job *each = job; each; each = each->twins)
		if (each->op)
			d1_tally_items(context->tally, each->op, job->op->items);
}

void d1_rest_tally_gone(const struct d1_context *context, const struct rest_group *group)
{
	const struct cache_op *op = group->ops.first ? group->ops.first->op : NULL;

	if (!op)
		return;
	struct d1_ns_counters *counters = d1_tally_namespace(context->tally, op->ns);
	counters->evictions += group->evicted;
	counters->expirations += group->expired;
	counters->deletes += group->deleted;
}

/* ---- Get, exists, delete ---- */

/* False: out of memory. */
static bool take_row(const json_t *row, const struct cache_op *op, struct cache_item *item)
{
	struct d1_bytes bytes;

	item->status = row ? CACHE_OK : CACHE_NOT_FOUND;
	if (op->type == CACHE_OP_DELETE && row && d1_read_integer(row, "live", 0) != 1)
		item->status = CACHE_NOT_FOUND;
	if (op->type != CACHE_OP_GET || !row)
		return true;
	bytes = (struct d1_bytes){
		.text = d1_read_text(row, "value"),
		.is_base64 = d1_read_integer(row, "encoding", 0) == 1,
	};
	item->value = d1_make_value(&bytes, d1_read_text(row, "type"));
	if (!item->value)
		return false;
	item->value->modified_at_us = d1_read_integer(row, "modified", 0);
	item->value->expires_at_us = d1_read_integer(row, "expires", 0);
	item->stale = d1_read_integer(row, "stale", 0) == 1;
	return true;
}

bool d1_rest_condition_holds(const struct cache_condition *condition, const json_t *before)
{
	bool live = d1_read_integer(before, "live", 0) == 1;
	struct slice etag_hex = d1_read_text(before, "etag");
	char text[ETAG_TEXT_LEN + 1];
	bool listed = false;

	for (size_t i = 0; live && i < condition->etag_count; i++) {
		etag_format(&condition->etags[i], text);
		listed |= slice_equal(etag_hex,
				      (struct slice){.data = text + 1, .len = ETAG_TEXT_LEN - 2});
	}
	switch (condition->kind) {
	case CONDITION_ABSENT:
		return !live;
	case CONDITION_PRESENT:
		return live;
	case CONDITION_MATCH:
		return listed;
	case CONDITION_NONE_MATCH:
		return !listed;
	case CONDITION_NONE:
	default:
		return true;
	}
}

static void read_items(const struct d1_context *context, struct rest_group *group,
		       const json_t *rows)
{
	const json_t **index = d1_rest_index_rows(rows, group->ops.item_count);

	if (!index) {
		d1_rest_fail_group(group, CACHE_NO_MEMORY, NULL);
		return;
	}
	for (struct d1_job *job = group->ops.first; job; job = job->grouped) {
		bool complete = true;

		for (size_t i = 0; complete && job->op && i < job->op->item_count; i++)
			complete =
				take_row(index[job->first_item + i], job->op, &job->op->items[i]);
		if (!complete)
			d1_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
		if (job->op)
			d1_rest_tally_job(context, job);
	}
	free((void *)(uintptr_t)index);
	d1_rest_tally_gone(context, group);
	d1_rest_finish_group(group);
}

static void read_delete(const struct d1_context *context, struct rest_group *group,
			const json_t *results)
{
	const struct cache_op *op = group->ops.first->op;
	const json_t *found = d1_rest_rows_of(results, group, 0);

	if (op && op->item_count == 1 && group->ops.item_count == 1 &&
	    !d1_rest_condition_holds(&op->items[0].condition, d1_rest_first_row(found))) {
		d1_rest_fail_group(group, CACHE_PRECONDITION_FAILED, NULL);
		return;
	}
	group->expired = d1_rest_count_rows(d1_rest_rows_of(results, group, 2), "expired", 1);
	read_items(context, group, found);
}

/* ---- Every operation ---- */

static void read_check(struct rest_group *group)
{
	struct cache_op *op = group->ops.first->op;

	if (op) {
		op->checks[0] = (struct cache_health_check){.name = "upstream", .ok = true};
		op->check_count = 1;
	}
	d1_rest_finish_group(group);
}

void d1_rest_read_group(const struct d1_context *context, struct rest_group *group,
			const json_t *results)
{
	switch (group->ops.type) {
	case CACHE_OP_GET:
	case CACHE_OP_EXISTS:
		read_items(context, group, d1_rest_rows_of(results, group, 0));
		break;
	case CACHE_OP_DELETE:
		read_delete(context, group, results);
		break;
	case CACHE_OP_SET:
		d1_rest_read_set(context, group, results);
		break;
	case CACHE_OP_CLEAR:
		d1_rest_read_clear(context, group, results);
		break;
	case CACHE_OP_CONFIGURE:
		d1_rest_read_configure(context, group, results);
		break;
	case CACHE_OP_SCAN:
		d1_rest_read_scan(group, d1_rest_rows_of(results, group, 0));
		break;
	case CACHE_OP_STATS:
		d1_rest_read_stats(context, group, d1_rest_rows_of(results, group, 2));
		break;
	default:
		read_check(group);
		break;
	}
}
