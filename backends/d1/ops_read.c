/* Uses the answers of POST /ops, after they have been checked (ops_check.c). */
#include "backends/d1/ops_read.h"

#include <stdlib.h>

#include "backends/d1/defaults.h"
#include "backends/d1/ops_check.h"
#include "backends/remote/details.h"
#include "backends/remote/namespaces.h"
#include "backends/remote/wire.h"

/* ---- Items ---- */

static const char damaged[] = "the D1 Worker sent a value that does not have its ETag";

/* A reference has the ETag and the flags of bytes that are elsewhere. */
static enum cache_status make_reference(const json_t *reference, const json_t *found,
					struct cache_value **ret)
{
	struct slice text = remote_wire_read_text(reference, "text");
	int64_t flags = remote_wire_read_integer(reference, "flags", 0) & OPS_FLAGS;
	struct etag etag;

	if (!etag_parse(remote_wire_read_text(found, "etag"), &etag))
		return CACHE_UNAVAILABLE;
	*ret = cache_value_copy(text, remote_wire_read_text(found, "content_type"));
	if (!*ret)
		return CACHE_NO_MEMORY;
	cache_value_seal_known(*ret, &etag, (uint8_t)flags | CACHE_VALUE_REFERENCE);
	return CACHE_OK;
}

/* A compressed value has the ETag and the flags of what it decodes to. */
static enum cache_status make_encoded(const json_t *encoded, const json_t *found,
				      struct cache_value **ret)
{
	const struct remote_wire_bytes bytes = {
		.text = remote_wire_read_text(encoded, "zstd_b64"),
		.is_base64 = true,
	};
	int64_t flags = remote_wire_read_integer(encoded, "flags", 0) & OPS_FLAGS;
	struct etag etag;

	if (!etag_parse(remote_wire_read_text(found, "etag"), &etag))
		return CACHE_UNAVAILABLE;
	enum cache_status status =
		remote_wire_make_value(&bytes, remote_wire_read_text(found, "content_type"), ret);
	if (status == CACHE_OK)
		cache_value_seal_known(*ret, &etag, (uint8_t)flags | CACHE_VALUE_ZSTD);
	return status;
}

static enum cache_status make_value(const json_t *found, struct cache_value **ret)
{
	const json_t *reference = json_object_get(found, "reference");
	const json_t *encoded = json_object_get(found, "value");
	struct remote_wire_bytes bytes;

	if (reference)
		return make_reference(reference, found, ret);
	if (json_is_object(encoded))
		return make_encoded(encoded, found, ret);
	if (!remote_wire_read_bytes(found, "value", &bytes))
		return CACHE_UNAVAILABLE;
	return remote_wire_make_value(&bytes, remote_wire_read_text(found, "content_type"), ret);
}

/* Why a value could not be taken: CACHE_NO_MEMORY, or CACHE_UNAVAILABLE if it is not the one that
 * was stored. */
static enum cache_status take_value(const json_t *found, struct cache_item *item)
{
	enum cache_status status = make_value(found, &item->value);
	struct etag etag;

	if (status != CACHE_OK)
		return status;
	item->value->modified_at_us = remote_wire_read_integer(found, "modified_us", 0);
	item->value->expires_at_us = remote_wire_read_integer(found, "expires_us", 0);
	item->stale = json_is_true(json_object_get(found, "stale"));
	if (etag_parse(remote_wire_read_text(found, "etag"), &etag) &&
	    etag_equal(&etag, &item->value->etag))
		return CACHE_OK;
	return CACHE_UNAVAILABLE;
}

static enum cache_status take_item(const json_t *found, const struct cache_op *op,
				   struct cache_item *item)
{
	item->status = d1_ops_check_status(found);
	if (item->status != CACHE_OK)
		return CACHE_OK;
	if (op->type == CACHE_OP_GET)
		return take_value(found, item);
	if (op->type == CACHE_OP_SET) {
		item->created = json_is_true(json_object_get(found, "created"));
		item->value->modified_at_us = remote_wire_read_integer(found, "modified_us", 0);
		item->value->expires_at_us = remote_wire_read_integer(found, "expires_us", 0);
	}
	return CACHE_OK;
}

/* Another version of the Worker stores items without their history, and does not say so. */
static void count_lost_history(const json_t *result, struct cache_op *op)
{
	op->history_lost = 0;
	if (op->type != CACHE_OP_SET || json_is_true(json_object_get(result, "history")))
		return;
	for (size_t i = 0; i < op->item_count; i++)
		op->history_lost += op->items[i].history != NULL;
}

static void take_items(const struct remote_context *context, const json_t *result,
		       struct remote_job *job, size_t first)
{
	const json_t *items = json_object_get(result, "items");
	struct cache_op *op = job->op;
	enum cache_status status = CACHE_OK;

	for (size_t i = 0; status == CACHE_OK && i < op->item_count; i++)
		status = take_item(json_array_get(items, first + i), op, &op->items[i]);
	if (status != CACHE_OK) {
		remote_job_fail(job, status, status == CACHE_UNAVAILABLE ? damaged : NULL, 1);
		return;
	}
	count_lost_history(result, op);
	/* With a capacity of 0 a set succeeds and stores nothing. */
	bool is_stored = !json_is_false(json_object_get(result, "stored"));
	for (const struct remote_job *each = job; each && is_stored; each = each->twins)
		if (each->op)
			remote_namespaces_count(context->namespaces, each->op, op->items);
	remote_job_succeed(job);
}

static void count_gone(const struct remote_context *context, const json_t *result, struct slice ns)
{
	struct remote_ns_counters *counters = remote_namespaces_find(context->namespaces, ns);

	counters->evictions += (uint64_t)remote_wire_read_integer(result, "evicted", 0);
	counters->expirations += (uint64_t)remote_wire_read_integer(result, "expired", 0);
	counters->deletes += (uint64_t)remote_wire_read_integer(result, "deleted", 0);
}

/* ---- Listings and statistics ---- */

/* A copy of a key, owned by the op. */
static enum cache_status copy_key(const json_t *entry, struct slice *ret)
{
	struct remote_wire_bytes bytes;
	char *copy;
	size_t len = 0;

	if (!remote_wire_read_bytes(entry, "key", &bytes))
		return CACHE_UNAVAILABLE;
	copy = malloc(remote_wire_bytes_max(&bytes) + 1);
	if (!copy)
		return CACHE_NO_MEMORY;
	if (!remote_wire_decode_bytes(&bytes, copy, &len)) {
		free(copy);
		return CACHE_UNAVAILABLE;
	}
	*ret = (struct slice){.data = copy, .len = len};
	return CACHE_OK;
}

/* Whether the entry that was appended last is in order: after the previous one, with the prefix.
 * Otherwise the listing would repeat or miss keys. */
static bool is_in_order(const struct cache_op *op)
{
	const struct cache_entry_info *entry = &op->entries[op->entry_count - 1];
	bool is_first = op->entry_count == 1;

	if (!slice_starts_with(entry->key, op->prefix))
		return false;
	if (is_first && !op->has_after)
		return true;
	return slice_compare(entry->key, is_first ? op->after : entry[-1].key) > 0;
}

/* Appends the received entries to op->entries. */
static enum cache_status take_entries(const json_t *list, struct cache_op *op)
{
	size_t count = op->entry_count + json_array_size(list);
	struct cache_entry_info *grown = realloc(op->entries, (count + 1) * sizeof(*grown));
	const json_t *entry;
	size_t i;

	if (!grown)
		return CACHE_NO_MEMORY;
	op->entries = grown;
	json_array_foreach(list, i, entry)
	{
		struct cache_entry_info *info = &op->entries[op->entry_count];
		enum cache_status status;

		*info = (struct cache_entry_info){
			.size_bytes = (uint64_t)remote_wire_read_integer(entry, "size", 0),
			.frequency = (uint64_t)remote_wire_read_integer(entry, "frequency", 0),
			.last_access_us = remote_wire_read_integer(entry, "last_access_us", 0),
			.created_at_us = remote_wire_read_integer(entry, "created_us", 0),
			.expires_at_us = remote_wire_read_integer(entry, "expires_us", 0),
		};
		(void)etag_parse(remote_wire_read_text(entry, "etag"), &info->etag);
		status = copy_key(entry, &info->key);
		if (status != CACHE_OK)
			return status;
		op->entry_count++;
		if (!is_in_order(op))
			return CACHE_UNAVAILABLE;
	}
	return CACHE_OK;
}

/* Whether the keys have as many bytes as the listing may have. */
static bool has_enough_bytes(const struct cache_op *op)
{
	size_t bytes = 0;

	if (op->max_key_bytes == 0)
		return false;
	for (size_t i = 0; i < op->entry_count && bytes < op->max_key_bytes; i++)
		bytes += op->entries[i].key.len;
	return bytes >= op->max_key_bytes;
}

/* True: more of the listing has to be asked for. */
static bool take_listing(const json_t *result, struct remote_job *job)
{
	struct cache_op *op = job->op;
	enum cache_status status = take_entries(json_object_get(result, "entries"), op);

	if (status != CACHE_OK) {
		remote_job_fail(job, status,
				status == CACHE_UNAVAILABLE
					? "the D1 Worker sent a listing that is not in order"
					: NULL,
				1);
		return false;
	}
	op->complete = json_is_true(json_object_get(result, "complete"));
	if (!op->complete && op->entry_count < op->limit && !has_enough_bytes(op))
		return true;
	remote_job_succeed(job);
	return false;
}

static void take_one_stats(const struct remote_context *context, const json_t *found,
			   struct namespace_stats *ret)
{
	struct slice name = remote_wire_read_text(found, "ns");
	struct slice policy = remote_wire_read_text(found, "policy");

	memcpy(ret->name, name.data, name.len);
	d1_defaults_of(context, slice_of(ret->name), &ret->settings);
	ret->entry_count = (uint64_t)remote_wire_read_integer(found, "entry_count", 0);
	ret->total_size_bytes = (uint64_t)remote_wire_read_integer(found, "total_size", 0);
	/* A Worker of an earlier version counts only sizes. */
	ret->used_bytes = (uint64_t)remote_wire_read_integer(found, "used_bytes",
							     (int64_t)ret->total_size_bytes);
	ret->avg_frequency = remote_wire_read_double(found, "avg_frequency");
	ret->max_frequency = (uint64_t)remote_wire_read_integer(found, "max_frequency", 0);
	ret->settings.max_size_bytes = (uint64_t)remote_wire_read_integer(
		found, "max_size_bytes", (int64_t)ret->settings.max_size_bytes);
	ret->settings.capacity =
		remote_wire_read_integer(found, "capacity", ret->settings.capacity);
	ret->settings.default_ttl_s =
		remote_wire_read_integer(found, "default_ttl_s", ret->settings.default_ttl_s);
	ret->settings.stale_ttl_s = remote_wire_read_integer(found, "stale_ttl_s", 0);
	ret->settings.max_idle_s = remote_wire_read_integer(found, "max_idle_s", 0);
	ret->settings.put_status = (unsigned)remote_wire_read_integer(found, "put_status", 0);
	(void)eviction_policy_parse(policy, &ret->settings.policy);
	(void)compression_parse(remote_wire_read_text(found, "compression"),
				&ret->settings.compression);
	remote_namespaces_fill(context->namespaces, ret);
	remote_namespaces_raise(ret, (uint64_t)remote_wire_read_integer(found, "evictions", 0),
				(uint64_t)remote_wire_read_integer(found, "expirations", 0));
}

/* Adds the namespaces of an answer to those known here. True if one was new: the upstream then did
 * not know its defaults, and answered with its own. */
static bool learn_names(const struct remote_context *context, const json_t *list)
{
	size_t known = context->namespaces->count;
	const json_t *found;
	size_t i;

	json_array_foreach(list, i, found)
	{
		(void)remote_namespaces_find(context->namespaces,
					     remote_wire_read_text(found, "ns"));
	}
	return context->namespaces->count > known;
}

/* True: ask again, with the defaults of the existing namespaces. */
static bool take_stats(const struct remote_context *context, const json_t *result,
		       struct remote_call *call, struct remote_job *job)
{
	const json_t *list = json_object_get(result, "namespaces");
	struct cache_op *op = job->op;
	const json_t *found;
	size_t i;

	if (op->ns.len == 0 && learn_names(context, list) && call->step++ == 0)
		return true;
	op->stats = calloc(json_array_size(list) + 1, sizeof(*op->stats));
	if (!op->stats) {
		remote_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
		return false;
	}
	json_array_foreach(list, i, found) take_one_stats(context, found, &op->stats[i]);
	op->stats_count = json_array_size(list);
	remote_job_succeed(job);
	return false;
}

/* ---- Results ---- */

/* What is counted of a namespace that is not there goes, too, after a DROP. */
static void forget_dropped(const struct remote_context *context, const struct remote_job *job)
{
	if (job->op && job->op->type == CACHE_OP_CLEAR && job->op->drop)
		remote_namespaces_forget(context->namespaces, job->op->ns);
}

static void fail_group(const struct remote_context *context, const json_t *result,
		       const struct ops_group *group)
{
	const char *detail =
		remote_details_keep(context->details, remote_wire_read_text(result, "detail"));

	for (struct remote_job *job = group->first; job; job = job->grouped) {
		if (d1_ops_check_status(result) == CACHE_NOT_FOUND)
			forget_dropped(context, job);
		remote_job_fail(job, d1_ops_check_status(result), detail, 0);
	}
}

static void complete_check(struct remote_job *job)
{
	job->op->checks[0] = (struct cache_health_check){.name = "upstream", .ok = true};
	job->op->check_count = 1;
	remote_job_succeed(job);
}

/* A Worker that does not know a setting ignores it; one that does says so. */
static void complete_configure(const json_t *result, struct remote_job *job)
{
	static const struct {
		unsigned setting;
		const char *name, *sentence;
	} told[] = {
#define UNKNOWN(name) "the D1 Worker is of a version that knows no " name "; deploy it anew"
		{SETTING_STALE_TTL, "stale_ttl_s", UNKNOWN("stale_ttl")},
		{SETTING_MAX_IDLE, "max_idle_s", UNKNOWN("max_idle")},
		{SETTING_COMPRESSION, "compression", UNKNOWN("compression")},
		{SETTING_PUT_STATUS, "put_status", UNKNOWN("put_status")},
#undef UNKNOWN
	};

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		if ((job->op->settings_mask & told[i].setting) &&
		    !json_object_get(result, told[i].name)) {
			remote_job_fail(job, CACHE_UNSUPPORTED, told[i].sentence, 0);
			return;
		}
	}
	remote_job_succeed(job);
}

static void complete_clear(const struct remote_context *context, struct remote_job *job)
{
	forget_dropped(context, job);
	remote_job_succeed(job);
}

/* True: another request has to follow for it. */
static bool take_result(const struct remote_context *context, const json_t *result,
			struct remote_call *call, const struct ops_group *group)
{
	bool has_items = cache_op_has_items(group->type);
	bool counted = false;
	bool again = false;
	size_t at = 0;

	if (d1_ops_check_status(result) != CACHE_OK) {
		fail_group(context, result, group);
		return false;
	}
	for (struct remote_job *job = group->first; job; job = job->grouped) {
		size_t first = at;

		at += job->item_count;
		if (!job->op)
			continue;
		if (!counted && job->op->ns.len > 0)
			count_gone(context, result, job->op->ns);
		counted = true;
		if (has_items)
			take_items(context, result, job, first);
		else if (group->type == CACHE_OP_SCAN)
			again |= take_listing(result, job);
		else if (group->type == CACHE_OP_STATS)
			again |= take_stats(context, result, call, job);
		else if (group->type == CACHE_OP_CHECK)
			complete_check(job);
		else if (group->type == CACHE_OP_CONFIGURE)
			complete_configure(result, job);
		else
			complete_clear(context, job);
	}
	return again;
}

enum remote_step d1_ops_read(const struct remote_context *context, struct remote_call *call,
			     size_t part, const struct remote_answer *answer)
{
	const struct ops_state *state = call->state;
	json_auto_t *root = NULL;
	bool again = false;

	(void)part;
	if (!remote_wire_read_object(buffer_bytes(&answer->body), &root))
		return STEP_NO_MEMORY;
	const json_t *results = json_object_get(root, "results");
	if (!d1_ops_check_results(results, state))
		return STEP_BAD;
	for (size_t i = 0; i < state->group_count; i++)
		again |= take_result(context, json_array_get(results, i), call, &state->groups[i]);
	return again ? STEP_AGAIN : STEP_DONE;
}
