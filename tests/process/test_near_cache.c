/* The near cache in front of the d1 backend: fewer requests, answers while D1 fails, no wrong
 * ones. */
#include "tests/process/d1_scene.h"

#include <string.h>

D1_SUITE(near_cache);

static void start(void)
{
	scene_env("STEADYCACHE_NEAR_MB=4");
	d1_scene_start();
}

static double near_gauge(const char *name)
{
	const struct http_answer *answer = http_get(scene.client, "/stats");
	json_auto_t *document = http_json(answer);

	return json_number_value(json_object_get(json_object_get(document, "near"), name));
}

Test(near_cache, reads_cost_one_request)
{
	start();
	expect_status(scene_put("k", "value"), 201);
	mock_forget(upstream);
	for (int i = 0; i < 50; i++) {
		const struct http_answer *answer = scene_get("k");

		expect_status(answer, 200);
		expect_body(answer, SLICE("value"));
	}
	cr_expect_eq(mock_requests(upstream), 0, "what was written is near");
	expect_status(scene_get("absent"), 404);
	expect_status(scene_get("absent"), 404);
	cr_expect_eq(mock_requests(upstream), 2, "a miss is not kept");
	cr_expect_eq(near_gauge("hits"), 50);
	scene_stop();
}

Test(near_cache, own_writes_are_seen)
{
	start();
	expect_status(scene_put("k", "1"), 201);
	expect_body(scene_get("k"), SLICE("1"));
	expect_status(scene_put("k", "2"), 204);
	expect_body(scene_get("k"), SLICE("2"));
	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("3"), "If-Match: *"), 204);
	expect_body(scene_get("k"), SLICE("3"));
	expect_status(http_delete(scene.client, "/cache/ns/k"), 204);
	expect_status(scene_get("k"), 404);
	expect_status(scene_put("k", "4"), 201);
	expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
	expect_status(scene_get("k"), 404);
	scene_stop();
}

Test(near_cache, a_get_under_way_does_not_bring_back_what_was_overwritten)
{
	struct raw_socket slow;

	start();
	expect_status(scene_put("k", "old"), 201);
	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("older"), "If-Match: *"), 204);
	/* The get is in flight, and its answer will be the old value. */
	mock_next(upstream, 1,
		  (struct mock_reply){
			  .behaviour = MOCK_ANSWER,
			  .delay_ms = 500,
			  .status = 200,
			  .body = "{\"results\":[{\"status\":\"ok\",\"items\":[{\"status\":\"ok\","
				  "\"value\":\"older\",\"content_type\":\"text/plain\","
				  "\"modified_us\":1,\"expires_us\":0}]}]}"});
	d1_send_get(&slow);
	expect_status(scene_put("k", "new"), 204);
	cr_expect_eq(raw_await_answer(&slow, 5000), 200);
	raw_close(&slow);
	expect_body(scene_get("k"), SLICE("new"));
	scene_stop();
}

Test(near_cache, its_time_ends)
{
	scene_env("STEADYCACHE_NEAR_TTL=2");
	start();
	expect_status(scene_put("k", "value"), 201);
	nap_ms(2100);
	mock_forget(upstream);
	expect_status(scene_get("k"), 200);
	expect_status(scene_get("k"), 200);
	cr_expect_eq(mock_requests(upstream), 1);
	scene_stop();
}

Test(near_cache, stands_in_for_a_failing_upstream)
{
	scene_env("STEADYCACHE_NEAR_TTL=0.1");
	scene_env("STEADYCACHE_NEAR_STALE=5");
	start();
	expect_status(scene_put("k", "value"), 201);
	expect_status(scene_put("l", "value"), 201);
	nap_ms(200);
	mock_go_down(upstream);
	const struct http_answer *answer = scene_get("k");
	expect_status(answer, 200);
	expect_body(answer, SLICE("value"));
	expect_status(http_head(scene.client, "/cache/ns/k"), 200);
	expect_body(http_post_json(scene.client, "/batch/ns/exists", "{\"keys\":[\"k\",\"l\"]}"),
		    SLICE("{\"results\":{\"k\":{\"exists\":true},\"l\":{\"exists\":true}}}"));
	expect_status(http_post_json(scene.client, "/batch/ns/get", "{\"keys\":[\"k\",\"l\"]}"),
		      200);
	/* An entry that is not near is not a miss. */
	d1_expect_failure(scene_get("m"), 503, "cannot be reached");
	d1_expect_failure(http_post_json(scene.client, "/batch/ns/get", "{\"keys\":[\"k\",\"m\"]}"),
			  503, "cannot be reached");
	/* A failed write may have been done: the former entry cannot be trusted. */
	d1_expect_failure(scene_put("l", "x"), 503, "cannot be reached");
	d1_expect_failure(scene_get("l"), 503, "cannot be reached");
	nap_ms(5200);
	d1_expect_failure(scene_get("k"), 503, "cannot be reached");
	mock_come_back(upstream);
	d1_await_recovery(200);
	cr_expect_geq(near_gauge("stale"), 4);
	scene_stop();
}

Test(near_cache, its_memory_is_limited)
{
	char key[32];
	static char value[100001];

	memset(value, 'v', 100000);
	start();
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_status(scene_put(key, value), 201);
	}
	cr_expect_leq(near_gauge("bytes"), 4 * 1048576);
	cr_expect_geq(near_gauge("evictions"), 50);
	scene_stop();
}
