/* System calls and allocations that fail, one by one or permanently.
 *
 * During a start: the server answers correctly, or it ends with one sentence and exit code 1 and
 * the next start has all entries. A sound database is never set aside, and nothing that a start
 * reads falls back to a default. During a run: answers are correct, or 503 as long as the fault
 * lasts; acknowledged writes exist afterwards. Only some of the calls are tried; FAULTS_ALL=1 in
 * the environment tries each of them. */
#include "tests/process/scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/faults.h"

TestSuite(faults, .init = scene_open, .fini = scene_close, .timeout = 3600);

#define ENTRIES 16

static struct faults *faults;
static char sound_dir[TEMP_PATH_SIZE];
static struct server_process plain; /* without faults */

static const char *value_of(int number)
{
	static char value[9001];
	/* Some are longer than a page. */
	size_t len = number % 5 == 0 ? sizeof(value) - 1 : 100;

	memset(value, 'a' + number, len);
	value[len] = '\0';
	return value;
}

static void copy_file(const char *name)
{
	char from[TEMP_PATH_SIZE + 64], to[TEMP_PATH_SIZE + 64];
	size_t len = 0;
	char *bytes = NULL;

	(void)snprintf(from, sizeof(from), "%s/%s", sound_dir, name);
	(void)snprintf(to, sizeof(to), "%s/%s", scene.data_dir, name);
	(void)unlink(to);
	bytes = file_read(from, &len);
	if (bytes)
		file_write(to, (struct slice){bytes, len});
	free(bytes);
}

/* The data directory as it was before any fault. */
static void restore(void)
{
	char found[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE * 2];

	while (folder_count(scene.data_dir, "steadycache.", found) > 0) {
		const char *name = strrchr(found, '/');

		(void)snprintf(path, sizeof(path), "%s/%s", scene.data_dir,
			       name ? name + 1 : found);
		cr_assert_eq(unlink(path), 0, "%s", path);
	}
	copy_file("steadycache.db");
	copy_file("steadycache.db-wal");
}

/* A database as a killed server leaves it: part of it is in the log. */
static void make_sound_database(void)
{
	(void)temp_dir_path(&scene.dir, "sound", sound_dir);
	plain = (struct server_process){.data_dir = sound_dir};
	server_start(&plain);
	struct http_client *client = http_client_open(plain.url, NULL);
	for (int i = 0; i < ENTRIES; i++) {
		char target[64];

		(void)snprintf(target, sizeof(target), "/cache/ns/k%d", i);
		expect_status(http_put(client, target, slice_of(value_of(i))), 201);
		if (i == ENTRIES / 2) {
			cr_assert(server_stop(&plain));
			server_start(&plain);
			http_client_close(client);
			client = http_client_open(plain.url, NULL);
		}
	}
	http_client_close(client);
	server_kill(&plain);
	server_dispose(&plain);
	cr_assert_eq(mkdir(scene.data_dir, 0700), 0);
	plain = (struct server_process){.data_dir = scene.data_dir};
}

static void set_up_faults(void)
{
	char path[TEMP_PATH_SIZE];

	make_sound_database();
	faults = faults_open(temp_dir_path(&scene.dir, "faults", path), scene.data_dir);
	scene_env_printf("FAULTS_FILE=%s", path);
	scene_env("LD_PRELOAD=" STEADYCACHE_FAULTS_LIBRARY);
	scene_env("ASAN_OPTIONS=verify_asan_link_order=0");
}

static void expect_entries(const char *url, bool may_be_unavailable, const char *what)
{
	struct http_client *client = http_client_open(url, NULL);

	for (int i = 0; i < ENTRIES; i++) {
		char target[64];

		(void)snprintf(target, sizeof(target), "/cache/ns/k%d", i);
		const struct http_answer *answer = http_get(client, target);
		if (may_be_unavailable && answer->status == 503)
			continue;
		cr_assert(answer->status == 200 && answer->len == strlen(value_of(i)) &&
				  memcmp(answer->body, value_of(i), answer->len) == 0,
			  "%s: k%d: %s", what, i, http_explain(answer, "not what was stored"));
	}
	http_client_close(client);
}

static void expect_service(const char *what)
{
	expect_entries(scene.server.url, true, what);
	(void)faults_end(faults);
	expect_entries(scene.server.url, false, what);
	struct http_client *client = http_client_open(scene.server.url, NULL);
	expect_status(http_put(client, "/cache/ns/new", SLICE("new")), 201);
	http_client_close(client);
	cr_assert(server_stop(&scene.server), "%s", what);
}

static void expect_one_line(const char *what)
{
	struct server_exit ended = server_await_exit(&scene.server, 20000);
	char *newline = strchr(ended.log, '\n');

	cr_assert_eq(ended.code, 1, "%s: exit code %d: %s", what, ended.code, ended.log);
	cr_assert(newline && newline[1] == '\0', "%s: not one line: %s", what, ended.log);
	cr_assert(strncmp(ended.log, "steadycache: ", 13) == 0, "%s: %s", what, ended.log);
	free(ended.log);
}

/* One start with faults, and one after it without. Returns the number of calls. */
static uint64_t start_with_faults(unsigned calls, int error, uint64_t from, uint64_t count)
{
	char what[128];

	(void)snprintf(what, sizeof(what), "%s of calls 0x%x, number %llu", strerror(error), calls,
		       (unsigned long long)from);
	restore();
	faults_arm(faults, calls, error, from, count);
	bool serves = server_try_start(&scene.server);
	uint64_t seen = atomic_load(&faults->seen);
	if (serves)
		expect_service(what);
	else
		expect_one_line(what);
	(void)faults_end(faults);
	cr_assert_eq(folder_count(scene.data_dir, "steadycache.db.corrupted", NULL), 0,
		     "%s: a sound database was set aside", what);
	server_start(&plain);
	expect_entries(plain.url, false, what);
	if (serves) {
		struct http_client *client = http_client_open(plain.url, NULL);

		expect_body(http_get(client, "/cache/ns/new"), SLICE("new"));
		http_client_close(client);
	}
	cr_assert(server_stop(&plain));
	return seen;
}

static void try_starts(unsigned calls, int error, uint64_t count, uint64_t samples)
{
	set_up_faults();
	uint64_t total = start_with_faults(calls, error, FAULTS_FOR_GOOD, 0);
	cr_assert_gt(total, 0);
	if (samples > total || getenv("FAULTS_ALL"))
		samples = total;
	for (uint64_t i = 0; i < samples; i++)
		(void)start_with_faults(calls, error, i * total / samples, count);
	server_dispose(&plain);
	faults_close(faults);
}

Test(faults, a_read_fails_once)
{
	try_starts(FAULT_READ, EIO, 1, 16);
}

Test(faults, reads_fail_for_good)
{
	try_starts(FAULT_READ, EIO, FAULTS_FOR_GOOD, 8);
}

Test(faults, a_write_fails_once)
{
	try_starts(FAULT_WRITE | FAULT_SYNC | FAULT_TRUNCATE, EIO, 1, 8);
}

/* For each file: its lock, the database, its log, the log's index, the reserve. */
Test(faults, there_is_no_descriptor_for_one_file)
{
	try_starts(FAULT_OPEN, EMFILE, 1, 24);
}

Test(faults, there_is_no_descriptor_any_more)
{
	try_starts(FAULT_OPEN, EMFILE, FAULTS_FOR_GOOD, 24);
}

Test(faults, a_file_is_not_mapped)
{
	try_starts(FAULT_MAP, ENOMEM, 1, 8);
}

/* ---- In a run ---- */

/* One request of each kind; each answer is correct, or a temporary failure. */
static void request_all(struct http_client *client, int round, bool *ret_stored)
{
	char target[64];
	int number = round % ENTRIES;
	const struct http_answer *answers;

	(void)snprintf(target, sizeof(target), "/cache/ns/k%d", number);
	answers = http_get(client, target);
	if (answers->status != 503)
		expect_body(answers, slice_of(value_of(number)));
	(void)snprintf(target, sizeof(target), "/cache/runs/r%d", round);
	answers = http_put(client, target, slice_of(value_of(number)));
	*ret_stored = answers->status == 201;
	expect_that(answers, *ret_stored || answers->status == 503, "expected 201 or 503");
	answers = http_get(client, "/cache/ns?limit=100");
	expect_that(answers, answers->status == 200 || answers->status == 503,
		    "expected 200 or 503");
	answers = http_get(client, "/stats/ns");
	expect_that(answers, answers->status == 200 || answers->status == 503,
		    "expected 200 or 503");
	answers = http_get(client, "/readyz");
	expect_that(answers, answers->status == 200 || answers->status == 503,
		    "expected 200 or 503");
	expect_that(answers, !strstr(answers->body, "damaged"),
		    "an error that passes is no damage");
}

#define ROUNDS_MAX 2000

/* Each round in the same server, with a fault somewhere in its calls. */
static void try_requests(unsigned calls, int error, uint64_t count, unsigned rounds)
{
	static bool stored[ROUNDS_MAX];

	scene_env("STEADYCACHE_SQLITE_CACHE_MB=0"); /* reads are reads of the files */
	set_up_faults();
	restore();
	scene_start();
	if (getenv("FAULTS_ALL"))
		rounds = 60;
	for (unsigned i = 0; i < rounds; i++) {
		struct http_client *client = http_client_open(scene.server.url, NULL);

		faults_arm(faults, calls, error, i, count);
		request_all(client, (int)i, &stored[i]);
		(void)faults_end(faults);
		expect_entries(scene.server.url, false, "after the fault");
		expect_status(http_put(client, "/cache/runs/after", SLICE("v")), i ? 204 : 201);
		cr_assert(await_condition(http_get(client, "/readyz")->status == 200, 10000));
		http_client_close(client);
	}
	scene_stop();
	server_start(&plain);
	expect_entries(plain.url, false, "after the run");
	struct http_client *client = http_client_open(plain.url, NULL);
	for (unsigned i = 0; i < rounds; i++) {
		char target[64];

		(void)snprintf(target, sizeof(target), "/cache/runs/r%u", i);
		if (stored[i])
			expect_body(http_get(client, target), slice_of(value_of((int)i % ENTRIES)));
	}
	http_client_close(client);
	cr_assert(server_stop(&plain));
	server_dispose(&plain);
	faults_close(faults);
}

Test(faults, a_read_fails_in_a_run)
{
	try_requests(FAULT_READ, EIO, 1, 12);
}

Test(faults, reads_fail_for_long_in_a_run)
{
	try_requests(FAULT_READ, EIO, FAULTS_FOR_GOOD, 8);
}

Test(faults, a_write_fails_in_a_run)
{
	try_requests(FAULT_WRITE | FAULT_SYNC | FAULT_TRUNCATE, EIO, 1, 12);
}

/* Reads share the existing connection, and one line says why. */
Test(faults, descriptors_run_out_in_a_run)
{
	set_up_faults();
	restore();
	scene_start();
	faults_arm(faults, FAULT_OPEN, EMFILE, 0, FAULTS_FOR_GOOD);
	for (int i = 0; i < 20; i++)
		expect_entries(scene.server.url, false, "without descriptors");
	expect_status(http_put(scene.client, "/cache/ns/new", SLICE("new")), 201);
	/* Which reader a thread uses is random: this one may be open. */
	bool told = http_get(scene.client, "/readyz")->status == 503;
	if (told)
		cr_expect(server_await_log(&scene.server, "Too many open files", 10000));
	(void)faults_end(faults);
	cr_assert(await_condition(http_get(scene.client, "/readyz")->status == 200, 10000));
	if (told)
		cr_expect(server_await_log(&scene.server, "can be opened again", 10000));
	scene_stop();
	server_dispose(&plain);
	faults_close(faults);
}

#ifndef __SANITIZE_ADDRESS__ /* which has its own allocator */

Test(faults, there_is_no_memory_once)
{
	try_starts(FAULT_MEMORY, ENOMEM, 1, 16);
}

Test(faults, there_is_no_memory_any_more)
{
	try_starts(FAULT_MEMORY, ENOMEM, FAULTS_FOR_GOOD, 8);
}

#endif
