/* In front of Workers from before what this server can do: each is found out by its answer, and the
 * client gets a sentence. */
#include <stdio.h>
#include <string.h>

#include "base/etag.h"
#include "tests/process/d1_scene.h"

D1_SUITE(d1_older);

/* The mock answers as a Worker that does not know the settings: with "ok", and nothing more. */
Test(d1_older, settings_that_it_does_not_know)
{
	static const char *const settings[][2] = {
		{"{\"stale_ttl\":5}", "knows no stale_ttl"},
		{"{\"max_idle\":5}", "knows no max_idle"},
		{"{\"default_ttl\":5,\"compression\":\"zstd\"}", "knows no compression"},
		{"{\"put_status\":200}", "knows no put_status"},
	};

	d1_scene_start();
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"default_ttl\":5}"), 204);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		d1_expect_failure(http_put_json(scene.client, "/cache/ns", settings[i][0]), 501,
				  settings[i][1]);
	expect_status(scene_get("k"), 404);
	scene_stop();
}

static void refuse_next(const char *error)
{
	mock_next(upstream, 1,
		  (struct mock_reply){.behaviour = MOCK_ANSWER,
				      .status = 400,
				      .headers = "Content-Type: application/json\r\n",
				      .body = error});
}

Test(d1_older, operations_that_it_does_not_know)
{
	static const char unknown[] =
		"{\"error\":\"\\\"ops[0].op\\\" is none of the protocol's operations\"}";

	d1_scene_start();
	expect_status(scene_put("k", "value"), 201);
	refuse_next(unknown);
	d1_expect_failure(http_request(scene.client, "PATCH", "/cache/ns/k?ttl=5", NO_BODY,
				       HTTP_HEADERS(NULL)),
			  501, "does not know the operation; deploy the Worker of this version");
	refuse_next(unknown);
	d1_expect_failure(http_delete(scene.client, "/cache/ns?drop"), 501, "deploy the Worker");
	/* Nothing was cleared instead. */
	expect_body(scene_get("k"), SLICE("value"));
	scene_stop();
}

/* One that another server compressed, with a Worker that decodes nothing for servers. */
Test(d1_older, compressed_bytes_are_not_shown_as_the_value)
{
	static char body[400];
	struct etag etag = etag_of(SLICE("value"));
	char text[ETAG_TEXT_LEN + 1];

	etag_format(&etag, text);
	(void)snprintf(body, sizeof(body),
		       "{\"results\":[{\"status\":\"ok\",\"items\":[{\"status\":\"ok\",\"value\":{"
		       "\"zstd_b64\":\"KLUv/SQFKQAAdmFsdWXBqU7p\",\"flags\":1},\"content_type\":"
		       "\"text/plain\",\"etag\":\"\\\"%.32s\\\"\",\"modified_us\":5,"
		       "\"expires_us\":0}]}]}",
		       text + 1);
	d1_scene_start();
	mock_next(upstream, 1,
		  (struct mock_reply){.behaviour = MOCK_ANSWER,
				      .status = 200,
				      .headers = "Content-Type: application/json\r\n",
				      .body = body});
	expect_body(scene_get("k"), SLICE("value"));
	scene_stop();
}
