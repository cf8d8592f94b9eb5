/* What the rows of REST mode's statements say. */
#include <stdlib.h>

#include "backends/d1/rest.h"
#include "backends/d1/wire.h"

/* The rows of the group's statement number `at`, a list; NULL where there are none. */
static const json_t *rows_of(const json_t *results, const struct rest_group *group, size_t at)
{
	return json_object_get(json_array_get(results, group->first + at), "results");
}

static const json_t *first_row(const json_t *rows)
{
	return json_array_get(rows, 0);
}

/* The row about item `i`, or NULL. Rows come in no order that could be relied on. */
static const json_t **index_rows(const json_t *rows, size_t item_count)
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

static uint64_t count_rows(const json_t *rows, const char *member, int64_t value)
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

static void finish_group(struct rest_group *group)
{
	group->is_finished = true;
	for (struct d1_job *job = group->ops.first; job; job = job->grouped)
		d1_job_succeed(job);
}

static void tally_job(const struct d1_context *context, const struct d1_job *job)
{
	for (const struct d1_job *each = job; each; each = each->twins)
		if (each->op)
			d1_tally_items(context->tally, each->op, job->op->items);
}

static void tally_gone(const struct d1_context *context, const struct rest_group *group)
{
	const struct cache_op *op = group->ops.first ? group->ops.first->op : NULL;

	if (!op)
		return;
	struct d1_ns_counters *counters = d1_tally_namespace(context->tally, op->ns);
	counters->evictions += group->evicted;
	counters->expirations += group->expired;
	counters->deletes += group->deleted;
}

/* ---- get, exists, delete ---- */

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

static bool condition_holds(const struct cache_condition *condition, const json_t *before)
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
	const json_t **index = index_rows(rows, group->ops.item_count);

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
			tally_job(context, job);
	}
	free((void *)(uintptr_t)index);
	tally_gone(context, group);
	finish_group(group);
}

static void read_delete(const struct d1_context *context, struct rest_group *group,
			const json_t *results)
{
	const struct cache_op *op = group->ops.first->op;
	const json_t *found = rows_of(results, group, 0);

	if (op && op->item_count == 1 && group->ops.item_count == 1 &&
	    !condition_holds(&op->items[0].condition, first_row(found))) {
		d1_rest_fail_group(group, CACHE_PRECONDITION_FAILED, NULL);
		return;
	}
	group->expired = count_rows(rows_of(results, group, 2), "expired", 1);
	read_items(context, group, found);
}

/* ---- set ---- */

static void admit_set(const struct d1_context *context, struct rest_group *group,
		      const json_t *outcome, const json_t *found)
{
	struct d1_job *job = group->ops.first;
	const struct cache_clock *clock = context->config->clock;
	int64_t now_us = cache_clock_now_us(clock ? clock : &system_clock);
	const json_t **index = index_rows(found, group->ops.item_count);

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
	group->expired += count_rows(found, "live", 0);
	tally_gone(context, group);
	tally_job(context, job);
	finish_group(group);
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
	finish_group(group);
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
	if (op->item_count == 1 && !condition_holds(&op->items[0].condition, before))
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

static void read_set(const struct d1_context *context, struct rest_group *group,
		     const json_t *results)
{
	const struct cache_op *op = group->ops.first->op;
	size_t offset = (group->round == 0) + (size_t)group->mark;
	const json_t *swept = rows_of(results, group, offset);
	const json_t *found = rows_of(results, group, offset + 1);
	size_t gone = json_array_size(rows_of(results, group, offset + 3));
	const json_t *outcome = first_row(rows_of(results, group, group->count - 2));
	const char *detail = NULL;

	group->expired += count_rows(swept, "expired", 1);
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
	enum cache_status status = refusal_of(op, outcome, first_row(found), &detail);
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

/* ---- clear, configure ---- */

static void read_clear(const struct d1_context *context, struct rest_group *group,
		       const json_t *results)
{
	const struct cache_op *op = group->ops.first->op;
	const json_t *rows = rows_of(results, group, 0);

	if (op && op->prefix.len > 0 && !group->accounts) {
		group->deleted += count_rows(rows, "expired", 0);
		group->accounts = json_array_size(rows) < REST_CLEAR_MAX;
		return;
	}
	if (!group->accounts)
		group->deleted = (uint64_t)d1_read_integer(first_row(rows), "entry_count", 0);
	tally_gone(context, group);
	finish_group(group);
}

static void read_configure(const struct d1_context *context, struct rest_group *group,
			   const json_t *results)
{
	const json_t *outcome = first_row(rows_of(results, group, group->count - 2));
	size_t gone = json_array_size(rows_of(results, group, group->count - 3));

	group->evicted += gone;
	if (!outcome) {
		d1_rest_fail_group(group, CACHE_TOO_MANY_NAMESPACES, NULL);
	} else if (d1_read_integer(outcome, "unfinished", 0) && gone > 0) {
		group->round++;
		group->continuing = d1_read_integer(outcome, "by_size", 0) ? 1 : 2;
	} else {
		tally_gone(context, group);
		finish_group(group);
	}
}

/* ---- scan, stats, check ---- */

static bool copy_key(const json_t *row, struct slice *ret)
{
	struct slice text = d1_read_text(row, "key");
	bool is_text = d1_read_integer(row, "key_is_text", 1) == 1;
	size_t len = is_text ? text.len : text.len / 2;
	char *copy = malloc(len + 1);

	if (!copy)
		return false;
	if (is_text && len > 0)
		memcpy(copy, text.data, len);
	for (size_t i = 0; !is_text && i < len; i++) {
		char digits[3] = {text.data[2 * i], text.data[2 * i + 1], '\0'};

		copy[i] = (char)strtoul(digits, NULL, 16);
	}
	*ret = (struct slice){.data = copy, .len = len};
	return true;
}

static bool take_entry(const json_t *row, struct cache_entry_info *info)
{
	char text[ETAG_TEXT_LEN + 1];
	struct slice etag_hex = d1_read_text(row, "etag");
	int len = snprintf(text, sizeof(text), "\"%.*s\"", (int)(etag_hex.len & 63), etag_hex.data);

	*info = (struct cache_entry_info){
		.size_bytes = (uint64_t)d1_read_integer(row, "size", 0),
		.frequency = (uint64_t)d1_read_integer(row, "frequency", 0),
		.last_access_us = d1_read_integer(row, "last_access", 0),
		.created_at_us = d1_read_integer(row, "created", 0),
		.expires_at_us = d1_read_integer(row, "expires", 0),
	};
	(void)etag_parse((struct slice){.data = text, .len = (size_t)len}, &info->etag);
	return copy_key(row, &info->key);
}

static void read_scan(struct rest_group *group, const json_t *rows)
{
	struct cache_op *op = group->ops.first->op;
	size_t count = json_array_size(rows);

	if (!op) {
		group->is_finished = true;
		return;
	}
	size_t asked = op->limit - op->entry_count;
	if (asked > REST_SCAN_MAX)
		asked = REST_SCAN_MAX;
	op->complete = count <= asked;
	if (count > asked)
		count = asked;
	struct cache_entry_info *grown =
		realloc(op->entries, (op->entry_count + count + 1) * sizeof(*grown));
	if (!grown) {
		d1_rest_fail_group(group, CACHE_NO_MEMORY, NULL);
		return;
	}
	op->entries = grown;
	for (size_t i = 0; i < count; i++) {
		if (!take_entry(json_array_get(rows, i), &op->entries[op->entry_count])) {
			d1_rest_fail_group(group, CACHE_NO_MEMORY, NULL);
			return;
		}
		op->entry_count++;
	}
	if (op->complete || op->entry_count >= op->limit)
		finish_group(group);
}

/* `row` NULL: a namespace that does not exist. */
static void take_stats(const struct d1_context *context, const json_t *row, struct slice name,
		       struct namespace_stats *ret)
{
	double frequency_sum = d1_read_double(row, "frequency_sum");
	struct namespace_settings defaults;

	memcpy(ret->name, name.data, name.len < NAMESPACE_MAX_LEN ? name.len : NAMESPACE_MAX_LEN);
	d1_default_settings(context, slice_of(ret->name), &defaults);
	ret->settings = (struct namespace_settings){
		.max_size_bytes = (uint64_t)d1_read_integer(row, "max_size",
							    (int64_t)defaults.max_size_bytes),
		.capacity = d1_read_integer(row, "capacity", defaults.capacity),
		.default_ttl_s = d1_read_integer(row, "default_ttl", defaults.default_ttl_s),
		.policy = defaults.policy,
		.stale_ttl_s = d1_read_integer(row, "stale_ttl", 0),
	};
	(void)eviction_policy_parse(d1_read_text(row, "policy"), &ret->settings.policy);
	ret->entry_count = (uint64_t)d1_read_integer(row, "entry_count", 0);
	ret->total_size_bytes = (uint64_t)d1_read_integer(row, "total_size", 0);
	ret->avg_frequency = ret->entry_count ? frequency_sum / (double)ret->entry_count : 0;
	ret->max_frequency = (uint64_t)d1_read_integer(row, "max_frequency", 0);
	d1_tally_fill(context->tally, ret);
	d1_tally_raise(ret, (uint64_t)d1_read_integer(row, "evictions", 0),
		       (uint64_t)d1_read_integer(row, "expirations", 0));
}

static void read_stats(const struct d1_context *context, struct rest_group *group,
		       const json_t *rows)
{
	struct cache_op *op = group->ops.first->op;
	size_t count = json_array_size(rows);

	if (!op) {
		group->is_finished = true;
		return;
	}
	op->stats = calloc(count + 1, sizeof(*op->stats));
	if (!op->stats) {
		d1_rest_fail_group(group, CACHE_NO_MEMORY, NULL);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const json_t *row = json_array_get(rows, i);

		take_stats(context, row, d1_read_text(row, "name"), &op->stats[i]);
	}
	if (count == 0 && op->ns.len > 0)
		take_stats(context, NULL, op->ns, &op->stats[count++]);
	op->stats_count = count;
	finish_group(group);
}

static void read_check(struct rest_group *group)
{
	struct cache_op *op = group->ops.first->op;

	if (op) {
		op->checks[0] = (struct cache_health_check){.name = "upstream", .ok = true};
		op->check_count = 1;
	}
	finish_group(group);
}

void d1_rest_read_group(const struct d1_context *context, struct rest_group *group,
			const json_t *results)
{
	switch (group->ops.type) {
	case CACHE_OP_GET:
	case CACHE_OP_EXISTS:
		read_items(context, group, rows_of(results, group, 0));
		break;
	case CACHE_OP_DELETE:
		read_delete(context, group, results);
		break;
	case CACHE_OP_SET:
		read_set(context, group, results);
		break;
	case CACHE_OP_CLEAR:
		read_clear(context, group, results);
		break;
	case CACHE_OP_CONFIGURE:
		read_configure(context, group, results);
		break;
	case CACHE_OP_SCAN:
		read_scan(group, rows_of(results, group, 0));
		break;
	case CACHE_OP_STATS:
		read_stats(context, group, rows_of(results, group, 2));
		break;
	default:
		read_check(group);
		break;
	}
}
