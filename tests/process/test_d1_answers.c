/* Incomplete answers of a Worker: a failure for the client, never a miss, an empty list or a 0 in
 * place of what is missing. */
#include "tests/process/d1_scene.h"

#include <stdlib.h>
#include <string.h>

#include "base/etag.h"

D1_SUITE(d1_answers);

static char value_etag[ETAG_TEXT_LEN + 1];
/* The answers of the mock, which owns them until it stops. */
static json_t *bodies;

static void start(void)
{
	struct etag etag = etag_of(SLICE("value"));

	etag_format(&etag, value_etag);
	bodies = json_array();
	d1_scene_start();
}

/* Before its first SET in a namespace a server asks for its settings. */
static void learn_settings(void)
{
	expect_status(scene_put("first", "v"), 201);
}

static void stop(void)
{
	scene_stop();
	json_decref(bodies);
}

/* Sets the Worker's next answer, once. */
static void answer_next(json_t *result)
{
	json_auto_t *document = json_pack("{s:[O]}", "results", result);
	char *text = json_dumps(document, JSON_COMPACT);
	json_t *body = json_string(text);

	free(text);
	(void)json_array_append_new(bodies, body);
	mock_next(upstream, 1,
		  (struct mock_reply){.behaviour = MOCK_ANSWER,
				      .status = 200,
				      .headers = "Content-Type: application/json\r\n",
				      .body = json_string_value(body)});
}

/* `result` is a valid answer of the Worker to `request`, and `part` a member of it: each member of
 * that is removed in turn. `optional` are those that may be missing, with blanks around each. */
static void expect_needed(json_t *result, json_t *part, const char *optional,
			  const struct http_answer *(*request)(void), long status)
{
	json_auto_t *copy = json_copy(part);
	const char *name;
	json_t *member;

	json_object_foreach(copy, name, member)
	{
		char word[40];

		/* Failures in a row would open the breaker. */
		answer_next(result);
		expect_status(request(), status);
		(void)json_object_del(part, name);
		answer_next(result);
		(void)snprintf(word, sizeof(word), " %s ", name);
		const struct http_answer *answer = request();
		expect_that(answer, answer->status == (strstr(optional, word) ? status : 503),
			    "without the member \"%s\"", name);
		(void)json_object_set(part, name, member);
		(void)json_object_set_new(part, name, json_true());
		answer_next(result);
		answer = request();
		if (!strstr(optional, word) && !json_is_boolean(member))
			expect_that(answer, answer->status == 503, "with \"%s\": true", name);
		(void)json_object_set(part, name, member);
	}
}

static json_t *sound_item(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "status", "ok", "value", "value",
			 "content_type", "text/plain", "etag", value_etag, "modified_us", 5,
			 "expires_us", 0);
}

static const struct http_answer *get(void)
{
	return scene_get("k");
}

static const struct http_answer *batch_get(void)
{
	return http_post_json(scene.client, "/batch/ns/get", "{\"keys\":[\"k\",\"l\"]}");
}

static const struct http_answer *put(void)
{
	return scene_put("k", "value");
}

static const struct http_answer *list(void)
{
	return http_get(scene.client, "/cache/ns");
}

static const struct http_answer *stats(void)
{
	return http_get(scene.client, "/stats/ns");
}

static const struct http_answer *all_stats(void)
{
	return http_get(scene.client, "/stats");
}

Test(d1_answers, of_gets)
{
	start();
	json_auto_t *result = json_pack("{s:s, s:[o]}", "status", "ok", "items", sound_item());
	expect_needed(result, result, " ", get, 200);
	expect_needed(result, json_array_get(json_object_get(result, "items"), 0), " ", get, 200);

	(void)json_array_append_new(json_object_get(result, "items"), sound_item());
	expect_needed(result, json_array_get(json_object_get(result, "items"), 1), " ", batch_get,
		      200);
	stop();
}

/* A get that failed among many is not a miss. */
Test(d1_answers, of_gets_that_failed_in_part)
{
	static const char *const statuses[] = {"unavailable", "internal", "too_large", "?",
					       "precondition_failed"};

	start();
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		json_auto_t *result = json_pack("{s:s, s:[o, {s:s}]}", "status", "ok", "items",
						sound_item(), "status", statuses[i]);
		answer_next(result);
		expect_status(batch_get(), 503);
	}
	stop();
}

Test(d1_answers, of_a_value_that_is_another_one)
{
	start();
	json_auto_t *result = json_pack("{s:s, s:[o]}", "status", "ok", "items", sound_item());
	json_t *item = json_array_get(json_object_get(result, "items"), 0);

	(void)json_object_set_new(item, "value", json_string("another"));
	answer_next(result);
	d1_expect_failure(get(), 503, "does not have its ETag");
	(void)json_object_del(item, "value");
	(void)json_object_set_new(item, "value_b64", json_string("no base64!"));
	answer_next(result);
	expect_status(get(), 503);
	stop();
}

/* A value whose bytes are in another server's store of large values. */
Test(d1_answers, of_references)
{
	start();
	json_auto_t *result = json_pack("{s:s, s:[o]}", "status", "ok", "items", sound_item());
	json_t *item = json_array_get(json_object_get(result, "items"), 0);
	json_auto_t *reference = json_pack("{s:s, s:i}", "text", "names it", "flags", 3);

	(void)json_object_del(item, "value");
	(void)json_object_set(item, "reference", reference);
	expect_needed(result, reference, " ", get, 501);
	answer_next(result);
	const struct http_answer *answer = get();
	expect_that(answer, strstr(answer->body, "--large-values"), "the option");
	stop();
}

/* A value that the front compressed. */
Test(d1_answers, of_compressed_values)
{
	start();
	json_auto_t *result = json_pack("{s:s, s:[o]}", "status", "ok", "items", sound_item());
	json_t *item = json_array_get(json_object_get(result, "items"), 0);
	json_auto_t *value =
		json_pack("{s:s, s:i}", "zstd_b64", "KLUv/SQFKQAAdmFsdWXBqU7p", "flags", 3);

	(void)json_object_set(item, "value", value);
	answer_next(result);
	expect_body(get(), SLICE("value"));
	expect_needed(result, value, " ", get, 200);
	stop();
}

static char text[2000];

static const struct http_answer *put_large(void)
{
	memset(text, 'l', sizeof(text));
	return http_put(scene.client, "/cache/ns/k",
			((struct slice){.data = text, .len = sizeof(text)}));
}

Test(d1_answers, of_a_worker_that_knows_no_references)
{
	scene_env_printf("STEADYCACHE_LARGE_VALUES=dir:%s/large", scene.data_dir);
	scene_env("STEADYCACHE_LARGE_VALUE_BYTES=1000");
	start();
	learn_settings();
	cr_assert(await_condition(!strstr(http_get(scene.client, "/metrics")->body,
					  "steadycache_large_sweeps_total 0"),
				  10000));
	mock_next(upstream, 1,
		  (struct mock_reply){
			  .behaviour = MOCK_ANSWER,
			  .status = 400,
			  .headers = "Content-Type: application/json\r\n",
			  .body = "{\"error\":\"\\\"ops[0].items[0].value\\\" is missing; it must "
				  "be a string\"}",
		  });
	d1_expect_failure(put_large(), 413, "deploy the Worker of this version");
	stop();
}

Test(d1_answers, of_sets)
{
	start();
	learn_settings();
	json_auto_t *result =
		json_pack("{s:s, s:[{s:s, s:b, s:i, s:i}]}", "status", "ok", "items", "status",
			  "ok", "created", 0, "modified_us", 5, "expires_us", 0);
	expect_needed(result, json_array_get(json_object_get(result, "items"), 0), " ", put, 204);
	stop();
}

static json_t *sound_entry(const char *key)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i}", "key", key, "etag", value_etag,
			 "size", 5, "frequency", 1, "last_access_us", 5, "created_us", 5,
			 "expires_us", 0);
}

Test(d1_answers, of_listings)
{
	start();
	json_auto_t *result = json_pack("{s:s, s:[o, o], s:b}", "status", "ok", "entries",
					sound_entry("a"), sound_entry("b"), "complete", 1);
	json_t *entries = json_object_get(result, "entries");

	expect_needed(result, result, " ", list, 200);
	expect_needed(result, json_array_get(entries, 1), " ", list, 200);
	(void)json_object_set_new(json_array_get(entries, 1), "key", json_string("a"));
	answer_next(result);
	d1_expect_failure(list(), 503, "not in order");
	/* Neither an entry nor the end: the server would ask for ever. */
	(void)json_array_clear(entries);
	(void)json_object_set_new(result, "complete", json_false());
	answer_next(result);
	expect_status(list(), 503);
	stop();
}

Test(d1_answers, of_statistics)
{
	start();
	expect_status(put(), 201);
	json_auto_t *one =
		json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:i}", "ns", "ns",
			  "entry_count", 3, "total_size", 10, "used_bytes", 500, "avg_frequency", 1,
			  "max_frequency", 1, "max_size_bytes", 1000, "capacity", -1,
			  "default_ttl_s", 0, "policy", "lru", "stale_ttl_s", 0);
	json_auto_t *result = json_pack("{s:s, s:[O]}", "status", "ok", "namespaces", one);

	expect_needed(result, result, " ", stats, 200);
	expect_needed(result, one, " used_bytes stale_ttl_s ", stats, 200);
	expect_needed(result, one, " used_bytes stale_ttl_s ", all_stats, 200);
	/* Bytes instead of a name. */
	(void)json_object_del(one, "ns");
	(void)json_object_set_new(one, "ns_b64", json_string("bnM="));
	answer_next(result);
	expect_status(all_stats(), 503);
	(void)json_array_clear(json_object_get(result, "namespaces"));
	answer_next(result);
	expect_status(stats(), 503);
	stop();
}

/* What counts against the limit, also if an earlier version counts only sizes. */
Test(d1_answers, of_used_bytes)
{
	start();
	json_auto_t *one = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s}", "ns",
				     "ns", "entry_count", 3, "total_size", 10, "used_bytes", 500,
				     "avg_frequency", 1, "max_frequency", 1, "max_size_bytes", 1000,
				     "capacity", -1, "default_ttl_s", 0, "policy", "lru");
	json_auto_t *result = json_pack("{s:s, s:[O]}", "status", "ok", "namespaces", one);

	answer_next(result);
	expect_that(stats(), strstr(answer_->body, "\"used_bytes\":500"), "expected 500");
	(void)json_object_del(one, "used_bytes");
	answer_next(result);
	expect_that(stats(), strstr(answer_->body, "\"used_bytes\":10,"), "expected total_size");
	stop();
}

/* A page of many bytes is not filled up to its number of keys. */
Test(d1_answers, of_listings_with_long_keys)
{
	start();
	char *key = calloc(1, 600001);
	memset(key, 'k', 600000);
	json_auto_t *result = json_pack("{s:s, s:[o, o], s:b}", "status", "ok", "entries",
					sound_entry(key), sound_entry("l"), "complete", 0);
	json_t *entries = json_object_get(result, "entries");
	key[0] = 'l';
	(void)json_object_set_new(json_array_get(entries, 1), "key", json_string(key));
	answer_next(result);
	const struct http_answer *answer = list();
	expect_status(answer, 200);
	expect_that(answer, strstr(answer->body, "\"complete\":false"), "expected more");
	expect_that(answer, mock_requests(upstream) == 1, "expected one request");
	free(key);
	stop();
}
