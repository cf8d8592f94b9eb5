/* GET and EXISTS by BatchGetItem: up to 100 different keys a request, as many requests as it takes.
 * What DynamoDB leaves unprocessed is asked for again, after a pause that grows. Reads are
 * consistent: they see every write that is done, whichever server asked for it. */
#include "backends/dynamodb/read.h"

#include <stdlib.h>

#include "backends/dynamodb/wire.h"
#include "backends/remote/namespaces.h"
#include "store/rules.h"

static const struct dynamodb_stage read_stage;

/* The name of a key asked for, and who asks. The bytes are the plan's, as an op may end before its
 * answer. */
struct wish {
	struct remote_job *job;
	size_t item;
	struct slice name;
	unsigned shard;
};

struct plan {
	struct wish *wishes; /* in order of their keys */
	size_t count;
	size_t *open; /* the first wish for each key that is not answered yet */
	size_t open_count;
	bool *is_answered; /* by place in `open` of this step */
	bool wants_values;
	char *names;
};

static void free_plan(void *of)
{
	struct plan *plan = of;

	free(plan->wishes);
	free(plan->open);
	free(plan->is_answered);
	free(plan->names);
	free(plan);
}

bool dynamodb_read_joins(const struct remote_job *first, const struct remote_job *job)
{
	return first->is_single_read && job->is_single_read && first->op->type == job->op->type &&
	       first->op->no_touch == job->op->no_touch &&
	       first->op->serve_stale == job->op->serve_stale &&
	       slice_equal(first->op->ns, job->op->ns);
}

static int compare_wishes(const void *a, const void *b)
{
	return slice_compare(((const struct wish *)a)->name, ((const struct wish *)b)->name);
}

static bool fill_plan(const struct dynamodb_state *state, struct plan *plan,
		      const struct remote_call *call)
{
	size_t bytes = 0;
	char *at;

	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		for (size_t i = 0; job->op && i < job->item_count; i++, plan->count++)
			bytes += dynamodb_wire_is_long(job->op->items[i].key)
					 ? DYNAMODB_NAME_MAX
					 : job->op->items[i].key.len;
	plan->wishes = calloc(plan->count + 1, sizeof(*plan->wishes));
	plan->open = calloc(plan->count + 1, sizeof(*plan->open));
	plan->is_answered = calloc(plan->count + 1, sizeof(*plan->is_answered));
	plan->names = at = malloc(bytes + 1);
	if (!plan->wishes || !plan->open || !plan->is_answered || !plan->names)
		return false;
	size_t n = 0;
	for (struct remote_job *job = call->jobs.first; job; job = job->next) {
		for (size_t i = 0; job->op && i < job->item_count; i++) {
			struct slice key = job->op->items[i].key;
			char room[DYNAMODB_NAME_MAX];
			struct slice name = dynamodb_wire_name(key, room);

			if (name.len > 0)
				memcpy(at, name.data, name.len);
			plan->wishes[n++] = (struct wish){
				.job = job,
				.item = i,
				.name = {.data = at, .len = name.len},
				.shard = dynamodb_wire_shard(state, key),
			};
			at += name.len;
			job->op->items[i].status = CACHE_NOT_FOUND;
			plan->wants_values = job->op->type == CACHE_OP_GET;
		}
	}
	qsort(plan->wishes, n, sizeof(*plan->wishes), compare_wishes);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !slice_equal(plan->wishes[i].name, plan->wishes[i - 1].name))
			plan->open[plan->open_count++] = i;
	return true;
}

const struct dynamodb_stage *dynamodb_read_begin(const struct remote_context *context,
						 struct remote_call *call)
{
	struct dynamodb_call *own = dynamodb_call_of(call);
	struct plan *plan = calloc(1, sizeof(*plan));

	own->plan = plan;
	own->free_plan = free_plan;
	if (plan && fill_plan(dynamodb_state_of(context), plan, call))
		return &read_stage;
	(void)dynamodb_call_fail(call, CACHE_NO_MEMORY, NULL);
	return NULL;
}

static size_t read_parts(const struct remote_context *context, struct remote_call *call)
{
	const struct plan *plan = dynamodb_call_of(call)->plan;

	(void)context;
	return plan->open_count > 0 ? (plan->open_count + DYNAMODB_GET_MAX - 1) / DYNAMODB_GET_MAX
				    : 1;
}

static size_t end_of_part(const struct plan *plan, size_t part)
{
	size_t end = (part + 1) * DYNAMODB_GET_MAX;

	return end < plan->open_count ? end : plan->open_count;
}

static struct slice ns_of(const struct remote_call *call)
{
	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		if (job->op)
			return job->op->ns;
	return (struct slice){0};
}

static bool read_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct plan *plan = dynamodb_call_of(call)->plan;

	buffer_append(out, SLICE("{\"RequestItems\":{\""));
	buffer_append(out, slice_of(state->settings.table));
	buffer_append(out, SLICE("\":{\"ConsistentRead\":true,\"ProjectionExpression\":"));
	buffer_append(out, plan->wants_values ? SLICE("\"k,v,y,e,g,m,x\"") : SLICE("\"k,x\""));
	buffer_append(out, SLICE(",\"Keys\":["));
	for (size_t i = part * DYNAMODB_GET_MAX; i < end_of_part(plan, part); i++) {
		if (i % DYNAMODB_GET_MAX > 0)
			buffer_append_char(out, ',');
		dynamodb_wire_name_key(out, state, ns_of(call), plan->wishes[plan->open[i]].shard,
				       plan->wishes[plan->open[i]].name);
	}
	buffer_append(out, SLICE("]}}}"));
	return true;
}

/* ---- Answers ---- */

static const char damaged[] = "DynamoDB has a value that does not have its ETag";

/* CACHE_OK, CACHE_NO_MEMORY, or CACHE_UNAVAILABLE: it is not what was stored. */
static enum cache_status make_value(const json_t *found, struct cache_value **ret)
{
	struct slice bytes = dynamodb_wire_read_base64(found, "v");
	struct slice tag = dynamodb_wire_read_base64(found, "e");
	uint8_t flags = (uint8_t)dynamodb_wire_read_number(found, "g", 0);
	struct cache_value *value = cache_value_create(dynamodb_answer_decoded_max(bytes),
						       dynamodb_wire_read_text(found, "y"));
	struct etag etag;
	size_t len = 0;
	char room[32];

	if (!value)
		return CACHE_NO_MEMORY;
	if (!dynamodb_answer_decode(bytes, cache_value_data(value), &len) ||
	    dynamodb_answer_decoded_max(tag) > sizeof(room)) {
		cache_value_release(value);
		return CACHE_UNAVAILABLE;
	}
	value->len_bytes = (uint32_t)len;
	if (!dynamodb_answer_decode(tag, room, &len) || len != sizeof(etag.bytes)) {
		cache_value_release(value);
		return CACHE_UNAVAILABLE;
	}
	memcpy(etag.bytes, room, sizeof(etag.bytes));
	if (flags & (CACHE_VALUE_REFERENCE | CACHE_VALUE_ZSTD)) /* its ETag is that of others */
		cache_value_seal_known(value, &etag, flags);
	else
		cache_value_seal(value);
	if (!etag_equal(&etag, &value->etag)) {
		cache_value_release(value);
		return CACHE_UNAVAILABLE;
	}
	value->modified_at_us = dynamodb_wire_read_number(found, "m", 0);
	value->expires_at_us = dynamodb_wire_read_number(found, "x", 0);
	*ret = value;
	return CACHE_OK;
}

/* The bytes that an op got so far. */
static uint64_t bytes_of(const struct cache_op *op)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < op->item_count; i++)
		if (op->items[i].value)
			sum += op->items[i].value->len_bytes;
	return sum;
}

/* Gives what was found to one who asked. `*value` is made for the first, and a reference is the
 * caller's. */
static void give(const struct wish *wish, const json_t *found, bool is_stale,
		 struct cache_value **value)
{
	struct cache_op *op = wish->job->op;
	enum cache_status status = CACHE_OK;

	if (!op || (is_stale && !op->serve_stale))
		return;
	struct cache_item *item = &op->items[wish->item];
	if (item->value) /* of an answer that came before, and was not whole */
		return;
	if (op->type == CACHE_OP_GET && !*value)
		status = make_value(found, value);
	if (status != CACHE_OK) {
		remote_job_fail(wish->job, status, status == CACHE_UNAVAILABLE ? damaged : NULL, 1);
		return;
	}
	item->status = CACHE_OK;
	item->stale = is_stale;
	if (op->type != CACHE_OP_GET)
		return;
	item->value = cache_value_acquire(*value);
	if (op->item_count > 1 && op->max_value_bytes > 0 && bytes_of(op) > op->max_value_bytes)
		remote_job_fail(wish->job, CACHE_TOO_LARGE, NULL, 0);
}

/* The place in `open` of a key of this part; SIZE_MAX: it was not asked for. */
static size_t find_open(const struct plan *plan, size_t part, struct slice key)
{
	size_t low = part * DYNAMODB_GET_MAX;
	size_t high = end_of_part(plan, part);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_compare(key, plan->wishes[plan->open[middle]].name);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return SIZE_MAX;
}

static void take_found(const struct remote_context *context, const struct remote_call *call,
		       size_t place, const json_t *found)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct plan *plan = dynamodb_call_of(call)->plan;
	const struct dynamodb_space *space = dynamodb_space_find(&state->spaces, ns_of(call));
	int64_t expires_us = dynamodb_wire_read_number(found, "x", 0);
	int64_t now_us = dynamodb_now_us(context);
	struct cache_value *value = NULL;
	size_t first = plan->open[place];

	if (!rules_is_kept(expires_us, space ? space->settings.stale_ttl_s : 0, now_us))
		return;
	for (size_t i = first;
	     i < plan->count &&
	     (i == first || slice_equal(plan->wishes[i].name, plan->wishes[first].name));
	     i++)
		give(&plan->wishes[i], found, !rules_is_live(expires_us, now_us), &value);
	cache_value_release(value);
}

/* Whether an answer is whole: each key is found, or missing, or left for another request. */
static bool take_answer(const struct remote_context *context, const struct remote_call *call,
			size_t part, const json_t *root)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	struct plan *plan = dynamodb_call_of(call)->plan;
	const json_t *found =
		json_object_get(json_object_get(root, "Responses"), state->settings.table);
	const json_t *left = json_object_get(
		json_object_get(json_object_get(root, "UnprocessedKeys"), state->settings.table),
		"Keys");
	const json_t *item;
	char room[1024];
	struct slice key;
	size_t i;

	if (!json_is_array(found) || !json_is_object(json_object_get(root, "UnprocessedKeys")))
		return false;
	for (size_t place = part * DYNAMODB_GET_MAX; place < end_of_part(plan, part); place++)
		plan->is_answered[place] = true;
	json_array_foreach(left, i, item)
	{
		size_t place = dynamodb_wire_read_sort_key(item, 'k', room, &key)
				       ? find_open(plan, part, key)
				       : SIZE_MAX;

		if (place == SIZE_MAX)
			return false;
		plan->is_answered[place] = false;
	}
	json_array_foreach(found, i, item)
	{
		size_t place = dynamodb_wire_read_sort_key(item, 'k', room, &key)
				       ? find_open(plan, part, key)
				       : SIZE_MAX;

		if (place == SIZE_MAX)
			return false;
		take_found(context, call, place, item);
	}
	return true;
}

/* Keeps what is not answered for the next step. */
static void keep_open(struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->open_count; i++)
		if (!plan->is_answered[i])
			plan->open[kept++] = plan->open[i];
	plan->open_count = kept;
}

static void finish(const struct remote_context *context, const struct remote_call *call)
{
	for (struct remote_job *job = call->jobs.first; job; job = job->next) {
		const struct cache_item *items = job->op ? job->op->items : NULL;

		for (const struct remote_job *each = job; each && items; each = each->twins)
			if (each->op)
				remote_namespaces_count(context->namespaces, each->op, items);
		remote_job_succeed(job);
	}
}

static enum remote_step read_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	struct plan *plan = dynamodb_call_of(call)->plan;
	size_t before = plan->open_count;

	if (!take_answer(context, call, part, reply->root))
		return STEP_BAD;
	if (call->open > 0)
		return STEP_MORE;
	keep_open(plan);
	if (plan->open_count > 0) {
		if (plan->open_count < before)
			dynamodb_call_of(call)->pauses = 0;
		return dynamodb_call_again(context, call, &read_stage);
	}
	finish(context, call);
	return STEP_DONE;
}

static const struct dynamodb_stage read_stage = {
	.target = "BatchGetItem",
	.parts = read_parts,
	.write = read_write,
	.read = read_read,
};
