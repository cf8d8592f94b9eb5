/* /cache and /cache/{ns}: the namespaces, their keys and their limits. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "base/percent.h"
#include "handlers/handlers.h"
#include "handlers/json/entry_json.h"
#include "handlers/json/json_in.h"
#include "handlers/json/stats_json.h"
#include "handlers/respond/cursor.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

#define LIST_LIMIT_MAX 1000
/* A page ends once its keys have this many bytes. */
#define PAGE_KEY_BYTES ((size_t)1 << 20)

/* ---- GET /cache ---- */

static enum handler_step namespaces_start(struct request *request, struct response *response)
{
	(void)response;
	cache_op_init(&request->op, CACHE_OP_STATS);
	return STEP_SUBMIT;
}

static void namespaces_finish(struct request *request, struct response *response)
{
	const struct cache_op *op = &request->op;
	struct buffer json = {0};

	if (op->status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	stats_json_keep_usable(request);
	json_out_raw(&json, "{\"namespaces\":[");
	for (size_t i = 0; i < op->stats_count; i++) {
		const struct namespace_stats *stats = &op->stats[i];

		json_out_raw(&json, i > 0 ? ",{\"name\":" : "{\"name\":");
		json_out_string(&json, slice_of(stats->name));
		buffer_printf(&json,
			      ",\"entry_count\":%" PRIu64 ",\"total_size\":%" PRIu64
			      ",\"used_bytes\":%" PRIu64 ",\"max_size_bytes\":%" PRIu64 ",",
			      stats->entry_count, stats->total_size_bytes, stats->used_bytes,
			      stats->settings.max_size_bytes);
		stats_json_append_limits(&json, &stats->settings);
		stats_json_append_backend(&json, stats);
		json_out_raw(&json, "}");
	}
	json_out_raw(&json, "]}");
	response_json(response, 200, &json);
}

/* ---- GET /cache/{ns} ---- */

/* The decoded prefix and cursor, which the op borrows. */
struct listing {
	char *prefix;
	char *after;
	bool has_one_more; /* the op returns one more entry than the client wants */
};

static void listing_cleanup(struct request *request)
{
	struct listing *listing = request->state;

	if (listing) {
		free(listing->prefix);
		free(listing->after);
		free(listing);
	}
	request->state = NULL;
}

static bool open_listing(struct request *request, struct response *response,
			 enum cache_op_type type)
{
	const char *raw = request_query(request, "prefix");

	cache_op_init(&request->op, type);
	request->op.ns = request->ns;
	struct listing *listing = calloc(1, sizeof(*listing));
	request->state = listing;
	if (listing && raw)
		listing->prefix = malloc(strlen(raw) + 1);
	if (!listing || (raw && !listing->prefix)) {
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
		return false;
	}
	if (!raw)
		return true;
	request->op.prefix.data = listing->prefix;
	if (percent_decode(slice_of(raw), listing->prefix, &request->op.prefix.len))
		return true;
	respond_error(request, response, 400,
		      "\"prefix\" has a %% that two hex digits do not follow; write it as %%25");
	return false;
}

/* A cursor is the last key of the previous page, in base64url without padding. For the empty key
 * that would be an empty cursor, so it is a letter, which alone stands for no other key. */
#define EMPTY_KEY_CURSOR "A"

static bool read_cursor(struct request *request, struct response *response)
{
	const char *text = request_query(request, "cursor");
	struct listing *listing = request->state;
	size_t len = 0;

	if (!text || *text == '\0')
		return true;
	if (strcmp(text, EMPTY_KEY_CURSOR) == 0)
		text = "";
	enum cursor_outcome outcome = cursor_decode(slice_of(text), &listing->after, &len);
	if (outcome != CURSOR_GOOD) {
		bool is_bad = outcome == CURSOR_BAD;

		respond_error(request, response, is_bad ? 400 : 503, "%s",
			      is_bad ? "\"cursor\" must be the cursor of the page before, unchanged"
				     : status_text(CACHE_NO_MEMORY));
		return false;
	}
	request->op.has_after = true;
	request->op.after = (struct slice){.data = listing->after, .len = len};
	return true;
}

static bool read_limit(struct request *request, struct response *response)
{
	const char *text = request_query(request, "limit");
	char *end = NULL;

	request->op.limit = LIST_LIMIT_MAX;
	/* A page is never one key alone, because the key after it must be known (end_page). */
	request->op.max_key_bytes = PAGE_KEY_BYTES > request->context->max_key_bytes
					    ? PAGE_KEY_BYTES
					    : request->context->max_key_bytes + 1;
	if (!text)
		return true;
	long limit = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || limit < 1 || limit > LIST_LIMIT_MAX) {
		respond_error(request, response, 400, "\"limit\" must be a number from 1 to %d",
			      LIST_LIMIT_MAX);
		return false;
	}
	request->op.limit = (size_t)limit;
	/* If the page ends with a long key, the key after it must be known (end_page). */
	struct listing *listing = request->state;
	listing->has_one_more = limit == 1;
	request->op.limit += listing->has_one_more;
	return true;
}

static enum handler_step list_start(struct request *request, struct response *response)
{
	if (!open_listing(request, response, CACHE_OP_SCAN) || !read_limit(request, response) ||
	    !read_cursor(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

static void append_entry(struct buffer *json, const struct cache_entry_info *entry)
{
	char etag[ETAG_TEXT_LEN + 1];

	json_out_raw(json, "{");
	entry_json_append_key(json, entry->key);
	etag_format(&entry->etag, etag);
	buffer_printf(json, ",\"size\":%" PRIu64 ",\"etag\":", entry->size_bytes);
	json_out_string(json, slice_of(etag));
	entry_json_append_history(json, entry, entry->expires_at_us);
	json_out_raw(json, "}");
}

/* The length of the shortest prefix of `next` that is after `last` and before `next`, if there is
 * one, else 0. A cursor must fit into a URL, and keys may be whole prompts. */
static size_t separator_len(struct slice last, struct slice next)
{
	size_t len = 0;

	while (len < last.len && len < next.len && last.data[len] == next.data[len])
		len++;
	return len < last.len && len + 1 < next.len ? len + 1 : 0;
}

/* Returns the number of entries of the page; the next page begins after the last of them, at
 * *ret_cursor. */
static size_t end_page(const struct request *request, struct slice *ret_cursor)
{
	const struct cache_op *op = &request->op;
	const struct listing *listing = request->state;
	size_t count = op->entry_count;

	*ret_cursor = count > 0 ? op->entries[count - 1].key : (struct slice){0};
	if (listing->has_one_more
		    ? count < 2
		    : op->complete || count < 2 || ret_cursor->len <= CURSOR_KEY_BYTES)
		return count;
	struct slice last = op->entries[count - 2].key;
	struct slice next = op->entries[count - 1].key;
	size_t len = last.len > CURSOR_KEY_BYTES ? separator_len(last, next) : 0;

	*ret_cursor = len > 0 ? (struct slice){.data = next.data, .len = len} : last;
	return count - 1;
}

static void append_cursor(struct buffer *json, struct slice key)
{
	json_out_raw(json, key.len == 0 ? "\"" EMPTY_KEY_CURSOR : "\"");
	cursor_append(json, key);
	json_out_raw(json, "\"");
}

static void list_finish(struct request *request, struct response *response)
{
	const struct cache_op *op = &request->op;
	struct buffer json = {0};
	struct slice cursor;

	if (op->status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	size_t count = end_page(request, &cursor);
	bool complete = op->complete && count == op->entry_count;
	json_out_raw(&json, "{\"keys\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			json_out_raw(&json, ",");
		append_entry(&json, &op->entries[i]);
	}
	json_out_raw(&json, "],\"cursor\":");
	if (complete || count == 0)
		json_out_raw(&json, "null");
	else
		append_cursor(&json, cursor);
	json_out_raw(&json, complete ? ",\"complete\":true}" : ",\"complete\":false}");
	response_json(response, 200, &json);
}

/* ---- PUT /cache/{ns} ---- */

enum {
	SETTINGS_MAX_SIZE,
	SETTINGS_CAPACITY,
	SETTINGS_DEFAULT_TTL,
	SETTINGS_STALE_TTL,
	SETTINGS_MAX_IDLE,
	SETTINGS_EVICTION,
	SETTINGS_COMPRESSION,
	SETTINGS_PUT_STATUS,
	SETTINGS_MEMBERS
};

/* How many bytes of `name` an error shows: not all, and no half character. */
static int shown_len(struct slice name)
{
	if (name.len > 100)
		for (name.len = 100; ((unsigned char)name.data[name.len] & 0xC0) == 0x80;)
			name.len--;
	return (int)name.len;
}

/* Reads a whole number, or null, which keeps the value of *ret. */
static bool read_number(struct request *request, struct response *response,
			const struct scan_member *member, int64_t max, unsigned setting,
			int64_t *ret)
{
	if (!member->found)
		return true;
	request->op.settings_mask |= setting;
	return member->kind == KIND_NULL || json_in_whole(request, response, "", member, max, ret);
}

static bool read_size(struct request *request, struct response *response,
		      const struct scan_member *member)
{
	if (!member->found)
		return true;
	request->op.settings_mask |= SETTING_MAX_SIZE;
	return member->kind == KIND_NULL ||
	       json_in_megabytes(request, response, member, &request->op.settings.max_size_bytes);
}

static bool read_policy(struct request *request, struct response *response,
			const struct scan_member *member)
{
	if (!member->found)
		return true;
	request->op.settings_mask |= SETTING_POLICY;
	if (member->kind == KIND_STRING &&
	    eviction_policy_parse(member->string, &request->op.settings.policy))
		return true;
	respond_error(request, response, 400,
		      "\"eviction\" must be \"frecency\", \"lru\", \"fifo\" or \"none\"");
	return false;
}

static bool read_compression(struct request *request, struct response *response,
			     const struct scan_member *member)
{
	if (!member->found)
		return true;
	request->op.settings_mask |= SETTING_COMPRESSION;
	if (member->kind == KIND_NULL ||
	    (member->kind == KIND_STRING &&
	     compression_parse(member->string, &request->op.settings.compression)))
		return true;
	respond_error(request, response, 400, "\"compression\" must be \"zstd\" or \"none\"");
	return false;
}

static bool read_put_status(struct request *request, struct response *response,
			    const struct scan_member *member)
{
	int64_t status = 0;

	if (!member->found)
		return true;
	request->op.settings_mask |= SETTING_PUT_STATUS;
	if (member->kind == KIND_NULL)
		return true;
	if (!json_in_whole(request, response, "", member, INT32_MAX, &status))
		return false;
	request->op.settings.put_status = (unsigned)status;
	if (status == 200)
		return true;
	respond_error(request, response, 400,
		      "\"put_status\" must be 200, or null for 201 where a PUT creates and 204 "
		      "where it replaces");
	return false;
}

static bool read_settings(struct request *request, struct response *response,
			  const struct scan_member *members)
{
	struct namespace_settings *settings = &request->op.settings;

	return read_size(request, response, &members[SETTINGS_MAX_SIZE]) &&
	       read_number(request, response, &members[SETTINGS_CAPACITY], INT64_MAX / 4,
			   SETTING_CAPACITY, &settings->capacity) &&
	       read_number(request, response, &members[SETTINGS_DEFAULT_TTL], TTL_MAX_S,
			   SETTING_DEFAULT_TTL, &settings->default_ttl_s) &&
	       read_number(request, response, &members[SETTINGS_STALE_TTL], TTL_MAX_S,
			   SETTING_STALE_TTL, &settings->stale_ttl_s) &&
	       read_number(request, response, &members[SETTINGS_MAX_IDLE], TTL_MAX_S,
			   SETTING_MAX_IDLE, &settings->max_idle_s) &&
	       read_policy(request, response, &members[SETTINGS_EVICTION]) &&
	       read_compression(request, response, &members[SETTINGS_COMPRESSION]) &&
	       read_put_status(request, response, &members[SETTINGS_PUT_STATUS]);
}

static enum handler_step settings_start(struct request *request, struct response *response)
{
	struct slice unknown = {0};
	struct scan_member members[SETTINGS_MEMBERS] = {
		[SETTINGS_MAX_SIZE] = {.name = SLICE("max_size_mb"), .type = SCAN_ANY},
		[SETTINGS_CAPACITY] = {.name = SLICE("capacity"), .type = SCAN_ANY},
		[SETTINGS_DEFAULT_TTL] = {.name = SLICE("default_ttl"), .type = SCAN_ANY},
		[SETTINGS_STALE_TTL] = {.name = SLICE("stale_ttl"), .type = SCAN_ANY},
		[SETTINGS_MAX_IDLE] = {.name = SLICE("max_idle"), .type = SCAN_ANY},
		[SETTINGS_EVICTION] = {.name = SLICE("eviction"), .type = SCAN_ANY},
		[SETTINGS_COMPRESSION] = {.name = SLICE("compression"), .type = SCAN_ANY},
		[SETTINGS_PUT_STATUS] = {.name = SLICE("put_status"), .type = SCAN_ANY},
	};

	cache_op_init(&request->op, CACHE_OP_CONFIGURE);
	request->op.ns = request->ns;
	request->op.settings.capacity = CAPACITY_UNLIMITED;
	if (!json_in_read(request, response, members, SETTINGS_MEMBERS, NULL, &unknown))
		return STEP_RESPOND;
	if (unknown.data) {
		respond_error(request, response, 400,
			      "\"%.*s\" is not a setting; there are max_size_mb, capacity, "
			      "default_ttl, stale_ttl, max_idle, eviction, compression and "
			      "put_status",
			      shown_len(unknown), unknown.data);
		return STEP_RESPOND;
	}
	return read_settings(request, response, members) ? STEP_SUBMIT : STEP_RESPOND;
}

static void finish_empty(struct request *request, struct response *response)
{
	if (request->op.status != CACHE_OK)
		respond_op_failure(request, response);
	else
		response->status = 204;
}

/* ---- DELETE /cache/{ns} ---- */

/* Whether a parameter without a value, or with 1 or true, is there. False: answered. */
static bool read_switch(const struct request *request, struct response *response, const char *name,
			bool *ret)
{
	const char *value = request_query(request, name);

	*ret = value != NULL;
	if (!value || !*value || strcmp(value, "1") == 0 || strcmp(value, "true") == 0)
		return true;
	respond_error(request, response, 400, "\"%s\" takes no value, or 1 or true", name);
	return false;
}

/* Nothing brings the entries back, so what to clear must be explicit. */
static enum handler_step clear_start(struct request *request, struct response *response)
{
	const char *prefix = request_query(request, "prefix");
	bool all = false;

	if (!open_listing(request, response, CACHE_OP_CLEAR) ||
	    !read_switch(request, response, "all", &all) ||
	    !read_switch(request, response, "drop", &request->op.drop))
		return STEP_RESPOND;
	if (all + request->op.drop + (prefix && *prefix) == 1 && (!prefix || *prefix))
		return STEP_SUBMIT;
	respond_error(
		request, response, 400,
		"say what to clear, one of three: ?prefix= with the beginning of the keys, ?all "
		"for all entries, or ?drop for the namespace with its settings and statistics");
	return STEP_RESPOND;
}

static void clear_finish(struct request *request, struct response *response)
{
	if (request->op.drop && request->op.status == CACHE_NOT_FOUND)
		respond_error(request, response, 404, "no such namespace");
	else
		finish_empty(request, response);
}

const struct handler handler_namespaces_get = {
	.start = namespaces_start,
	.finish = namespaces_finish,
};
const struct handler handler_namespace_list = {
	.start = list_start,
	.finish = list_finish,
	.cleanup = listing_cleanup,
};
const struct handler handler_namespace_put = {
	.start = settings_start,
	.finish = finish_empty,
};
const struct handler handler_namespace_clear = {
	.start = clear_start,
	.finish = clear_finish,
	.cleanup = listing_cleanup,
};
