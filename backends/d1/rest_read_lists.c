/* What the rows say that describe entries and namespaces: scan and stats. */
#include <stdio.h>
#include <stdlib.h>

#include "backends/d1/rest_read_parts.h"
#include "backends/d1/wire.h"

/* ---- Scan ---- */

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

void d1_rest_read_scan(struct rest_group *group, const json_t *rows)
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
		d1_rest_finish_group(group);
}

/* ---- Stats ---- */

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

void d1_rest_read_stats(const struct d1_context *context, struct rest_group *group,
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
	d1_rest_finish_group(group);
}
