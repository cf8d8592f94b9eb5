#include "library/answer.h"

#include <stdlib.h>
#include <string.h>

#include "library/settings.h"
#include "library/status.h"
#include "library/value.h"

static void take_items(struct cache_op *op, struct steadycache_request *request)
{
	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *from = &op->items[i];
		struct steadycache_item *item = &request->items[i];

		item->status = library_status_of(from->status);
		item->created = op->type == CACHE_OP_SET && from->created;
		item->found = NULL;
		if (op->type == CACHE_OP_GET) {
			item->found = library_value_of(from->value);
			op->items[i].value = NULL;
		}
	}
}

/* The keys change hands. */
static bool take_entries(struct cache_op *op, struct steadycache_request *request)
{
	request->is_complete = op->complete;
	if (op->entry_count == 0)
		return true;
	request->entries = calloc(op->entry_count, sizeof(*request->entries));
	if (!request->entries)
		return false;
	for (size_t i = 0; i < op->entry_count; i++) {
		struct cache_entry_info *from = &op->entries[i];
		struct steadycache_entry *entry = &request->entries[i];

		entry->key = from->key.data;
		entry->key_len = from->key.len;
		entry->size_bytes = from->size_bytes;
		entry->frequency = from->frequency;
		entry->last_access_us = from->last_access_us;
		entry->created_at_us = from->created_at_us;
		entry->expires_at_us = from->expires_at_us;
		library_value_format(&from->etag, entry->etag);
		from->key.data = NULL;
	}
	request->entry_count = op->entry_count;
	return true;
}

static bool take_stats(struct cache_op *op, struct steadycache_request *request)
{
	if (op->stats_count == 0)
		return true;
	request->stats = calloc(op->stats_count, sizeof(*request->stats));
	if (!request->stats)
		return false;
	for (size_t i = 0; i < op->stats_count; i++) {
		const struct namespace_stats *from = &op->stats[i];
		struct steadycache_stats *stats = &request->stats[i];

		_Static_assert(sizeof(from->name) <= sizeof(stats->name), "room for a name");
		memcpy(stats->name, from->name, sizeof(from->name));
		library_settings_tell(&from->settings, &stats->settings);
		stats->entry_count = from->entry_count;
		stats->total_size_bytes = from->total_size_bytes;
		stats->used_bytes = from->used_bytes;
		stats->avg_frequency = from->avg_frequency;
		stats->max_frequency = from->max_frequency;
		stats->hits = from->hits;
		stats->misses = from->misses;
		stats->sets = from->sets;
		stats->deletes = from->deletes;
		stats->evictions = from->evictions;
		stats->expirations = from->expirations;
	}
	request->stats_count = op->stats_count;
	return true;
}

void library_answer_take(struct library_call *call)
{
	struct steadycache_request *request = call->request;
	struct cache_op *op = &call->op;
	enum steadycache_status status = library_status_of(op->status);
	bool is_taken = true;

	if (cache_op_has_items(op->type))
		take_items(op, request);
	else if (op->type == CACHE_OP_SCAN && op->status == CACHE_OK)
		is_taken = take_entries(op, request);
	else if (op->type == CACHE_OP_STATS && op->status == CACHE_OK)
		is_taken = take_stats(op, request);
	if (!is_taken)
		status = STEADYCACHE_NO_MEMORY;
	request->status = status;
	request->sentence = is_taken && op->detail ? op->detail : steadycache_status_text(status);
	request->retry_after_s = op->retry_after_s;
}

void library_answer_refuse(struct steadycache_request *request, enum steadycache_status status,
			   const char *sentence)
{
	for (size_t i = 0; request->items && i < request->item_count; i++) {
		request->items[i].status = status;
		request->items[i].created = 0;
		request->items[i].found = NULL;
	}
	request->status = status;
	request->sentence = sentence;
	request->retry_after_s = 0;
}
