#include "tests/support/mock_worker.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/remote/wire.h"
#include "base/etag.h"

/* {"ns": {"key": {"value", "content_type", "etag"}}}, keys as in the request: both forms of bytes
 * are accepted, each under its own name. */
struct mock_store {
	json_t *namespaces;
};

struct mock_store *mock_store_create(void)
{
	struct mock_store *store = calloc(1, sizeof(*store));

	if (!store || !(store->namespaces = json_object()))
		abort();
	return store;
}

void mock_store_destroy(struct mock_store *store)
{
	json_decref(store->namespaces);
	free(store);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static json_t *namespace_of(struct mock_store *store, const char *name)
{
	json_t *ns = json_object_get(store->namespaces, name);

	if (!ns) {
		ns = json_object();
		(void)json_object_set_new(store->namespaces, name, ns);
	}
	return ns;
}

static const char *key_of(const json_t *item)
{
	return json_object_get(item, "key") ? text_of(item, "key") : text_of(item, "key_b64");
}

static json_t *plain_status(const char *status)
{
	return json_pack("{s:s}", "status", status);
}

/* ---- /ops ---- */

static bool condition_holds(const json_t *item, const json_t *entry)
{
	const json_t *condition = json_object_get(item, "if");
	const char *kind = text_of(condition, "kind");
	const json_t *etag;
	bool listed = false;
	size_t i;

	json_array_foreach(json_object_get(condition, "etags"), i, etag)
	{
		listed |= entry && strcmp(json_string_value(etag), text_of(entry, "etag")) == 0;
	}
	if (strcmp(kind, "absent") == 0)
		return !entry;
	if (strcmp(kind, "present") == 0)
		return entry != NULL;
	if (strcmp(kind, "match") == 0)
		return listed;
	return strcmp(kind, "none_match") != 0 || !listed;
}

static json_t *get_item(const json_t *entry)
{
	json_t *result = plain_status(entry ? "ok" : "not_found");

	if (entry) {
		(void)json_object_update(result, (json_t *)(uintptr_t)entry);
		(void)json_object_set_new(result, "modified_us", json_integer(1700000000000000));
		(void)json_object_set_new(result, "expires_us", json_integer(0));
	}
	return result;
}

/* The ETag of an item's value. */
static void format_etag(const json_t *item, char text[ETAG_TEXT_LEN + 1])
{
	struct remote_wire_bytes bytes;
	struct slice value = {0};
	char *room;

	if (!remote_wire_read_bytes(item, "value", &bytes) ||
	    !(room = malloc(remote_wire_bytes_max(&bytes) + 1)) ||
	    !remote_wire_decode_bytes(&bytes, room, &value.len))
		abort();
	value.data = room;
	struct etag etag = etag_of(value);
	etag_format(&etag, text);
	free(room);
}

static json_t *set_item(json_t *ns, const json_t *item, const json_t *before)
{
	const json_t *plain = json_object_get(item, "value");
	json_t *entry = json_object();
	char etag_text[ETAG_TEXT_LEN + 1];

	format_etag(item, etag_text);
	(void)json_object_set(
		entry, plain ? "value" : "value_b64",
		(json_t *)(uintptr_t)(plain ? plain : json_object_get(item, "value_b64")));
	(void)json_object_set(entry, "content_type", json_object_get(item, "content_type"));
	(void)json_object_set_new(entry, "etag", json_string(etag_text));
	json_t *result = json_pack("{s:s, s:b, s:I, s:i}", "status", "ok", "created", !before,
				   "modified_us", (json_int_t)1700000000000000, "expires_us", 0);
	(void)json_object_set_new(ns, key_of(item), entry);
	return result;
}

static json_t *run_item(json_t *ns, const char *op, const json_t *item)
{
	json_t *entry = json_object_get(ns, key_of(item));
	json_t *result;

	if (strcmp(op, "get") == 0)
		return get_item(entry);
	if (!condition_holds(item, entry))
		return plain_status("precondition_failed");
	if (strcmp(op, "set") == 0)
		return set_item(ns, item, entry);
	result = plain_status(entry ? "ok" : "not_found");
	if (strcmp(op, "delete") == 0)
		(void)json_object_del(ns, key_of(item));
	return result;
}

static json_t *run_stats(struct mock_store *store)
{
	json_t *list = json_array();
	const char *name;
	json_t *ns;

	json_object_foreach(store->namespaces, name, ns)
	{
		(void)json_array_append_new(
			list,
			json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s}", "ns", name,
				  "entry_count", (int)json_object_size(ns), "total_size", 0,
				  "avg_frequency", 1, "max_frequency", 1, "max_size_bytes", 1000,
				  "capacity", -1, "default_ttl_s", 0, "policy", "frecency"));
	}
	return json_pack("{s:s, s:o}", "status", "ok", "namespaces", list);
}

static json_t *run_op(struct mock_store *store, const json_t *op)
{
	const char *name = text_of(op, "op");
	const json_t *items = json_object_get(op, "items");
	json_t *results;
	const json_t *item;
	size_t i;

	if (strcmp(name, "stats") == 0)
		return run_stats(store);
	if (strcmp(name, "clear") == 0)
		(void)json_object_clear(namespace_of(store, text_of(op, "ns")));
	if (!items)
		return plain_status("ok");
	json_t *ns = namespace_of(store, text_of(op, "ns"));
	results = json_array();
	json_array_foreach(items, i, item)
	{
		(void)json_array_append_new(results, run_item(ns, name, item));
	}
	return json_pack("{s:s, s:o}", "status", "ok", "items", results);
}

static json_t *answer_ops(struct mock_store *store, const json_t *request)
{
	json_t *results = json_array();
	const json_t *op;
	size_t i;

	json_array_foreach(json_object_get(request, "ops"), i, op)
	{
		(void)json_array_append_new(results, run_op(store, op));
	}
	return json_pack("{s:o}", "results", results);
}

/* ---- /api ---- */

static json_t *found(json_t *ns, const char *key)
{
	const json_t *entry = json_object_get(ns, key);

	if (!entry)
		return json_pack("{s:b}", "found", 0);
	return json_pack("{s:b, s:O}", "found", 1, "value", json_object_get(entry, "value"));
}

static json_t *answer_api(struct mock_store *store, const char *path, const json_t *request,
			  int *ret_status)
{
	const char *name = text_of(request, "cache_name");
	json_t *ns = json_object_get(store->namespaces, name);
	const json_t *each;
	size_t i;

	if (strcmp(path, "init") == 0) {
		(void)namespace_of(store, name);
		return json_pack("{s:b, s:s}", "success", 1, "message", "Cache initialized");
	}
	if (!ns) {
		*ret_status = 500;
		return json_pack("{s:s}", "error", "D1_ERROR: no such table: cache");
	}
	if (strcmp(path, "get") == 0)
		return found(ns, text_of(request, "key"));
	if (strcmp(path, "set") == 0)
		json_decref(set_item(ns, request, NULL));
	if (strcmp(path, "batch/set") == 0)
		json_array_foreach(json_object_get(request, "items"), i, each)
			json_decref(set_item(ns, each, NULL));
	if (strcmp(path, "clear") == 0)
		(void)json_object_clear(ns);
	if (strcmp(path, "stats") == 0)
		return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "entry_count",
				 (int)json_object_size(ns), "total_size", 0, "avg_frequency", 1,
				 "max_frequency", 1, "max_size_bytes", 1000, "utilization", 0);
	if (strcmp(path, "batch/get") == 0) {
		json_t *results = json_object();

		json_array_foreach(json_object_get(request, "keys"), i, each)(void)
			json_object_set_new(results, json_string_value(each),
					    found(ns, json_string_value(each)));
		return json_pack("{s:o}", "results", results);
	}
	return json_pack("{s:b}", "success", 1);
}

char *mock_store_answer(struct mock_store *store, bool original, const char *head, const char *body,
			int *ret_status)
{
	json_auto_t *request = json_loads(body, JSON_ALLOW_NUL, NULL);
	json_auto_t *answer = NULL;
	char path[32] = "";

	*ret_status = 200;
	if (!original && strncmp(head, "POST /ops ", 10) == 0)
		answer = answer_ops(store, request);
	else if (original && sscanf(head, "POST /api/%31s", path) == 1)
		answer = answer_api(store, path, request, ret_status);
	if (!answer) {
		*ret_status = 404;
		return strdup("404 Not Found");
	}
	return json_dumps(answer, JSON_COMPACT);
}
