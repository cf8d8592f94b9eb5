#include "tests/process/scene.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scene scene;
static char *kept_settings[SERVER_SETTINGS_MAX];

void scene_open(void)
{
	scene = (struct scene){0};
	temp_dir_create(&scene.dir);
	(void)temp_dir_path(&scene.dir, "data", scene.data_dir);
	scene.server.data_dir = scene.data_dir;
	if (getenv("STEADYCACHE_TEST_BACKEND"))
		scene_env_printf("STEADYCACHE_BACKEND=%s", getenv("STEADYCACHE_TEST_BACKEND"));
}

void scene_close(void)
{
	http_client_close(scene.client);
	server_dispose(&scene.server);
	temp_dir_destroy(&scene.dir);
	for (size_t i = 0; i < SERVER_SETTINGS_MAX; i++)
		free(kept_settings[i]);
}

static void add_setting(const char **settings, const char *setting)
{
	size_t i = 0;

	while (settings[i])
		i++;
	cr_assert_lt(i, SERVER_SETTINGS_MAX - 1, "too many settings");
	settings[i] = setting;
}

void scene_env(const char *setting)
{
	add_setting(scene.server.environment, setting);
}

void scene_flag(const char *flag)
{
	add_setting(scene.server.flags, flag);
}

void scene_env_printf(const char *format, ...)
{
	size_t i = 0;
	va_list args;

	while (kept_settings[i])
		i++;
	va_start(args, format);
	cr_assert(vasprintf(&kept_settings[i], format, args) >= 0);
	va_end(args);
	scene_env(kept_settings[i]);
}

void scene_start(void)
{
	server_start(&scene.server);
	http_client_close(scene.client);
	scene.client = http_client_open(scene.server.url, NULL);
}

char *scene_refused_start(void)
{
	server_spawn(&scene.server);
	struct server_exit end = server_await_exit(&scene.server, 20000);
	const char *newline = strchr(end.log, '\n');

	cr_assert_eq(end.code, 2, "expected exit code 2, got %d: %s", end.code, end.log);
	cr_assert(newline && newline > end.log && newline[1] == '\0',
		  "expected exactly one line: %s", end.log);
	return end.log;
}

void scene_expect_refused_start(const char *named)
{
	char *line = scene_refused_start();

	cr_expect_not_null(strstr(line, named), "expected %s: %s", named, line);
	free(line);
	memset(scene.server.environment, 0, sizeof(scene.server.environment));
}

void scene_stop(void)
{
	cr_assert(server_stop(&scene.server), "the server did not stop as it should");
}

void scene_kill(void)
{
	server_kill(&scene.server);
}

const struct http_answer *scene_put(const char *key, const char *value)
{
	char target[512];

	(void)snprintf(target, sizeof(target), "/cache/ns/%s", key);
	return http_put(scene.client, target, slice_of(value));
}

const struct http_answer *scene_get(const char *key)
{
	char target[512];

	(void)snprintf(target, sizeof(target), "/cache/ns/%s", key);
	return http_get(scene.client, target);
}

static double stat_of(struct http_client *client, const char *name)
{
	const struct http_answer *answer = http_get(client, "/stats/ns");
	json_auto_t *document = http_json(answer);
	const json_t *number = json_object_get(document, name);

	expect_status(answer, 200);
	expect_that(answer, json_is_number(number), "expected a number %s", name);
	return json_number_value(number);
}

double scene_stat(const char *name)
{
	return stat_of(scene.client, name);
}

void scene_count(struct http_client *client, size_t *ret_entries, size_t *ret_bytes)
{
	char target[8192] = "/cache/ns?limit=1000";
	bool complete = false;

	*ret_entries = 0;
	*ret_bytes = 0;
	while (!complete) {
		const struct http_answer *answer = http_get(client, target);
		json_auto_t *listing = http_json(answer);
		const char *cursor = json_string_value(json_object_get(listing, "cursor"));
		const json_t *entry;
		size_t i;

		expect_status(answer, 200);
		json_array_foreach(json_object_get(listing, "keys"), i, entry)
		{
			*ret_entries += 1;
			*ret_bytes += (size_t)json_integer_value(json_object_get(entry, "size"));
		}
		complete = json_is_true(json_object_get(listing, "complete"));
		expect_that(answer, complete || cursor, "expected a cursor");
		(void)snprintf(target, sizeof(target), "/cache/ns?limit=1000&cursor=%s",
			       cursor ? cursor : "");
	}
}

void scene_expect_true_totals(struct http_client *client)
{
	size_t entries, bytes;

	scene_count(client, &entries, &bytes);
	cr_assert_eq((size_t)stat_of(client, "entry_count"), entries,
		     "entry_count is %.0f, but there are %zu", stat_of(client, "entry_count"),
		     entries);
	cr_assert_eq((size_t)stat_of(client, "total_size"), bytes,
		     "total_size is %.0f, but it is %zu", stat_of(client, "total_size"), bytes);
}

static int take_text(void *user, int count, char **texts, char **names)
{
	char **verdict = user;

	(void)names;
	if (count > 0 && !*verdict)
		*verdict = strdup(texts[0] ? texts[0] : "NULL");
	return 0;
}

char *scene_check_database(void)
{
	char path[TEMP_PATH_SIZE + 32], *verdict = NULL;
	sqlite3 *db = NULL;

	if (getenv("STEADYCACHE_TEST_BACKEND"))
		return strdup("ok");
	(void)snprintf(path, sizeof(path), "%s/steadycache.db", scene.data_dir);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(db, 10000) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA integrity_check", take_text, &verdict, NULL) != SQLITE_OK) {
		free(verdict);
		verdict = strdup(sqlite3_errmsg(db));
	}
	(void)sqlite3_close(db);
	return verdict;
}
