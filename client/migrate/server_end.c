#include "client/migrate/server_end.h"

#include "base/json_out.h"
#include "base/utf8.h"
#include "client/remote_open.h"
#include "client/target.h"

/* NULL: the role has none of its own. */
static const char *key_variable(const char *role)
{
	return strcmp(role, SERVER_FROM) == 0 ? "STEADYCACHE_FROM_API_KEY"
	       : strcmp(role, SERVER_TO) == 0 ? "STEADYCACHE_TO_API_KEY"
					      : NULL;
}

bool server_end_open(struct remote *remote, const char *url, const char *role, long timeout_s,
		     struct migrate_failure *failure)
{
	int code = remote_open_url(remote, url, role, key_variable(role), timeout_s);

	return code == CLIENT_DONE || migrate_fail(failure, code, "%s cannot be used", url);
}

bool server_end_judge(struct remote *remote, bool has_answer, const struct remote_answer *answer,
		      struct migrate_failure *failure)
{
	const char *variable = key_variable(remote->source);

	if (!has_answer) {
		(void)migrate_fail(failure, CLIENT_UNREACHABLE, "no answer from %s: %s",
				   remote->url,
				   remote->error[0] ? remote->error : "the connection broke");
		failure->is_passing = true;
		return false;
	}
	if (remote_is_done(answer))
		return true;
	json_auto_t *problem =
		json_loadb(answer->body.data ? answer->body.data : "", answer->body.len, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	(void)migrate_fail(failure, answer->status >= 500 ? CLIENT_UNREACHABLE : CLIENT_REFUSED,
			   "%s: %s (status %ld%s%s)", remote->url,
			   detail ? detail : "the server refused", answer->status,
			   answer->status == 401 ? "; set " : "",
			   answer->status != 401 ? ""
			   : variable            ? variable
						 : "STEADYCACHE_API_KEY");
	failure->status = answer->status;
	failure->retry_after_s = answer->retry_after_s > 0 ? (unsigned)answer->retry_after_s : 0;
	failure->is_passing = answer->status == 429 || answer->status >= 502;
	return false;
}

bool server_end_ask(struct remote *remote, const struct remote_request *request,
		    struct remote_answer *answer, struct migrate_failure *failure)
{
	bool has_answer = remote_try(remote, request, answer);

	return server_end_judge(remote, has_answer, answer, failure);
}

void server_end_write_target(struct buffer *out, const char *ns, struct slice key)
{
	buffer_append(out, SLICE("/cache/"));
	target_append(out, slice_of(ns));
	buffer_append_char(out, '/');
	target_append(out, key);
}

int64_t server_end_expiry(const struct remote_answer *answer)
{
	return answer->has_ttl ? cache_clock_now_us(&system_clock) + answer->ttl_s * US_PER_S : 0;
}

/* Whether a server that was stored no Cache-Control would send this one. */
static bool is_servers_own(struct slice control, const struct remote_answer *answer)
{
	long max_age_s = answer->ttl_s > 0 ? answer->ttl_s + answer->age_s : 0;
	char text[40];

	if (!answer->has_ttl)
		return slice_equal(control, SLICE("no-cache"));
	/* Both are rounded. */
	for (long apart_s = -2; apart_s <= 2; apart_s++) {
		(void)snprintf(text, sizeof(text), "max-age=%ld", max_age_s + apart_s);
		if (slice_equal(control, slice_of(text)))
			return true;
	}
	return false;
}

void server_end_head(const struct remote_answer *answer, struct value_head_room *ret)
{
	struct slice type = slice_of(answer->type), name, value;
	struct slice rest = buffer_bytes(&answer->kept);

	value_head_begin(ret, content_type_is_valid(type) ? type : SLICE(CONTENT_TYPE_BYTES));
	while (value_head_next(&rest, &name, &value))
		if (!slice_equal(name, SLICE("Cache-Control")) || !is_servers_own(value, answer))
			(void)value_head_add(ret, name, value);
}

static void take_head(struct slice head, struct migrate_found *ret)
{
	memcpy(ret->head, head.data, head.len);
	ret->head[head.len] = '\0';
}

bool server_end_find(struct remote *remote, const char *ns, struct slice key,
		     struct migrate_found *ret, struct migrate_failure *failure)
{
	struct remote_request request = {.method = "HEAD", .headers = {SERVER_END_ACCEPT}};
	struct remote_answer answer = {0};
	struct value_head_room head;

	server_end_write_target(&request.target, ns, key);
	bool good = server_end_ask(remote, &request, &answer, failure) || answer.status == 404;
	*ret = (struct migrate_found){.exists = answer.status == 200};
	if (ret->exists) {
		(void)etag_parse(slice_of(answer.etag), &ret->etag);
		server_end_head(&answer, &head);
		take_head(value_head_text(&head), ret);
		ret->tolerance_us = SERVER_END_TOLERANCE_US;
		ret->expires_at_us = server_end_expiry(&answer);
	}
	if (good)
		*failure = (struct migrate_failure){0};
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return good;
}

bool server_end_is_too_long(const struct migrate_failure *failure)
{
	return failure->status == 414 || failure->status == 431;
}

/* Writes the bytes of a value in JSON. False: it is not as a server writes it. */
static bool read_value(const json_t *result, struct buffer *ret)
{
	const json_t *value = json_object_get(result, "value");
	const char *encoding = json_string_value(json_object_get(result, "encoding"));
	const char *text = json_string_value(value);

	if (!text)
		return false;
	struct slice bytes = {.data = text, .len = json_string_length(value)};
	if (encoding)
		return strcmp(encoding, "base64") == 0 && target_base64(bytes, ret);
	buffer_append(ret, bytes);
	return true;
}

bool server_end_ask_batch(struct remote *remote, const char *ns, const char *what,
			  const struct buffer *body, json_t **ret, struct migrate_failure *failure)
{
	struct remote_body sent = {
		.text = buffer_bytes(body), .fd = -1, .len = (curl_off_t)body->len};
	struct remote_request request = {
		.method = "POST",
		.headers = {"Content-Type: application/json", "Expect:"},
		.body = &sent,
	};
	struct remote_answer answer = {0};

	if (body->failed)
		return migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	buffer_append(&request.target, SLICE("/batch/"));
	target_append(&request.target, slice_of(ns));
	buffer_append_char(&request.target, '/');
	buffer_append(&request.target, slice_of(what));
	bool good = server_end_ask(remote, &request, &answer, failure);
	if (good)
		*ret = json_loadb(answer.body.data ? answer.body.data : "", answer.body.len,
				  JSON_ALLOW_NUL, NULL);
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return good;
}

static bool take_long(const json_t *document, struct migrate_found *ret)
{
	json_t *results = json_object_get(document, "results");
	const json_t *result = json_object_iter_value(json_object_iter(results));
	const char *type = json_string_value(json_object_get(result, "content_type"));
	json_t *headers = json_object_get(result, "headers"), *header;
	struct value_head_room head;
	struct buffer bytes = {0};
	const char *name;

	*ret = (struct migrate_found){.exists = json_is_true(json_object_get(result, "found")),
				      .has_no_expiry = true};
	if (!ret->exists)
		return json_is_object(result);
	bool good = read_value(result, &bytes) && !bytes.failed;
	struct cache_value *value =
		good ? cache_value_copy(buffer_bytes(&bytes), SLICE(CONTENT_TYPE_BYTES)) : NULL;
	if (value)
		ret->etag = value->etag;
	value_head_begin(&head, slice_of(type ? type : ""));
	json_object_foreach(headers, name, header)(void)
		value_head_add(&head, slice_of(name), slice_of(json_string_value(header)));
	if (type)
		take_head(value_head_text(&head), ret);
	good = value != NULL;
	cache_value_release(value);
	buffer_deinit(&bytes);
	return good;
}

bool server_end_find_long(struct remote *remote, const char *ns, struct slice key,
			  struct migrate_found *ret, struct migrate_failure *failure)
{
	struct buffer text = {0};
	json_auto_t *document = NULL;

	*ret = (struct migrate_found){.is_unknown = true};
	/* jansson takes no NUL in the name of a member. */
	if (!utf8_is_valid(key) || memchr(key.data, '\0', key.len)) {
		*failure = (struct migrate_failure){0};
		return true;
	}
	json_out_raw(&text, "{\"keys\":[");
	json_out_string(&text, key);
	json_out_raw(&text, "]}");
	bool good = server_end_ask_batch(remote, ns, "get", &text, &document, failure);
	if (good && !take_long(document, ret))
		good = migrate_fail(failure, CLIENT_REFUSED, "%s sent a batch that cannot be read",
				    remote->url);
	good = good || failure->status == 413;
	if (good)
		*failure = (struct migrate_failure){0};
	buffer_deinit(&text);
	return good;
}
