#include "client/import_lookup.h"

#include <jansson.h>

#include "base/json_out.h"
#include "client/migrate/server_end.h"

/* Whether JSON can name the key: jansson takes no NUL in the name of a member. */
static bool is_nameable(struct slice key)
{
	return key.len == 0 || memchr(key.data, '\0', key.len) == NULL;
}

static void write_keys(struct buffer *out, const struct migrate_batch *batch)
{
	const char *comma = "";

	json_out_raw(out, "{\"keys\":[");
	for (size_t i = 0; i < batch->count; i++) {
		if (!is_nameable(batch->entries[i].item.key))
			continue;
		json_out_raw(out, comma);
		json_out_string(out, batch->entries[i].item.key);
		comma = ",";
	}
	json_out_raw(out, "]}");
}

static bool take_found(struct remote *remote, bool by_get, const json_t *results,
		       struct migrate_batch *batch, struct migrate_failure *failure)
{
	const char *member = by_get ? "found" : "exists";

	for (size_t i = 0; i < batch->count; i++) {
		struct merge_entry *entry = &batch->entries[i];
		struct slice key = entry->item.key;
		struct migrate_found found = {0};

		if (is_nameable(key)) {
			const json_t *result =
				json_object_getn(results, key.len > 0 ? key.data : "", key.len);

			found.exists = json_is_true(json_object_get(result, member));
		} else if (!server_end_find(remote, batch->ns, key, &found, failure)) {
			return false;
		}
		if (found.exists)
			entry->outcome = MERGE_KEPT;
	}
	return true;
}

bool import_lookup(struct remote *remote, bool by_get, struct migrate_batch *batch,
		   struct migrate_failure *failure)
{
	struct buffer keys = {0};
	json_auto_t *document = NULL;

	write_keys(&keys, batch);
	bool good = server_end_ask_batch(remote, batch->ns, by_get ? "get" : "exists", &keys,
					 &document, failure);
	const json_t *results = json_object_get(document, "results");
	if (good && !json_is_object(results))
		good = migrate_fail(failure, CLIENT_REFUSED,
				    "%s is no steadycache that knows batches; update it",
				    remote->url);
	good = good && take_found(remote, by_get, results, batch, failure);
	buffer_deinit(&keys);
	return good;
}
