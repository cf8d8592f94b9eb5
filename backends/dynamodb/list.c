/* SCAN: each shard has its keys in byte order; they are merged. A shard is asked for more once what
 * it sent is used up, and all that are, at once. */
#include "backends/dynamodb/list.h"

#include <stdlib.h>

#include "backends/dynamodb/range.h"
#include "store/rules.h"

/* Entries asked of a shard at once. */
#define PAGE_MIN 8
#define PAGE_MAX 500

static const struct dynamodb_stage list_stage;

struct shard {
	struct dynamodb_cursor cursor;
	struct cache_entry_info *entries; /* with keys of its own */
	size_t count, at;                 /* the next that is not used */
};

struct plan {
	unsigned count;
	unsigned *asked; /* by part of this step */
	size_t key_bytes;
	struct shard shards[];
};

static void free_plan(void *of)
{
	struct plan *plan = of;

	for (unsigned i = 0; i < plan->count; i++) {
		struct shard *shard = &plan->shards[i];

		for (; shard->at < shard->count; shard->at++)
			free((void *)(uintptr_t)shard->entries[shard->at].key.data);
		free(shard->entries);
		free(shard->cursor.start);
	}
	free(plan->asked);
	free(plan);
}

const struct dynamodb_stage *dynamodb_list_begin(const struct remote_context *context,
						 struct remote_call *call)
{
	unsigned count = dynamodb_state_of(context)->shards;
	struct dynamodb_call *own = dynamodb_call_of(call);
	struct plan *plan = calloc(1, sizeof(*plan) + count * sizeof(plan->shards[0]));

	if (plan) {
		plan->count = count;
		plan->asked = calloc(count, sizeof(*plan->asked));
		own->plan = plan;
		own->free_plan = free_plan;
	}
	if (plan && plan->asked)
		return &list_stage;
	(void)dynamodb_call_fail(call, CACHE_NO_MEMORY, NULL);
	return NULL;
}

static bool is_used_up(const struct shard *shard)
{
	return shard->at == shard->count && !shard->cursor.is_complete;
}

static size_t list_parts(const struct remote_context *context, struct remote_call *call)
{
	struct plan *plan = dynamodb_call_of(call)->plan;
	size_t parts = 0;

	(void)context;
	for (unsigned i = 0; i < plan->count; i++)
		if (is_used_up(&plan->shards[i]))
			plan->asked[parts++] = i;
	return parts;
}

static bool list_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct buffer *out)
{
	const struct plan *plan = dynamodb_call_of(call)->plan;
	const struct cache_op *op = dynamodb_call_op(call);
	unsigned shard = plan->asked[part];
	/* A quarter more than its share, as shards differ. */
	size_t limit = (op->limit - op->entry_count) / plan->count * 5 / 4 + PAGE_MIN;

	dynamodb_range_write(out, dynamodb_state_of(context), op->ns, shard, op->prefix,
			     op->has_after ? op->after : (struct slice){0},
			     &plan->shards[shard].cursor, limit < PAGE_MAX ? limit : PAGE_MAX,
			     "k,s,e,f,a,c,x");
	return true;
}

/* Whether the entry of `item` belongs into the listing; then it is in *ret, but for its key. */
static bool take_info(const struct cache_op *op, int64_t now_us, const json_t *item,
		      struct slice key, struct cache_entry_info *ret)
{
	struct slice tag = dynamodb_wire_read_base64(item, "e");
	char room[32];
	size_t len = 0;

	*ret = (struct cache_entry_info){
		.size_bytes = (uint64_t)dynamodb_wire_read_number(item, "s", 0),
		.frequency = (uint64_t)dynamodb_wire_read_number(item, "f", 1),
		/* A clock that was set back shows no times to come. */
		.last_access_us = earlier_us(dynamodb_wire_read_number(item, "a", 0), now_us),
		.created_at_us = earlier_us(dynamodb_wire_read_number(item, "c", 0), now_us),
		.expires_at_us = dynamodb_wire_read_number(item, "x", 0),
	};
	if (dynamodb_wire_base64_max(tag) <= sizeof(room) &&
	    dynamodb_wire_decode(tag, room, &len) && len == sizeof(ret->etag.bytes))
		memcpy(ret->etag.bytes, room, len);
	return rules_is_live(ret->expires_at_us, now_us) && slice_starts_with(key, op->prefix) &&
	       (!op->has_after || slice_compare(key, op->after) > 0);
}

/* CACHE_OK, CACHE_NO_MEMORY, or CACHE_UNAVAILABLE: an item is no entry. */
static enum cache_status take_items(const struct remote_context *context, const struct cache_op *op,
				    struct shard *shard, const json_t *items)
{
	int64_t now_us = dynamodb_now_us(context);
	struct cache_entry_info *entries =
		realloc(shard->entries, (json_array_size(items) + 1) * sizeof(*entries));
	const json_t *item;
	size_t i;

	if (!entries)
		return CACHE_NO_MEMORY;
	shard->entries = entries;
	shard->count = shard->at = 0;
	json_array_foreach(items, i, item)
	{
		struct cache_entry_info info;
		char room[1024];
		struct slice key;

		if (!dynamodb_wire_read_sort_key(item, 'k', room, &key))
			return CACHE_UNAVAILABLE;
		if (!take_info(op, now_us, item, key, &info))
			continue;
		char *copy = malloc(key.len + 1);
		if (!copy)
			return CACHE_NO_MEMORY;
		memcpy(copy, room, key.len);
		info.key = (struct slice){.data = copy, .len = key.len};
		entries[shard->count++] = info;
	}
	return CACHE_OK;
}

/* The shard with the least of the next keys; NULL: none is known, or one that is used up may have a
 * smaller one. */
static struct shard *least(struct plan *plan)
{
	struct shard *found = NULL;

	for (unsigned i = 0; i < plan->count; i++) {
		struct shard *shard = &plan->shards[i];

		if (is_used_up(shard))
			return NULL;
		if (shard->at < shard->count &&
		    (!found || slice_compare(shard->entries[shard->at].key,
					     found->entries[found->at].key) < 0))
			found = shard;
	}
	return found;
}

static bool has_next(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++)
		if (plan->shards[i].at < plan->shards[i].count)
			return true;
	return false;
}

static bool needs_more(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++)
		if (is_used_up(&plan->shards[i]))
			return true;
	return false;
}

static bool is_full(const struct plan *plan, const struct cache_op *op)
{
	return op->entry_count == op->limit ||
	       (op->max_key_bytes > 0 && plan->key_bytes >= op->max_key_bytes);
}

/* Moves what is next to op->entries. False: out of memory. */
static bool merge(struct plan *plan, struct cache_op *op)
{
	struct shard *shard;

	while (!is_full(plan, op) && (shard = least(plan))) {
		/* At 0, 1, 2, 4, 8 ... entries. */
		if ((op->entry_count & (op->entry_count - 1)) == 0) {
			size_t room = op->entry_count ? 2 * op->entry_count : 1;
			struct cache_entry_info *entries =
				realloc(op->entries, room * sizeof(*entries));

			if (!entries)
				return false;
			op->entries = entries;
		}
		op->entries[op->entry_count++] = shard->entries[shard->at++];
		plan->key_bytes += op->entries[op->entry_count - 1].key.len;
	}
	return true;
}

static enum remote_step list_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	struct plan *plan = dynamodb_call_of(call)->plan;
	struct cache_op *op = dynamodb_call_op(call);
	struct shard *shard = &plan->shards[plan->asked[part]];
	enum cache_status status;

	if (!op)
		return dynamodb_call_end(call);
	if (!dynamodb_range_advance(&shard->cursor, reply->root))
		return STEP_BAD;
	status = take_items(context, op, shard, json_object_get(reply->root, "Items"));
	if (status != CACHE_OK)
		return dynamodb_call_fail(
			call, status,
			status == CACHE_UNAVAILABLE
				? "DynamoDB sent a key that is none of the cache's"
				: NULL);
	if (call->open > 0)
		return STEP_MORE;
	if (!merge(plan, op))
		return dynamodb_call_fail(call, CACHE_NO_MEMORY, NULL);
	/* At the end of a page it has to be known whether anything follows. */
	if (is_full(plan, op) ? !has_next(plan) && needs_more(plan) : needs_more(plan))
		return dynamodb_call_next(call, &list_stage);
	op->complete = !has_next(plan);
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage list_stage = {
	.target = "Query",
	.parts = list_parts,
	.write = list_write,
	.read = list_read,
};
