/* --large-values=dir:... on a real server: what a user sees. */
#include "tests/process/scene.h"
#include "tests/process/small_disk.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

PROCESS_SUITE(large_values);

static char store[TEMP_PATH_SIZE];

/* Values from 1000 bytes on are large. */
static void set_up(void)
{
	(void)temp_dir_path(&scene.dir, "large", store);
	scene_env_printf("STEADYCACHE_LARGE_VALUES=dir:%s", store);
	scene_env("STEADYCACHE_LARGE_VALUE_BYTES=1000");
	scene_env("STEADYCACHE_LARGE_GRACE=0.05");
	scene_env("STEADYCACHE_LARGE_SWEEP=0.1");
}

static struct slice text_of(char c, size_t len)
{
	static char text[3 << 20];

	memset(text, c, len);
	return (struct slice){.data = text, .len = len};
}

/* Calls `visit` for the path of each object; returns how many there are. */
static size_t visit_objects(void (*visit)(const char *path))
{
	size_t count = 0;

	for (unsigned fan = 0; fan < 256; fan++) {
		char path[TEMP_PATH_SIZE + 32], object[2 * TEMP_PATH_SIZE];
		DIR *folder;

		(void)snprintf(path, sizeof(path), "%s/objects/%02x", store, fan);
		folder = opendir(path);
		for (struct dirent *entry; folder && (entry = readdir(folder));) {
			if (entry->d_name[0] == '.')
				continue;
			count++;
			(void)snprintf(object, sizeof(object), "%s/%s", path, entry->d_name);
			if (visit)
				visit(object);
		}
		if (folder)
			(void)closedir(folder);
	}
	return count;
}

static void remove_object(const char *path)
{
	cr_assert_eq(unlink(path), 0);
}

static void shorten_object(const char *path)
{
	cr_assert_eq(truncate(path, 999), 0);
}

Test(large_values, are_entries_like_others)
{
	set_up();
	scene_start();
	const struct http_answer *put =
		http_put(scene.client, "/cache/ns/k", text_of('a', 2000000), "Content-Type: a/b");
	expect_status(put, 201);
	cr_assert_eq(visit_objects(NULL), 1);
	const struct http_answer *got = http_get(scene.client, "/cache/ns/k");
	expect_status(got, 200);
	expect_body(got, text_of('a', 2000000));
	expect_header(got, "Content-Type", "a/b");
	expect_header(got, "ETag", http_header(put, "ETag"));
	expect_status(http_get(scene.client, "/cache/ns/k", "Range: bytes=1999998-"), 206);
	expect_status(http_put(scene.client, "/cache/ns/k", text_of('b', 5000), "If-None-Match: *"),
		      412);
	expect_body(http_get(scene.client, "/cache/ns/k"), text_of('a', 2000000));
	cr_assert_eq(scene_stat("total_size"), 2000000);
	/* The other interfaces have the bytes, too. */
	expect_status(http_post_json(scene.client, "/api/set",
				     "{\"cache_name\":\"ns\",\"key\":\"s\",\"value\":\"small\"}"),
		      200);
	expect_status(http_put(scene.client, "/cache/ns/l", text_of('c', 1500)), 201);
	got = http_post_json(scene.client, "/api/get", "{\"cache_name\":\"ns\",\"key\":\"l\"}");
	expect_status(got, 200);
	expect_that(got, strstr(got->body, "cccccccc"), "the bytes");
	got = http_post_json(scene.client, "/batch/ns/get", "{\"keys\":[\"s\",\"l\"]}");
	expect_that(got, strstr(got->body, "cccccccc") && strstr(got->body, "small"), "both");
	got = http_get(scene.client, "/export");
	expect_that(got, strstr(got->body, "cccccccc"), "the bytes");
	scene_expect_true_totals(scene.client);
	scene_stop();
}

Test(large_values, of_entries_that_are_gone_are_removed)
{
	set_up();
	scene_start();
	for (char c = 'a'; c < 'f'; c++)
		expect_status(http_put(scene.client, "/cache/ns/k", text_of(c, 1000)),
			      c == 'a' ? 201 : 204);
	expect_status(http_put(scene.client, "/cache/other/k", text_of('a', 1000)), 201);
	expect_status(http_put(scene.client, "/cache/third/k", text_of('z', 1000)), 201);
	cr_assert(await_condition(visit_objects(NULL) == 3, 10000));
	expect_status(http_delete(scene.client, "/cache/third?all"), 204);
	cr_assert(await_condition(visit_objects(NULL) == 2, 10000));
	expect_status(http_delete(scene.client, "/cache/other/k"), 204);
	cr_assert(await_condition(visit_objects(NULL) == 1, 10000));
	/* The same bytes again. */
	expect_status(http_put(scene.client, "/cache/other/k", text_of('a', 1000)), 201);
	expect_body(http_get(scene.client, "/cache/other/k"), text_of('a', 1000));
	expect_body(http_get(scene.client, "/cache/ns/k"), text_of('e', 1000));
	scene_stop();
}

Test(large_values, of_stale_entries_stay)
{
	set_up();
	scene_start();
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"stale_ttl\":100}"), 204);
	expect_status(http_put(scene.client, "/cache/ns/k?ttl=1", text_of('a', 1000)), 201);
	expect_status(http_put(scene.client, "/cache/ns/l", text_of('b', 1000)), 201);
	cr_assert(await_condition(
		strstr(http_header(http_get(scene.client, "/cache/ns/k"), "Cache-Status"), "stale"),
		10000));
	cr_assert(await_condition(
		strstr(http_get(scene.client, "/metrics")->body, "\nsteadycache_large_unnamed 1\n"),
		10000));
	expect_body(http_get(scene.client, "/cache/ns/k"), text_of('a', 1000));
	scene_stop();
}

Test(large_values, that_are_missing_are_an_error_until_written_again)
{
	set_up();
	scene_start();
	for (int round = 0; round < 2; round++) {
		expect_status(http_put(scene.client, "/cache/ns/k", text_of('a', 1000)),
			      round ? 204 : 201);
		cr_assert_eq(visit_objects(round ? remove_object : shorten_object), 1);
		const struct http_answer *got = http_get(scene.client, "/cache/ns/k");
		expect_status(got, 500);
		expect_that(got, strstr(got->body, "write the entry again"), "what to do");
		expect_status(http_post_json(scene.client, "/api/get",
					     "{\"cache_name\":\"ns\",\"key\":\"k\"}"),
			      500);
		expect_status(http_put(scene.client, "/cache/ns/k", text_of('a', 1000)), 204);
		expect_body(http_get(scene.client, "/cache/ns/k"), text_of('a', 1000));
	}
	scene_stop();
}

Test(large_values, are_no_values_without_their_store)
{
	set_up();
	scene_start();
	expect_status(http_put(scene.client, "/cache/ns/k", text_of('a', 1000)), 201);
	scene_stop();
	memset(scene.server.environment, 0, sizeof(scene.server.environment));
	scene_start();
	const struct http_answer *answers[] = {
		http_get(scene.client, "/cache/ns/k"),
		http_head(scene.client, "/cache/ns/k"),
		http_post_json(scene.client, "/api/get", "{\"cache_name\":\"ns\",\"key\":\"k\"}"),
		http_post_json(scene.client, "/batch/ns/get", "{\"keys\":[\"k\"]}"),
	};
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		expect_status(answers[i], 501);
		expect_that(answers[i], i == 1 || strstr(answers[i]->body, "--large-values"),
			    "why");
	}
	const struct http_answer *whole = http_get(scene.client, "/export");
	expect_that(whole, whole->status != 200 || !strstr(whole->body, " 1000"), "no reference");
	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("small")), 204);
	expect_body(http_get(scene.client, "/cache/ns/k"), SLICE("small"));
	scene_stop();
}

Test(large_values, of_another_backend_are_not_touched)
{
	set_up();
	scene_start();
	expect_status(http_put(scene.client, "/cache/ns/k", text_of('a', 1000)), 201);
	scene_stop();
	scene_env("STEADYCACHE_BACKEND=memory");
	server_spawn(&scene.server);
	struct server_exit end = server_await_exit(&scene.server, 10000);
	cr_assert_eq(end.code, 1);
	cr_assert(strstr(end.log, "has the large values of the backend"), "%s", end.log);
	free(end.log);
	cr_assert_eq(visit_objects(NULL), 1);
}

Test(large_values, that_do_not_fit_are_refused_until_there_is_room)
{
	mount_small_disk();
	(void)snprintf(store, sizeof(store), "%.400s/large", scene.data_dir);
	scene_env_printf("STEADYCACHE_LARGE_VALUES=dir:%s", store);
	scene_env("STEADYCACHE_LARGE_GRACE=0.01");
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	expect_status(http_put(scene.client, "/cache/ns/a", text_of('a', 1500000)), 201);
	expect_status(http_put(scene.client, "/cache/ns/b", text_of('b', 1500000)), 201);
	expect_status(http_put(scene.client, "/cache/ns/b", text_of('c', 1500000)), 204);
	nap_ms(30); /* the grace */
	/* There is room once the replaced value is removed, which is looked for at once. */
	expect_status(http_put(scene.client, "/cache/ns/d", text_of('d', 2500000)), 201);
	expect_status(http_put(scene.client, "/cache/ns/e", text_of('e', 2500000)), 507);
	expect_body(http_get(scene.client, "/cache/ns/a"), text_of('a', 1500000));
	expect_body(http_get(scene.client, "/cache/ns/b"), text_of('c', 1500000));
	expect_body(http_get(scene.client, "/cache/ns/d"), text_of('d', 2500000));
	expect_status(http_get(scene.client, "/cache/ns/e"), 404);
	expect_status(http_delete(scene.client, "/cache/ns/d"), 204);
	cr_assert(await_condition(
		http_put(scene.client, "/cache/ns/e", text_of('e', 2500000))->status == 201,
		20000));
	scene_stop();
}
