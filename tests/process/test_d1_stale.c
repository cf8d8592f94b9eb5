/* Stale serving in front of Workers from before it. */
#include "tests/process/d1_scene.h"

D1_SUITE(d1_stale);

/* The mock answers as a Worker that does not know the setting: with "ok", and nothing more. */
Test(d1_stale, a_worker_that_does_not_know_it_is_found_out)
{
	const struct http_answer *answer;

	d1_scene_start();
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"default_ttl\":5}"), 204);
	answer = http_put_json(scene.client, "/cache/ns", "{\"stale_ttl\":5}");
	expect_status(answer, 501);
	d1_expect_failure(answer, 501, "knows no stale_ttl");
	expect_status(scene_get("k"), 404);
	scene_stop();
}
