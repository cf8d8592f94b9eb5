#include "client/migrate/compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* NULL: the same. `room` holds a detail with figures. */
static const char *difference(const struct merge_entry *entry, const struct migrate_found *found,
			      char room[160])
{
	const struct cache_value *value = entry->item.value;
	int64_t expires_at_us = entry->item.history->expires_at_us;
	int64_t now_us = cache_clock_now_us(&system_clock);
	bool is_newer = found->modified_us > entry->modified_us && entry->modified_us > 0;

	if (expires_at_us > 0 && expires_at_us <= now_us)
		return NULL;
	if (found->is_unknown)
		return "TO cannot look it up: the key is too long for a URL";
	if (!found->exists)
		return "it is missing in TO";
	if (!etag_equal(&found->etag, &value->etag))
		return is_newer ? "the value differs; TO's was stored later" : "the value differs";
	struct slice head = slice_of(found->head), type = value_head_type(head);
	if (head.len > 0 && !slice_equal(type, slice_of(cache_value_content_type(value)))) {
		(void)snprintf(room, 160, "the content type differs: %.60s, in TO %.*s",
			       cache_value_content_type(value), type.len < 60 ? (int)type.len : 60,
			       type.data);
		return room;
	}
	if (head.len > 0 && !slice_equal(head, cache_value_head(value)))
		return "the headers that are kept with the value differ";
	if (expires_at_us == HISTORY_TTL || found->has_no_expiry)
		return NULL;
	int64_t apart_us = found->expires_at_us - expires_at_us;
	if ((found->expires_at_us == 0) == (expires_at_us == 0) &&
	    apart_us <= found->tolerance_us && -apart_us <= found->tolerance_us)
		return NULL;
	(void)snprintf(room, 160, "it expires at %" PRId64 ", in TO at %" PRId64 " (0: never)",
		       expires_at_us / US_PER_S, found->expires_at_us / US_PER_S);
	return room;
}

bool migrate_compare_work(struct migrate_sink *sink, struct migrate_batch *batch,
			  struct migrate_failure *failure)
{
	struct migrate_found *found = calloc(batch->count + 1, sizeof(*found));
	bool good = true;

	if (!found)
		return migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	/* A sink of a dry run that has nothing finds nothing. */
	if (sink->ops->find)
		good = sink->ops->find(sink, batch, found, failure);

	for (size_t i = 0; good && i < batch->count; i++) {
		struct merge_entry *entry = &batch->entries[i];
		char room[160];
		const char *detail = difference(entry, &found[i], room);

		entry->outcome = detail ? MERGE_FAILED : MERGE_STORED;
		if (detail)
			migrate_batch_note(batch, entry, detail);
	}
	free(found);
	return good;
}
