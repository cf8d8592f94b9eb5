/* Whether an answer of POST /ops follows the protocol and is complete. The whole answer is checked
 * before anything of it is used: a missing part is a failure, never a miss, an empty list or a 0.
 * Additions of later versions of the Worker may be missing. */
#include "backends/d1/ops_check.h"

#include "backends/remote/wire.h"

enum cache_status d1_ops_check_status(const json_t *result)
{
	static const struct {
		const char *name;
		enum cache_status status;
	} names[] = {
		{"ok", CACHE_OK},
		{"not_found", CACHE_NOT_FOUND},
		{"precondition_failed", CACHE_PRECONDITION_FAILED},
		{"too_large", CACHE_TOO_LARGE},
		{"no_space", CACHE_NO_SPACE},
		{"too_many_namespaces", CACHE_TOO_MANY_NAMESPACES},
		{"unavailable", CACHE_UNAVAILABLE},
	};
	struct slice text = remote_wire_read_text(result, "status");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_equal(text, slice_of(names[i].name)))
			return names[i].status;
	return CACHE_INTERNAL;
}

static bool has_counts(const json_t *object, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!remote_wire_has_count(object, names[i]))
			return false;
	return true;
}

#define HAS_COUNTS(object, ...)                                                                    \
	has_counts(object, (const char *const[]){__VA_ARGS__},                                     \
		   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static bool reference_is_sound(const json_t *item)
{
	const json_t *reference = json_object_get(item, "reference");

	return json_is_string(json_object_get(reference, "text")) && HAS_COUNTS(reference, "flags");
}

static bool value_is_sound(const json_t *item)
{
	const json_t *value = json_object_get(item, "value");
	struct remote_wire_bytes bytes;

	if (json_is_object(value))
		return json_is_string(json_object_get(value, "zstd_b64")) &&
		       HAS_COUNTS(value, "flags");
	return remote_wire_read_bytes(item, "value", &bytes) || reference_is_sound(item);
}

/* Of the possible statuses of an item whose operation succeeded: any other would be mistaken for a
 * miss among the others. */
static bool item_is_sound(const json_t *item, enum cache_op_type type)
{
	enum cache_status status = d1_ops_check_status(item);

	if (status == CACHE_PRECONDITION_FAILED)
		return type == CACHE_OP_SET || type == CACHE_OP_DELETE || type == CACHE_OP_EXPIRE;
	if (status == CACHE_NOT_FOUND)
		return type != CACHE_OP_SET;
	if (status != CACHE_OK)
		return false;
	if (type == CACHE_OP_SET)
		return json_is_boolean(json_object_get(item, "created")) &&
		       HAS_COUNTS(item, "modified_us", "expires_us");
	return type != CACHE_OP_GET ||
	       (value_is_sound(item) && json_is_string(json_object_get(item, "etag")) &&
		json_is_string(json_object_get(item, "content_type")) &&
		HAS_COUNTS(item, "modified_us", "expires_us"));
}

static bool items_are_sound(const json_t *result, const struct ops_group *group)
{
	const json_t *items = json_object_get(result, "items");
	const json_t *item;
	size_t i;

	if (!json_is_array(items) || json_array_size(items) != group->item_count)
		return false;
	json_array_foreach(items, i, item)
	{
		if (!item_is_sound(item, group->type))
			return false;
	}
	return true;
}

static bool entry_is_sound(const json_t *entry)
{
	struct remote_wire_bytes bytes;
	struct etag etag;

	return remote_wire_read_bytes(entry, "key", &bytes) &&
	       etag_parse(remote_wire_read_text(entry, "etag"), &etag) &&
	       HAS_COUNTS(entry, "size", "frequency", "last_access_us", "created_us", "expires_us");
}

/* A page that is empty and not the last would be asked for again for ever. */
static bool listing_is_sound(const json_t *result)
{
	const json_t *list = json_object_get(result, "entries");
	const json_t *complete = json_object_get(result, "complete");
	const json_t *entry;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > OPS_SCAN_MAX ||
	    !json_is_boolean(complete) || (json_is_false(complete) && json_array_size(list) == 0))
		return false;
	json_array_foreach(list, i, entry)
	{
		if (!entry_is_sound(entry))
			return false;
	}
	return true;
}

static bool stats_are_sound(const json_t *found)
{
	enum eviction_policy policy;

	return namespace_name_is_valid(remote_wire_read_text(found, "ns")) &&
	       HAS_COUNTS(found, "entry_count", "total_size", "avg_frequency", "max_frequency",
			  "max_size_bytes", "default_ttl_s") &&
	       json_is_number(json_object_get(found, "capacity")) &&
	       eviction_policy_parse(remote_wire_read_text(found, "policy"), &policy);
}

/* For one namespace there is exactly one, whatever is in it. */
static bool all_stats_are_sound(const json_t *result, const struct ops_group *group)
{
	const json_t *list = json_object_get(result, "namespaces");
	const struct cache_op *op = group->first->op;
	const json_t *found;
	size_t i;

	if (!json_is_array(list))
		return false;
	json_array_foreach(list, i, found)
	{
		if (!stats_are_sound(found))
			return false;
	}
	return !op || op->ns.len == 0 ||
	       (json_array_size(list) == 1 &&
		slice_equal(remote_wire_read_text(json_array_get(list, 0), "ns"), op->ns));
}

static bool result_is_sound(const json_t *result, const struct ops_group *group)
{
	if (!json_is_string(json_object_get(result, "status")))
		return false;
	if (d1_ops_check_status(result) != CACHE_OK)
		return true;
	if (cache_op_has_items(group->type))
		return items_are_sound(result, group);
	if (group->type == CACHE_OP_SCAN)
		return listing_is_sound(result);
	return group->type != CACHE_OP_STATS || all_stats_are_sound(result, group);
}

bool d1_ops_check_results(const json_t *results, const struct ops_state *state)
{
	if (!json_is_array(results) || json_array_size(results) != state->group_count)
		return false;
	for (size_t i = 0; i < state->group_count; i++)
		if (!result_is_sound(json_array_get(results, i), &state->groups[i]))
			return false;
	return true;
}
