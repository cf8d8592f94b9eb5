#include "tests/process/d1_scene.h"

#include <string.h>

struct mock_upstream *upstream;

void d1_scene_open(void)
{
	scene_open();
	upstream = mock_open();
	mock_set_key(upstream, D1_TOKEN);
}

void d1_scene_close(void)
{
	scene_close();
	mock_close(upstream);
	upstream = NULL;
}

void d1_scene_start(void)
{
	scene_env("STEADYCACHE_BACKEND=d1");
	scene_env("STEADYTEXT_D1_API_KEY=" D1_TOKEN);
	scene_env_printf("STEADYTEXT_D1_API_URL=%s/", mock_url(upstream));
	scene_start();
}

double d1_gauge(const char *name)
{
	const struct http_answer *answer = http_get(scene.client, "/stats");
	json_auto_t *document = http_json(answer);
	const json_t *number = json_object_get(json_object_get(document, "upstream"), name);

	expect_status(answer, 200);
	expect_that(answer, json_is_number(number), "expected a number upstream.%s", name);
	return json_number_value(number);
}

void d1_send_get(struct raw_socket *socket)
{
	unsigned before = mock_requests(upstream);

	cr_assert(raw_open(socket, scene.server.url));
	cr_assert(raw_send_text(socket, "GET /cache/ns/k HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
	cr_assert(await_condition(mock_requests(upstream) > before, 5000));
}

void d1_await_recovery(long status)
{
	cr_assert(await_condition(scene_get("k")->status == status, 5000),
		  "it did not recover within seconds");
}

void d1_expect_failure(const struct http_answer *answer, long status, const char *words)
{
	json_auto_t *document = http_json(answer);
	const char *sentence = json_string_value(json_object_get(document, "error"));

	expect_status(answer, status);
	expect_that(answer, sentence && strstr(sentence, words), "expected words: %s", words);
	if (status == 503)
		expect_that(answer, http_header(answer, "Retry-After"), "expected Retry-After");
}
