#include "client/migrate/server_sink.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "client/migrate/line_sink.h"
#include "client/migrate/server_end.h"
#include "client/target.h"

#define LANES 4

struct server_sink {
	struct migrate_sink sink;
	pthread_mutex_t lock;
	struct remote remotes[LANES + 1]; /* one more for the caller's thread */
	bool is_used[LANES + 1];
};

static struct server_sink *server_sink_of(struct migrate_sink *sink)
{
	return (struct server_sink *)(void *)sink;
}

static struct remote *acquire(struct server_sink *sink)
{
	size_t i = 0;

	(void)pthread_mutex_lock(&sink->lock);
	while (i < LANES && sink->is_used[i])
		i++;
	sink->is_used[i] = true;
	(void)pthread_mutex_unlock(&sink->lock);
	return &sink->remotes[i];
}

static void release(struct server_sink *sink, const struct remote *remote)
{
	(void)pthread_mutex_lock(&sink->lock);
	sink->is_used[remote - sink->remotes] = false;
	(void)pthread_mutex_unlock(&sink->lock);
}

/* ---- Looking ---- */

/* No URL of /cache/{ns}/ names the empty key. It is the first of a listing, which has no types. */
static void take_listed(const json_t *document, struct migrate_found *ret)
{
	const json_t *item = json_array_get(json_object_get(document, "keys"), 0);
	const char *key = json_string_value(json_object_get(item, "key"));
	const char *etag = json_string_value(json_object_get(item, "etag"));

	ret->exists = key && *key == '\0';
	if (!ret->exists)
		return;
	(void)etag_parse(slice_of(etag ? etag : ""), &ret->etag);
	ret->tolerance_us = SERVER_END_TOLERANCE_US;
	ret->expires_at_us = (int64_t)(json_number_value(json_object_get(item, "expires_at")) *
				       (double)US_PER_S);
}

static bool find_empty(struct remote *remote, const char *ns, struct migrate_found *ret,
		       struct migrate_failure *failure)
{
	struct remote_request request = {.method = "GET"};
	struct remote_answer answer = {0};

	buffer_append(&request.target, SLICE("/cache/"));
	target_append(&request.target, slice_of(ns));
	buffer_append(&request.target, SLICE("?limit=1"));
	bool good = server_end_ask(remote, &request, &answer, failure) || answer.status == 404;
	json_auto_t *document = good && answer.body.data
					? json_loadb(answer.body.data, answer.body.len, 0, NULL)
					: NULL;
	*ret = (struct migrate_found){0};
	if (good) {
		take_listed(document, ret);
		*failure = (struct migrate_failure){0};
	}
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return good;
}

static bool find_one(struct remote *remote, const char *ns, struct slice key,
		     struct migrate_found *ret, struct migrate_failure *failure)
{
	if (key.len == 0)
		return find_empty(remote, ns, ret, failure);
	return server_end_find(remote, ns, key, ret, failure) ||
	       (server_end_is_too_long(failure) &&
		server_end_find_long(remote, ns, key, ret, failure));
}

static bool find(struct migrate_sink *base, const struct migrate_batch *batch,
		 struct migrate_found *ret, struct migrate_failure *failure)
{
	struct server_sink *sink = server_sink_of(base);
	struct remote *remote = acquire(sink);
	bool good = true;

	for (size_t i = 0; good && i < batch->count; i++)
		good = find_one(remote, batch->ns, batch->entries[i].item.key, &ret[i], failure);
	release(sink, remote);
	return good;
}

/* ---- Storing ---- */

static const char *policy_name(enum merge_policy policy)
{
	return policy == MERGE_NEWER ? "newer" : policy == MERGE_KEEP ? "keep" : "replace";
}

/* Sends lines; the answer's document, or NULL. */
static json_t *send_lines(enum merge_policy policy, struct remote *remote, struct slice lines,
			  struct migrate_failure *failure)
{
	struct remote_body body = {.text = lines, .fd = -1, .len = (curl_off_t)lines.len};
	struct remote_request request = {
		.method = "POST",
		.headers = {"Content-Type: application/x-ndjson", "Expect:"},
		.body = &body,
	};
	struct remote_answer answer = {0};
	json_t *document = NULL;

	if (!lines.data)
		body.text.data = "";
	buffer_printf(&request.target, "/import?on_error=continue&existing=%s",
		      policy_name(policy));
	if (server_end_ask(remote, &request, &answer, failure)) {
		document = json_loadb(answer.body.data ? answer.body.data : "", answer.body.len, 0,
				      NULL);
		if (!json_is_integer(json_object_get(document, policy == MERGE_REPLACE ? "imported"
										       : "kept"))) {
			json_decref(document);
			document = NULL;
			(void)migrate_fail(failure, CLIENT_REFUSED,
					   "%s is no steadycache that can keep newer entries; "
					   "update it",
					   remote->url);
		}
	}
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return document;
}

static struct merge_entry *entry_of_line(struct migrate_batch *batch, json_int_t line)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->entries[i].outcome == MERGE_UNDECIDED && --line == 0)
			return &batch->entries[i];
	return NULL;
}

/* The server tells which lines failed, and how many entries it kept. */
static void take_answer(const json_t *document, struct migrate_batch *batch)
{
	static const char *const refused = "the server refused it; its /import tells why";
	struct merge_entry *failed[MIGRATE_BATCH_ENTRIES];
	json_int_t kept = json_integer_value(json_object_get(document, "kept"));
	json_int_t failures = json_integer_value(json_object_get(document, "failed"));
	const json_t *item = NULL;
	size_t i = 0, count = 0;
	bool has_stored = false;

	json_array_foreach(json_object_get(document, "errors"), i, item)
	{
		struct merge_entry *entry =
			entry_of_line(batch, json_integer_value(json_object_get(item, "line")));
		const char *error = json_string_value(json_object_get(item, "error"));

		if (!entry || count == MIGRATE_BATCH_ENTRIES)
			continue;
		migrate_batch_note(batch, entry, error ? error : refused);
		failed[count++] = entry;
	}
	batch->is_mixed = kept > 0;
	for (i = 0; i < count; i++)
		failed[i]->outcome = MERGE_FAILED;
	failures -= (json_int_t)count;
	for (i = 0; i < batch->count; i++) {
		struct merge_entry *entry = &batch->entries[i];

		if (entry->outcome != MERGE_UNDECIDED)
			continue;
		if (failures > 0) {
			entry->outcome = MERGE_FAILED;
			entry->detail = refused;
			failures--;
		} else if (kept > 0) {
			entry->outcome = MERGE_KEPT;
			kept--;
		} else {
			entry->outcome = MERGE_STORED;
			has_stored = true;
		}
	}
	batch->is_mixed &= has_stored;
	batch->history_lost +=
		(uint64_t)json_integer_value(json_object_get(document, "history_left_out"));
}

/* Decides on those that follow a version that the server does not have any more. The import of the
 * others is a step of its own, milliseconds later. */
static bool keep_others(struct remote *remote, struct migrate_batch *batch,
			struct migrate_failure *failure)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct merge_entry *entry = &batch->entries[i];
		struct migrate_found found;

		if (entry->outcome != MERGE_UNDECIDED)
			continue;
		if (!find_one(remote, batch->ns, entry->item.key, &found, failure))
			return false;
		if (!found.exists || !etag_equal(&found.etag, entry->follows))
			entry->outcome = MERGE_KEPT;
	}
	return true;
}

static bool has_undecided(const struct migrate_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->entries[i].outcome == MERGE_UNDECIDED)
			return true;
	return false;
}

/* Sends what is undecided. */
static bool import(struct remote *remote, enum merge_policy policy, struct migrate_batch *batch,
		   struct migrate_failure *failure)
{
	struct buffer lines = {0};
	json_t *document = NULL;

	line_sink_write_batch(&lines, batch);
	if (lines.failed)
		(void)migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	else
		document = send_lines(policy, remote, buffer_bytes(&lines), failure);
	if (document)
		take_answer(document, batch);
	buffer_deinit(&lines);
	bool good = document != NULL;
	json_decref(document);
	return good;
}

static bool put(struct migrate_sink *base, struct migrate_batch *batch,
		struct migrate_failure *failure)
{
	struct server_sink *sink = server_sink_of(base);
	enum merge_policy policy = base->policy;
	bool good = true;

	if (base->is_dry || batch->count == 0) {
		for (size_t i = 0; i < batch->count; i++)
			batch->entries[i].outcome = MERGE_STORED;
		return true;
	}
	struct remote *remote = acquire(sink);
	if (batch->entries[0].follows) {
		good = keep_others(remote, batch, failure);
		policy = MERGE_REPLACE;
	}
	if (good && has_undecided(batch))
		good = import(remote, policy, batch, failure);
	release(sink, remote);
	return good;
}

/* ---- Namespaces ---- */

static void write_settings(struct buffer *out, const struct migrate_namespace *ns)
{
	const char *comma = "";

#define MEMBER(bit, ...)                                                                           \
	do {                                                                                       \
		if (ns->mask & (bit)) {                                                            \
			json_out_raw(out, comma);                                                  \
			__VA_ARGS__;                                                               \
			comma = ",";                                                               \
		}                                                                                  \
	} while (0)
	json_out_raw(out, "{");
	MEMBER(SETTING_MAX_SIZE, json_out_raw(out, "\"max_size_mb\":");
	       json_out_double(out, (double)ns->settings.max_size_bytes / 1048576.0));
	MEMBER(SETTING_CAPACITY, json_out_raw(out, "\"capacity\":");
	       if (ns->settings.capacity == CAPACITY_UNLIMITED) json_out_raw(out, "null");
	       else json_out_integer(out, ns->settings.capacity));
	MEMBER(SETTING_DEFAULT_TTL, json_out_raw(out, "\"default_ttl\":");
	       json_out_integer(out, ns->settings.default_ttl_s));
	MEMBER(SETTING_STALE_TTL, json_out_raw(out, "\"stale_ttl\":");
	       json_out_integer(out, ns->settings.stale_ttl_s));
	MEMBER(SETTING_MAX_IDLE, json_out_raw(out, "\"max_idle\":");
	       json_out_integer(out, ns->settings.max_idle_s));
	MEMBER(SETTING_COMPRESSION, buffer_printf(out, "\"compression\":\"%s\"",
						  compression_name(ns->settings.compression)));
	MEMBER(SETTING_PUT_STATUS,
	       buffer_printf(out, "\"put_status\":%u", ns->settings.put_status));
	MEMBER(SETTING_POLICY, buffer_printf(out, "\"eviction\":\"%s\"",
					     eviction_policy_name(ns->settings.policy)));
#undef MEMBER
	json_out_raw(out, "}");
}

static bool has_namespace(struct remote *remote, const char *name, bool *ret,
			  struct migrate_failure *failure)
{
	struct remote_request request = {.method = "GET"};
	struct remote_answer answer = {0};

	buffer_append(&request.target, SLICE("/stats"));
	bool good = server_end_ask(remote, &request, &answer, failure);
	json_auto_t *document = good && answer.body.data
					? json_loadb(answer.body.data, answer.body.len, 0, NULL)
					: NULL;
	*ret = json_object_get(json_object_get(document, "namespaces"), name) != NULL;
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return good;
}

static bool configure(struct migrate_sink *base, const struct migrate_namespace *ns, bool replaces,
		      struct migrate_failure *failure)
{
	struct server_sink *sink = server_sink_of(base);
	struct remote *remote = acquire(sink);
	struct buffer text = {0};
	struct remote_body body = {.fd = -1};
	struct remote_request request = {
		.method = "PUT",
		.headers = {"Content-Type: application/json"},
		.body = &body,
	};
	struct remote_answer answer = {0};
	bool exists = false;
	bool good = replaces || has_namespace(remote, ns->name, &exists, failure);

	if (good && !exists && !base->is_dry) {
		write_settings(&text, ns);
		body.text = buffer_bytes(&text);
		body.len = (curl_off_t)text.len;
		buffer_append(&request.target, SLICE("/cache/"));
		target_append(&request.target, slice_of(ns->name));
		good = server_end_ask(remote, &request, &answer, failure);
	}
	release(sink, remote);
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	buffer_deinit(&text);
	return good;
}

/* ---- All of it ---- */

static bool settle(struct migrate_sink *base, struct migrate_failure *failure)
{
	struct server_sink *sink = server_sink_of(base);
	struct remote_request request = {.method = "POST"};
	struct remote_answer answer = {0};

	if (base->is_dry)
		return true;
	struct remote *remote = acquire(sink);
	buffer_append(&request.target, SLICE("/sync"));
	/* What an import has answered is as durable as any write to that server. */
	bool good = server_end_ask(remote, &request, &answer, failure) || answer.status == 403;
	release(sink, remote);
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return good;
}

static void close_sink(struct migrate_sink *base)
{
	struct server_sink *sink = server_sink_of(base);

	for (size_t i = 0; i <= LANES; i++)
		if (sink->remotes[i].url)
			remote_close(&sink->remotes[i]);
	(void)pthread_mutex_destroy(&sink->lock);
	free(sink);
}

static const struct migrate_sink_ops sink_ops = {
	.put = put,
	.find = find,
	.configure = configure,
	.settle = settle,
	.finish = settle,
	.close = close_sink,
};

struct migrate_sink *server_sink_open(const char *url, const char *role, enum merge_policy policy,
				      long timeout_s, struct migrate_failure *failure)
{
	struct server_sink *sink = calloc(1, sizeof(*sink));
	bool good = true;

	if (!sink) {
		(void)migrate_fail(failure, CLIENT_LOCAL, "out of memory");
		return NULL;
	}
	sink->sink = (struct migrate_sink){
		.ops = &sink_ops, .policy = policy, .lanes = LANES, .stamps = true};
	(void)pthread_mutex_init(&sink->lock, NULL);
	for (size_t i = 0; good && i <= LANES; i++)
		good = server_end_open(&sink->remotes[i], url, role, timeout_s, failure);
	/* Nothing is stored by it, but it tells whether there is such a server, which knows us. */
	json_t *document =
		good ? send_lines(policy, &sink->remotes[0], (struct slice){0}, failure) : NULL;
	json_decref(document);
	if (document)
		return &sink->sink;
	close_sink(&sink->sink);
	return NULL;
}
