/* Large values in a directory (--large-values) over HTTP: what the routes besides /cache say of
 * them, and a disk that is full. How they come and go, cut off, too long, refused: test_bodies. */
#include "tests/process/small_disk.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

PROCESS_SUITE(large_http);

#define MB ((size_t)1 << 20)

static char *bytes;

static struct slice value(size_t len)
{
	if (!bytes) {
		bytes = malloc(4 * MB);
		for (size_t i = 0; i < 4 * MB; i++)
			bytes[i] = (char)('a' + i % 23);
	}
	return (struct slice){.data = bytes, .len = len};
}

static void start(void)
{
	scene_env_printf("STEADYCACHE_LARGE_VALUES=dir:%s/large", scene.data_dir);
	scene_env("STEADYCACHE_MAX_BODY_MB=2");
	scene_start();
}

static void expect_error(const struct http_answer *answer, long status, const char *text)
{
	expect_status(answer, status);
	expect_that(answer, strstr(answer->body, text), "expected \"%s\"", text);
}

Test(large_http, routes_of_json_give_them_whole_or_say_why_not)
{
	start();
	expect_status(http_put(scene.client, "/cache/ns/fits", value(MB + MB / 2)), 201);
	expect_status(http_put(scene.client, "/cache/ns/large", value(4 * MB)), 201);
	expect_status(scene_put("small", "v"), 201);
	const struct http_answer *answer = http_post_json(
		scene.client, "/api/get", "{\"cache_name\":\"ns\",\"key\":\"fits\"}");
	expect_status(answer, 200);
	cr_expect_gt(answer->len, MB + MB / 2);
	expect_error(http_post_json(scene.client, "/api/get",
				    "{\"cache_name\":\"ns\",\"key\":\"large\"}"),
		     413, "/cache/{namespace}/{key}");
	answer = http_post_json(scene.client, "/batch/ns/get", "{\"keys\":[\"fits\",\"small\"]}");
	expect_status(answer, 200);
	cr_expect_gt(answer->len, MB + MB / 2);
	expect_status(http_post_json(scene.client, "/batch/ns/get", "{\"keys\":[\"large\"]}"), 413);
	/* A listing and the statistics count the bytes of values, wherever they are. */
	answer = http_get(scene.client, "/cache/ns");
	expect_that(answer, strstr(answer->body, "\"size\":4194304"), "expected the length");
	cr_expect_gt(scene_stat("used_bytes"), 5.5 * (double)MB);
	expect_body(http_get(scene.client, "/cache/ns/large"), value(4 * MB));
	scene_stop();
}

/* An export always imports; a server that has no room for such values says of which lines. */
Test(large_http, exports_are_imported_or_reported)
{
	struct server_process other = {.environment = {"STEADYCACHE_MAX_BODY_MB=1"}};
	struct temp_dir dir;

	start();
	expect_status(http_put(scene.client, "/cache/ns/large", value(4 * MB)), 201);
	expect_status(scene_put("small", "v"), 201);
	const struct http_answer *export = http_get(scene.client, "/export");
	expect_status(export, 200);
	expect_that(export, strstr(export->body, "{\"complete\":true,\"entries\":2}"),
		    "expected it complete");
	const struct http_answer *report =
		http_post(scene.client, "/import?namespace=copy", http_body(export));
	expect_that(report, strstr(report->body, "\"imported\":2,\"failed\":0"), "expected both");
	expect_body(http_get(scene.client, "/cache/copy/large"), value(4 * MB));
	temp_dir_create(&dir);
	other.data_dir = dir.path;
	server_start(&other);
	struct http_client *client = http_client_open(other.url, NULL);
	report = http_post(client, "/import", http_body(export));
	expect_status(report, 200);
	expect_that(report, strstr(report->body, "\"imported\":1,\"failed\":1"), "expected one");
	expect_that(report, strstr(report->body, "STEADYCACHE_MAX_BODY_MB"), "expected the option");
	http_client_close(client);
	cr_expect(server_stop(&other));
	server_dispose(&other);
	temp_dir_destroy(&dir);
	scene_stop();
}

/* Each value that is sent takes open files, too: slow readers must not keep others from an answer.
 */
Test(large_http, few_descriptors_and_many_slow_readers)
{
	enum { READERS = 64, LEN = 24 * MB };
	static struct raw_socket readers[READERS];
	char path[TEMP_PATH_SIZE];
	char *long_value = calloc(1, LEN);
	FILE *script = fopen(temp_dir_path(&scene.dir, "few-files", path), "w");

	cr_assert(script && long_value);
	(void)fprintf(script, "#!/bin/sh\nulimit -n 160\nexec '%s' \"$@\"\n",
		      getenv("STEADYCACHE_TEST_BINARY") ? getenv("STEADYCACHE_TEST_BINARY")
							: STEADYCACHE_BINARY);
	(void)fclose(script);
	cr_assert_eq(chmod(path, 0700), 0);
	(void)setenv("STEADYCACHE_TEST_BINARY", path, 1);
	start();
	expect_status(http_put(scene.client, "/cache/ns/long",
			       ((struct slice){.data = long_value, .len = LEN})),
		      201);
	free(long_value);
	for (size_t i = 0; i < READERS; i++) {
		cr_assert(raw_open(&readers[i], scene.server.url));
		(void)raw_send_text(&readers[i],
				    "GET /cache/ns/long HTTP/1.1\r\nHost: localhost\r\n\r\n");
		/* 200, or 503: there is no room. */
		cr_assert(raw_await(&readers[i], "\r\n\r\n", 10000), "no answer for reader %zu", i);
	}
	for (size_t i = 0; i < READERS; i++)
		raw_close(&readers[i]);
	cr_expect(await_condition(http_get(scene.client, "/healthz")->status == 200, 10000),
		  "the server does not recover");
	scene_stop();
}

#define SENDERS 50

static const char *upload_twice(size_t index, void *user)
{
	struct http_client *client = http_client_open(scene.server.url, NULL);
	const char *problem = NULL;

	(void)user;
	for (size_t i = 0; i < 2 && !problem; i++) {
		char target[64];

		(void)snprintf(target, sizeof(target), "/cache/ns/%zu-%zu", index, i);
		long status =
			http_put(client, target, ((struct slice){bytes, 3 * MB + 100 * index + i}))
				->status;
		if (status != 201 && status != 507)
			problem = "an upload was answered with neither 201 nor 507";
	}
	http_client_close(client);
	return problem;
}

static size_t files_in(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	if (!folder)
		return 0;
	while ((entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.') {
			char inner[2 * TEMP_PATH_SIZE];

			(void)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
			count += entry->d_type == DT_DIR ? files_in(inner) : 1;
		}
	(void)closedir(folder);
	return count;
}

/* 100 values of 3 MB, half of them at a time, on a disk of 6. */
Test(large_http, a_full_disk_refuses_and_recovers)
{
	char spool[TEMP_PATH_SIZE + 32];

	mount_small_disk();
	(void)value(4 * MB);
	scene_env("STEADYCACHE_LARGE_GRACE=0.05");
	start();
	const char *problem = in_threads(SENDERS, upload_twice, NULL);
	cr_assert(!problem, "%s", problem);
	(void)snprintf(spool, sizeof(spool), "%s/large/spool", scene.data_dir);
	cr_expect(await_condition(files_in(spool) == 1, 10000),
		  "%zu files are left, and not the lock alone", files_in(spool));
	expect_status(http_get(scene.client, "/healthz"), 200);
	expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
	/* What nobody names any more makes room, once it is older than the grace. */
	cr_expect(await_condition(
		http_put(scene.client, "/cache/ns/k", value(3 * MB))->status == 201, 20000));
	expect_body(http_get(scene.client, "/cache/ns/k"), value(3 * MB));
	scene_stop();
}
