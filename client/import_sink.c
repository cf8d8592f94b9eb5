#include "client/import_sink.h"

#include <stdlib.h>

#include "base/clock.h"
#include "client/import_lookup.h"
#include "client/import_server.h"
#include "client/import_watch.h"
#include "client/migrate/server_end.h"
#include "client/migrate/server_sink.h"
#include "client/output.h"
#include "client/remote_open.h"
#include "steadytext/import.h"

struct import_sink {
	struct steadytext_sink base;
	struct import_server server;  /* for marks and statistics */
	struct migrate_sink *entries; /* where they go */
	/* The backend knows no conditional writes (D1 behind the original Worker): a look, and then
	 * a write. */
	bool looks_first;
	struct import_watch watch;
	int code; /* of the first failure that was told; CLIENT_DONE: none */
};

static struct import_sink *sink_of(struct steadytext_sink *base)
{
	return (struct import_sink *)(void *)base;
}

/* ---- Failures ---- */

static bool give_up(struct import_sink *sink, char *reason, size_t reason_size)
{
	(void)snprintf(reason, reason_size, "%s%s", sink->server.failure.text,
		       sink->server.failure.status == 403
			       ? "; it needs a token with the rights read and write, for the "
				 "caches' namespaces and for " STEADYTEXT_MARKS
			       : "");
	if (sink->code == CLIENT_DONE)
		sink->code = sink->server.failure.code;
	return false;
}

static bool fail(struct import_sink *sink, const char *sentence, char *reason, size_t reason_size)
{
	(void)migrate_fail(&sink->server.failure, CLIENT_REFUSED, "%s", sentence);
	return give_up(sink, reason, reason_size);
}

static bool evicted(struct steadytext_sink *base, const char *ns, uint64_t *ret, char *reason,
		    size_t reason_size)
{
	struct import_sink *sink = sink_of(base);

	return import_watch_evicted(&sink->watch, &sink->server, ns, ret) ||
	       give_up(sink, reason, reason_size);
}

/* ---- Entries ---- */

/* One attempt. */
static bool store(struct import_sink *sink, bool is_dry, struct migrate_batch *batch)
{
	struct migrate_sink *entries = sink->entries;
	bool good = !(is_dry || sink->looks_first) ||
		    import_lookup(&sink->server.remote, sink->looks_first, batch,
				  &sink->server.failure);

	if (good && is_dry) {
		for (size_t i = 0; i < batch->count; i++)
			if (batch->entries[i].outcome == MERGE_UNDECIDED)
				batch->entries[i].outcome = MERGE_STORED;
		return true;
	}
	return good && entries->ops->put(entries, batch, &sink->server.failure);
}

static bool store_patiently(struct import_sink *sink, bool is_dry, struct migrate_batch *batch)
{
	int64_t since_us = monotonic_now_us();

	for (unsigned attempt = 0;; attempt++) {
		sink->server.failure = (struct migrate_failure){0};
		if (store(sink, is_dry, batch))
			return true;
		if (!import_server_goes_on(&sink->server, since_us, attempt))
			return false;
	}
}

/* Fills the batch with the first of `entries`; 0: out of memory. */
static size_t fill(struct migrate_batch *batch, const struct steadytext_entry *entries,
		   size_t count)
{
	size_t i = 0;

	for (; i < count; i++) {
		const struct steadytext_entry *entry = &entries[i];
		struct cache_history history = {
			.frequency = entry->frequency < UINT32_MAX ? (uint32_t)entry->frequency
								   : UINT32_MAX,
			.created_at_us = entry->last_access_us, /* it cannot be later */
			.last_access_us = entry->last_access_us,
			.expires_at_us = HISTORY_TTL,
		};

		if (!migrate_batch_takes(batch, entry->key.len + entry->value.len))
			break;
		struct cache_value *value =
			cache_value_copy(entry->value, slice_of(CONTENT_TYPE_TEXT));
		if (!value || !migrate_batch_add(batch, entry->key, value, &history, 0, 0))
			return 0;
	}
	return i;
}

/* Those of the batch from `first` on. */
static void tell_outcomes(const struct migrate_batch *batch, struct import_watch *watch,
			  struct steadytext_batch *ret, size_t first)
{
	size_t stored = 0;

	for (size_t i = 0; i < batch->count; i++) {
		const struct merge_entry *entry = &batch->entries[i];
		enum steadytext_outcome *outcome = &ret->outcomes[first + i];

		*outcome = entry->outcome == MERGE_STORED ? STEADYTEXT_STORED
			   : entry->outcome == MERGE_KEPT ? STEADYTEXT_KEPT
							  : STEADYTEXT_REFUSED;
		if (*outcome == STEADYTEXT_REFUSED)
			(void)snprintf(ret->reasons[first + i], STEADYTEXT_REASON_SIZE, "%s",
				       entry->detail ? entry->detail
						     : cache_status_text(entry->status));
		stored += *outcome == STEADYTEXT_STORED;
	}
	if (!ret->is_dry)
		import_watch_add(watch, ret->ns, stored);
	ret->history_lost += batch->history_lost;
}

/* Returns how many of the entries from `first` on it has done; 0: none, and the failure says why.
 */
static size_t put_some(struct import_sink *sink, struct steadytext_batch *entries, size_t first)
{
	struct migrate_batch *batch = calloc(1, sizeof(*batch));
	size_t done = batch ? fill(batch, entries->entries + first, entries->count - first) : 0;

	if (done == 0)
		(void)migrate_fail(&sink->server.failure, CLIENT_LOCAL, "out of memory");
	else
		(void)snprintf(batch->ns, sizeof(batch->ns), "%s", entries->ns);
	if (done > 0 && store_patiently(sink, entries->is_dry, batch))
		tell_outcomes(batch, &sink->watch, entries, first);
	else
		done = 0;
	migrate_batch_free(batch);
	return done;
}

static bool put(struct steadytext_sink *base, struct steadytext_batch *batch, char *reason,
		size_t reason_size)
{
	struct import_sink *sink = sink_of(base);

	batch->history_lost = 0;
	for (size_t at = 0, done; at < batch->count; at += done) {
		done = put_some(sink, batch, at);
		if (done == 0)
			return give_up(sink, reason, reason_size);
	}
	return true;
}

static bool settle(struct steadytext_sink *base, const char *ns, struct steadytext_settled *ret,
		   char *reason, size_t reason_size)
{
	struct import_sink *sink = sink_of(base);
	int64_t since_us = monotonic_now_us();
	bool good = false;

	(void)ns;
	for (unsigned attempt = 0; !good; attempt++) {
		sink->server.failure = (struct migrate_failure){0};
		good = sink->entries->ops->settle(sink->entries, &sink->server.failure);
		if (!good && !import_server_goes_on(&sink->server, since_us, attempt))
			return give_up(sink, reason, reason_size);
	}
	sink->server.failure = (struct migrate_failure){0};
	return import_watch_survives(&sink->server, &ret->survives) ||
	       give_up(sink, reason, reason_size);
}

/* ---- Marks ---- */

static bool get_mark(struct steadytext_sink *base, const char *key, bool *ret_found,
		     struct buffer *ret, char *reason, size_t reason_size)
{
	struct import_sink *sink = sink_of(base);
	struct remote_request request = {.method = "GET"};
	struct remote_answer answer = {0};
	bool is_missing = false;

	server_end_write_target(&request.target, STEADYTEXT_MARKS, slice_of(key));
	bool good = import_server_ask(&sink->server, &request, &answer, &is_missing);
	*ret_found = good && !is_missing;
	if (*ret_found && ret)
		buffer_append(ret, buffer_bytes(&answer.body));
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return good || give_up(sink, reason, reason_size);
}

static bool set_mark(struct steadytext_sink *base, const char *key, struct slice text, char *reason,
		     size_t reason_size)
{
	struct import_sink *sink = sink_of(base);
	struct remote_body body = {.text = text, .fd = -1, .len = (curl_off_t)text.len};
	struct remote_request request = {
		.method = "PUT",
		.headers = {sink->looks_first ? "Content-Type: " CONTENT_TYPE_TEXT
					      : "Content-Type: application/json"},
		.body = &body,
	};
	struct remote_answer answer = {0};
	bool exists = false;

	server_end_write_target(&request.target, STEADYTEXT_MARKS, slice_of(key));
	buffer_append(&request.target, SLICE("?ttl=0"));
	bool good = import_server_ask(&sink->server, &request, &answer, NULL);
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	if (!good)
		return give_up(sink, reason, reason_size);
	/* Some servers are told to keep nothing. */
	if (!get_mark(base, key, &exists, NULL, reason, reason_size))
		return false;
	return exists || fail(sink,
			      "the server does not keep what it is given; see its "
			      "STEADYCACHE_BACKEND, and STEADYTEXT_DISABLE_CACHE",
			      reason, reason_size);
}

/* ---- All of it ---- */

static const struct steadytext_sink_ops sink_ops = {
	.put = put,
	.evicted = evicted,
	.settle = settle,
	.get_mark = get_mark,
	.set_mark = set_mark,
};

static bool open_sink(struct import_sink *sink, enum merge_policy policy)
{
	sink->entries = server_sink_open(sink->server.remote.url, SERVER_ENVIRONMENT, policy,
					 sink->server.remote.timeout_s, &sink->server.failure);
	return sink->entries != NULL;
}

/* Asks for a mark whether it exists, which the original Worker cannot tell. */
static bool probe(struct import_sink *sink)
{
	struct buffer body = {0};
	json_auto_t *document = NULL;

	buffer_append(&body, SLICE("{\"keys\":[\"\"]}"));
	bool good = server_end_ask_batch(&sink->server.remote, STEADYTEXT_MARKS, "exists", &body,
					 &document, &sink->server.failure);
	buffer_deinit(&body);
	return good;
}

static bool open_server(struct import_sink *sink)
{
	if ((sink->entries || open_sink(sink, MERGE_KEEP)) && probe(sink))
		return true;
	sink->looks_first = sink->server.failure.status == 501;
	if (!sink->looks_first)
		return false;
	if (!sink->entries)
		return open_sink(sink, MERGE_REPLACE);
	sink->entries->policy = MERGE_REPLACE;
	return true;
}

int import_sink_open(const struct arguments *arguments, struct import_sink **ret)
{
	struct import_sink *sink = calloc(1, sizeof(*sink));
	int64_t since_us = monotonic_now_us();
	char reason[sizeof(sink->server.failure.text) + 200];

	if (!sink)
		return client_fail(CLIENT_LOCAL, "out of memory");
	sink->base.ops = &sink_ops;
	int code = remote_open(&sink->server.remote, arguments);
	for (unsigned attempt = 0; code == CLIENT_DONE && !open_server(sink); attempt++)
		if (!sink->server.failure.is_passing || sink->server.failure.status == 0 ||
		    !import_server_goes_on(&sink->server, since_us, attempt)) {
			(void)give_up(sink, reason, sizeof(reason));
			code = client_fail(sink->server.failure.code, "%s", reason);
		}
	if (code != CLIENT_DONE) {
		import_sink_close(sink);
		return code;
	}
	sink->server.failure = (struct migrate_failure){0};
	*ret = sink;
	return CLIENT_DONE;
}

struct steadytext_sink *import_sink_base(struct import_sink *sink)
{
	return &sink->base;
}

int import_sink_code(const struct import_sink *sink)
{
	return sink->code;
}

const char *import_sink_url(const struct import_sink *sink)
{
	return sink->server.remote.url;
}

void import_sink_close(struct import_sink *sink)
{
	if (!sink)
		return;
	import_watch_deinit(&sink->watch);
	if (sink->entries)
		sink->entries->ops->close(sink->entries);
	remote_close(&sink->server.remote);
	free(sink);
}
