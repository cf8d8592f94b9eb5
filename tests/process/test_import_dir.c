/* A server that takes SteadyText's caches at its start: once, whatever interrupts it. */
#include "tests/process/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/faults.h"
#include "tests/support/steadytext_files.h"

static char import_dir[TEMP_PATH_SIZE];

static void open_scene(void)
{
	scene_open();
	(void)temp_dir_path(&scene.dir, "caches", import_dir);
	cr_assert_eq(mkdir(import_dir, 0700), 0);
	scene_env_printf("STEADYCACHE_IMPORT_DIR=%s", import_dir);
}

TestSuite(import_dir, .init = open_scene, .fini = scene_close, .timeout = 180);

static const char *path_of(const char *name)
{
	static char path[TEMP_PATH_SIZE * 2];

	(void)snprintf(path, sizeof(path), "%s/%s", import_dir, name);
	return path;
}

static bool is_there(const char *name)
{
	return file_size(path_of(name)) >= 0;
}

/* The pickle of a text of `len` bytes that begins with the number. */
static struct slice pickle_of(size_t number, size_t len, struct buffer *ret)
{
	char text[2000];

	memset(text, 't', sizeof(text));
	(void)snprintf(text, sizeof(text), "%zu", number);
	ret->len = 0;
	pickle_text(ret, (struct slice){text, len});
	return buffer_bytes(ret);
}

/* Entries "k0", "k1", ... of `len` bytes. */
static void make_db(const char *name, size_t count, size_t len)
{
	struct sqlite3 *db = steadytext_db_make(path_of(name));
	struct buffer pickle = {0};
	char key[32];

	steadytext_db_run(db, "BEGIN");
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		steadytext_db_add(db, steadytext_column((const char *const[]){key}, 1),
				  pickle_of(i, len, &pickle), 1, cache_clock_now_us(&system_clock));
	}
	steadytext_db_run(db, "COMMIT");
	steadytext_db_end(db);
	buffer_deinit(&pickle);
}

static void make_pkl(const char *name, size_t count, size_t len)
{
	struct pkl pkl = {0};
	char key[32], text[2000];

	memset(text, 't', sizeof(text));
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		(void)snprintf(text, sizeof(text), "%zu", i);
		pkl_add(&pkl, slice_of(key), (struct slice){text, len}, 1, (int64_t)i);
	}
	pkl_write(&pkl, (int64_t)count, path_of(name));
}

/* As SteadyText's client asks. */
static void expect_found(const char *ns, size_t number, size_t len)
{
	struct buffer pickle = {0};
	char question[100], *answer = NULL;

	(void)snprintf(question, sizeof(question), "{\"cache_name\":\"%s\",\"key\":\"k%zu\"}", ns,
		       number);
	struct slice value = base64_of(pickle_of(number, len, &pickle));
	cr_assert(asprintf(&answer, "{\"found\":true,\"value\":\"%.*s\"}", (int)value.len,
			   value.data) > 0);
	expect_body(http_post_json(scene.client, "/api/get", question), slice_of(answer));
	free(answer);
	buffer_deinit(&pickle);
}

static double count_of(const char *ns)
{
	char target[100];

	(void)snprintf(target, sizeof(target), "/stats/%s", ns);
	json_t *json = http_json(http_get(scene.client, target));
	double count = json_number_value(json_object_get(json, "entry_count"));
	json_decref(json);
	return count;
}

static void expect_logged(const char *what)
{
	char *log = server_log(&scene.server);

	cr_expect(strstr(log, what), "no \"%s\" in: %s", what, log);
	free(log);
}

Test(import_dir, is_taken_at_the_start_and_once)
{
	struct sqlite3 *steadytext;

	make_db("generation_cache.db", 500, 100);
	make_pkl("older.pkl", 3, 100);
	make_pkl("kept.pkl", 3, 100);
	steadytext = steadytext_db_make(path_of("generation_cache.db"));
	scene_start();
	expect_found("generation_cache", 499, 100);
	expect_found("older", 2, 100);
	expect_logged("generation_cache.db: 500 entries taken");
	cr_expect(!is_there("older.pkl"));
	/* What SteadyText goes on to write stays its own, and what was deleted does not return. */
	steadytext_db_run(steadytext, "UPDATE cache SET frequency = frequency + 1");
	expect_status(http_delete(scene.client, "/cache/generation_cache/k7"), 204);
	scene_stop();
	scene_start();
	expect_logged("generation_cache.db: was imported before");
	cr_expect_eq(count_of("generation_cache"), 499);
	scene_stop();
	steadytext_db_end(steadytext);
}

Test(import_dir, pkl_files_stay_on_request)
{
	make_pkl("older.pkl", 3, 100);
	scene_flag("--import-keep");
	scene_start();
	expect_found("older", 2, 100);
	cr_expect(is_there("older.pkl"));
	scene_stop();
}

Test(import_dir, faults_do_not_keep_the_server_from_serving)
{
	file_write(path_of("a.db"), SLICE("garbage"));
	file_write(path_of("b.pkl"), SLICE("\x80\x04}("));
	make_db("c.db", 3, 100);
	scene_start();
	expect_logged("a.db: is no SQLite database");
	expect_logged("b.pkl: is no sound pickle: at byte ");
	expect_logged("import not complete");
	expect_found("c", 2, 100);
	scene_stop();
	cr_assert_eq(rename(import_dir, path_of("../elsewhere")), 0);
	scene_start();
	expect_logged("cannot be opened");
	scene_stop();
}

/* ---- Interrupted ---- */

#define MANY     8000
#define MANY_LEN 1000

static void start_with_many(void)
{
	make_pkl("many.pkl", MANY, MANY_LEN);
	scene_env("STEADYCACHE_DURABILITY=full");
	server_spawn(&scene.server);
	char wal[TEMP_PATH_SIZE * 2];
	(void)snprintf(wal, sizeof(wal), "%s/steadycache.db-wal", scene.data_dir);
	cr_assert(await_condition(file_size(wal) > 2 << 20, 30000));
}

static void expect_many_completed(void)
{
	cr_expect(is_there("many.pkl"), "it came too late");
	scene_start();
	cr_expect(!is_there("many.pkl"));
	cr_expect_eq(server_log_count(&scene.server, "many.pkl: 0 entries taken"), 0);
	cr_expect_eq(server_log_count(&scene.server, " 0 were there already"), 0);
	cr_expect_eq(count_of("many"), MANY);
	for (size_t i = 0; i < MANY; i += 997)
		expect_found("many", i, MANY_LEN);
	scene_stop();
}

Test(import_dir, what_a_kill_interrupts_the_next_start_completes)
{
	start_with_many();
	server_kill(&scene.server);
	expect_many_completed();
}

Test(import_dir, ends_early_if_the_server_shall_end)
{
	start_with_many();
	cr_assert_eq(kill(scene.server.pid, SIGTERM), 0);
	struct server_exit end = server_await_exit(&scene.server, 10000);
	cr_expect_eq(end.code, 0, "%s", end.log);
	cr_expect(strstr(end.log, "many.pkl: ended after "), "%s", end.log);
	cr_expect(!strstr(end.log, "listening"), "%s", end.log);
	free(end.log);
	expect_many_completed();
}

/* Whichever write is the first to fail. */
Test(import_dir, a_full_disk_keeps_the_pkl)
{
	char path[TEMP_PATH_SIZE], ns[32], name[40];
	struct faults *faults =
		faults_open(temp_dir_path(&scene.dir, "faults", path), scene.data_dir);
	size_t kept = 0;

	scene_env_printf("FAULTS_FILE=%s", path);
	scene_env("LD_PRELOAD=" STEADYCACHE_FAULTS_LIBRARY);
	scene_env("ASAN_OPTIONS=verify_asan_link_order=0");
	scene_start();
	scene_stop();
	for (unsigned from = 10; from <= 90; from += 40) {
		(void)snprintf(ns, sizeof(ns), "older%u", from);
		(void)snprintf(name, sizeof(name), "%s.pkl", ns);
		make_pkl(name, 300, 1000);
		faults_arm(faults, FAULT_WRITE | FAULT_SYNC, ENOSPC, from, FAULTS_FOR_GOOD);
		bool is_running = server_try_start(&scene.server);
		kept += is_there(name);
		(void)faults_end(faults);
		if (is_running)
			server_kill(&scene.server);
		scene_start();
		cr_expect(!is_there(name));
		cr_expect_eq(count_of(ns), 300);
		expect_found(ns, 299, 1000);
		scene_stop();
	}
	cr_expect_gt(kept, 0);
	faults_close(faults);
}

Test(import_dir, two_servers_of_one_store_may_import_at_once)
{
	struct server_process other = {.data_dir = scene.data_dir};

	make_pkl("older.pkl", 3000, 500);
	make_db("c.db", 3000, 500);
	scene_start();
	scene_stop(); /* the store is there */
	make_pkl("older.pkl", 3000, 600);
	make_pkl("more.pkl", 3000, 500);
	make_db("d.db", 3000, 500);
	for (size_t i = 0; i < SERVER_SETTINGS_MAX; i++)
		other.environment[i] = scene.server.environment[i];
	server_spawn(&other);
	scene_start();
	cr_assert(server_await_log(&other, "listening", 30000));
	cr_expect_eq(server_log_count(&scene.server, "failed after"), 0);
	cr_expect_eq(server_log_count(&other, "failed after"), 0);
	cr_expect(!is_there("more.pkl"));
	cr_expect_eq(count_of("more"), 3000);
	cr_expect_eq(count_of("d"), 3000);
	expect_found("older", 7, 500);
	scene_stop();
	server_dispose(&other);
}

/* ---- Layers ---- */

Test(import_dir, entries_go_through_all_layers)
{
	make_db("embedding_cache.db", 3, 1900);
	make_pkl("generation_cache.pkl", 300, 1500);
	scene_env("STEADYCACHE_NEAR_MB=8");
	scene_env_printf("STEADYCACHE_LARGE_VALUES=dir:%s/large", scene.dir.path);
	scene_env("STEADYCACHE_LARGE_VALUE_BYTES=1024");
	scene_env_printf("STEADYCACHE_ROUTES=generation_*=sqlite://%s/routed", scene.dir.path);
	scene_start();
	expect_logged("embedding_cache.db: 3 entries taken");
	cr_expect(!is_there("generation_cache.pkl"));
	scene_stop();
	scene_start();
	expect_found("generation_cache", 299, 1500);
	json_t *json = http_json(
		http_post_json(scene.client, "/api/get",
			       "{\"cache_name\":\"embedding_cache\",\"key\":\"('k1',)\"}"));
	cr_expect(json_is_true(json_object_get(json, "found")));
	json_decref(json);
	scene_stop();
}

Test(import_dir, a_service_manager_is_asked_to_wait)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[TEMP_PATH_SIZE], text[64] = "";
	int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		       temp_dir_path(&scene.dir, "notify", path));
	cr_assert(bind(notify, (struct sockaddr *)&address, sizeof(address)) == 0);
	scene_env_printf("NOTIFY_SOCKET=%s", path);
	make_db("c.db", 3, 100);
	scene_start();
	cr_assert_gt(recv(notify, text, sizeof(text) - 1, MSG_DONTWAIT), 0);
	cr_expect_str_eq(text, "EXTEND_TIMEOUT_USEC=60000000");
	(void)close(notify);
	scene_stop();
}
