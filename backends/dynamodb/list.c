/* SCAN: each shard has its names in byte order; they are merged. A shard is asked for more once
 * what it sent is used up, and all that are, at once.
 *
 * Names are in the order of their keys, but for keys that share their stem (wire.h): those are
 * gathered, and sorted by the whole keys. So a page that ends among them begins, the next time,
 * with the first of them. A listing in any order takes them as they come. */
#include "backends/dynamodb/list.h"

#include <stdlib.h>

#include "backends/dynamodb/range.h"
#include "store/rules.h"

/* Entries asked of a shard at once. */
#define PAGE_MIN 8
#define PAGE_MAX 500

static const struct dynamodb_stage list_stage;

/* An entry on its way. Its key is its own, and its name behind that, if it is another. */
struct listed {
	struct cache_entry_info info;
	struct slice name;
};

struct shard {
	struct dynamodb_cursor cursor;
	struct listed *entries;
	size_t count, at; /* the next that is not used */
};

struct plan {
	unsigned count;
	unsigned *asked; /* by part of this step */
	size_t key_bytes;
	struct slice from;    /* the first name that may follow: in `room`, or of op->after */
	bool has_rest;        /* something was left out behind the last entry */
	struct listed *group; /* that share a stem */
	size_t group_count, group_room, group_bytes;
	char room[DYNAMODB_NAME_MAX];
	struct shard shards[];
};

static void free_key(const struct listed *listed)
{
	free((void *)(uintptr_t)listed->info.key.data);
}

static void free_plan(void *of)
{
	struct plan *plan = of;

	for (unsigned i = 0; i < plan->count; i++) {
		struct shard *shard = &plan->shards[i];

		for (; shard->at < shard->count; shard->at++)
			free_key(&shard->entries[shard->at]);
		free(shard->entries);
		free(shard->cursor.start);
	}
	for (size_t i = 0; i < plan->group_count; i++)
		free_key(&plan->group[i]);
	free(plan->group);
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
	if (plan && plan->asked) {
		const struct cache_op *op = dynamodb_call_op(call);

		if (op->has_after && op->any_order)
			plan->from = dynamodb_wire_name(op->after, plan->room);
		else if (op->has_after)
			plan->from = dynamodb_range_stem(op->after);
		return &list_stage;
	}
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

	dynamodb_range_write(out, dynamodb_state_of(context), op->ns, shard, op->prefix, plan->from,
			     &plan->shards[shard].cursor, limit < PAGE_MAX ? limit : PAGE_MAX,
			     "k,s,e,f,a,c,x,K");
	return true;
}

/* False: the item has no ETag, so it is no entry. */
static bool read_info(const json_t *item, int64_t now_us, struct cache_entry_info *ret)
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
	if (dynamodb_answer_decoded_max(tag) > sizeof(room) ||
	    !dynamodb_answer_decode(tag, room, &len) || len != sizeof(ret->etag.bytes))
		return false;
	memcpy(ret->etag.bytes, room, len);
	return true;
}

/* Whether an entry belongs into the listing. */
static bool is_wanted(const struct plan *plan, const struct cache_op *op, int64_t now_us,
		      int64_t expires_us, struct slice name, struct slice key)
{
	if (!rules_is_live(expires_us, now_us) || !slice_starts_with(key, op->prefix))
		return false;
	if (op->any_order)
		return !op->has_after || slice_compare(name, plan->from) > 0;
	return !op->has_after || slice_compare(key, op->after) > 0;
}

/* CACHE_OK, CACHE_NO_MEMORY, or CACHE_UNAVAILABLE: an item is no entry. */
static enum cache_status take_items(const struct remote_context *context, const struct plan *plan,
				    const struct cache_op *op, struct shard *shard,
				    const json_t *items)
{
	int64_t now_us = dynamodb_now_us(context);
	struct listed *entries =
		realloc(shard->entries, (json_array_size(items) + 1) * sizeof(*entries));
	const json_t *item;
	size_t i;

	if (!entries)
		return CACHE_NO_MEMORY;
	shard->entries = entries;
	shard->count = shard->at = 0;
	json_array_foreach(items, i, item)
	{
		struct listed *listed = &entries[shard->count];
		char room[1024], *whole = NULL;
		struct slice name;

		if (!dynamodb_wire_read_sort_key(item, 'k', room, &name))
			return CACHE_UNAVAILABLE;
		struct slice key = dynamodb_wire_read_key(item, name, &whole);
		if (name.len == DYNAMODB_NAME_MAX && key.len == 0) {
			free(whole);
			return CACHE_UNAVAILABLE;
		}
		if (!read_info(item, now_us, &listed->info)) {
			free(whole);
			return CACHE_UNAVAILABLE;
		}
		if (!is_wanted(plan, op, now_us, listed->info.expires_at_us, name, key)) {
			free(whole);
			continue;
		}
		char *copy = malloc(key.len + name.len + 1);
		if (copy && key.len > 0)
			memcpy(copy, key.data, key.len);
		if (copy)
			memcpy(copy + key.len, room, name.len);
		free(whole);
		if (!copy)
			return CACHE_NO_MEMORY;
		listed->info.key = (struct slice){.data = copy, .len = key.len};
		listed->name = (struct slice){.data = copy + key.len, .len = name.len};
		shard->count++;
	}
	return CACHE_OK;
}

/* The shard with the least of the next names; NULL: none is known, or one that is used up may have
 * a smaller one. */
static struct shard *least(struct plan *plan)
{
	struct shard *found = NULL;

	for (unsigned i = 0; i < plan->count; i++) {
		struct shard *shard = &plan->shards[i];

		if (is_used_up(shard))
			return NULL;
		if (shard->at < shard->count &&
		    (!found || slice_compare(shard->entries[shard->at].name,
					     found->entries[found->at].name) < 0))
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

/* False: out of memory. */
static bool append(struct plan *plan, struct cache_op *op, const struct listed *listed)
{
	/* At 0, 1, 2, 4, 8 ... entries. */
	if ((op->entry_count & (op->entry_count - 1)) == 0) {
		size_t room = op->entry_count ? 2 * op->entry_count : 1;
		struct cache_entry_info *entries = realloc(op->entries, room * sizeof(*entries));

		if (!entries)
			return false;
		op->entries = entries;
	}
	op->entries[op->entry_count++] = listed->info;
	plan->key_bytes += listed->info.key.len;
	return true;
}

/* ---- Keys that share a stem ---- */

static int compare_keys(const void *a, const void *b)
{
	return slice_compare(((const struct listed *)a)->info.key,
			     ((const struct listed *)b)->info.key);
}

/* Forgets the last of the group, of which more are there than the listing can have. */
static void trim_group(struct plan *plan, const struct cache_op *op)
{
	size_t left = op->limit - op->entry_count;
	size_t max_bytes = op->max_key_bytes > 0 ? op->max_key_bytes : SIZE_MAX / 4;
	size_t kept = 0, bytes = 0;

	if (plan->group_count <= 2 * left + 64 && plan->group_bytes <= 2 * max_bytes)
		return;
	qsort(plan->group, plan->group_count, sizeof(*plan->group), compare_keys);
	while (kept < plan->group_count && kept <= left && bytes <= max_bytes)
		bytes += plan->group[kept++].info.key.len;
	plan->has_rest |= kept < plan->group_count;
	for (size_t i = kept; i < plan->group_count; i++)
		free_key(&plan->group[i]);
	plan->group_count = kept;
	plan->group_bytes = bytes;
}

static bool gather(struct plan *plan, const struct cache_op *op, const struct listed *listed)
{
	if (plan->group_count == plan->group_room) {
		size_t room = plan->group_room ? 2 * plan->group_room : 16;
		struct listed *group = realloc(plan->group, room * sizeof(*group));

		if (!group)
			return false;
		plan->group = group;
		plan->group_room = room;
	}
	plan->group[plan->group_count++] = *listed;
	plan->group_bytes += listed->info.key.len;
	trim_group(plan, op);
	return true;
}

static bool shares_stem(const struct plan *plan, struct slice name)
{
	return name.len >= DYNAMODB_STEM &&
	       slice_equal(dynamodb_range_stem(name), dynamodb_range_stem(plan->group[0].name));
}

/* Moves the group to the listing, in order. False: out of memory. */
static bool end_group(struct plan *plan, struct cache_op *op)
{
	size_t at = 0;
	bool is_whole = true;

	if (plan->group_count == 0)
		return true;
	qsort(plan->group, plan->group_count, sizeof(*plan->group), compare_keys);
	while (at < plan->group_count && !is_full(plan, op) && is_whole) {
		is_whole = append(plan, op, &plan->group[at]);
		at += is_whole;
	}
	plan->has_rest |= at < plan->group_count;
	for (; at < plan->group_count; at++)
		free_key(&plan->group[at]);
	plan->group_count = plan->group_bytes = 0;
	return is_whole;
}

/* Moves what is next to op->entries. False: out of memory. */
static bool merge(struct plan *plan, struct cache_op *op)
{
	struct shard *shard;

	while (!is_full(plan, op) && (shard = least(plan))) {
		const struct listed *next = &shard->entries[shard->at];

		if (plan->group_count > 0 && !shares_stem(plan, next->name)) {
			if (!end_group(plan, op))
				return false;
			continue;
		}
		bool may_share = !op->any_order && next->name.len >= DYNAMODB_STEM;
		if (!(may_share ? gather(plan, op, next) : append(plan, op, next)))
			return false;
		shard->at++;
	}
	return is_full(plan, op) || needs_more(plan) || end_group(plan, op);
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
	status = take_items(context, plan, op, shard, json_object_get(reply->root, "Items"));
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
	bool is_over = is_full(plan, op) && (plan->has_rest || has_next(plan));
	if (!is_over && needs_more(plan))
		return dynamodb_call_next(call, &list_stage);
	op->complete = !is_over && !plan->has_rest && !has_next(plan);
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage list_stage = {
	.target = "Query",
	.parts = list_parts,
	.write = list_write,
	.read = list_read,
};
