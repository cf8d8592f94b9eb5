/* kill -9 while large values are put, replaced and deleted: afterwards every entry has the bytes of
 * a version that it may have, and once the first sweep has ended no object is there that no entry
 * names, and nothing that was on its way. STEADYCACHE_TEST_KILLS is the number of kills. */
#include "tests/process/scene.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(large_kill, .init = scene_open, .fini = scene_close, .timeout = 3600);

#define KILLS         8
#define WRITERS       6
#define KEYS          3 /* of a writer */
#define LEN_MIN       100000U
#define LEN_MAX       3000000U
#define BEFORE_A_KILL 40 /* writes, at least */

/* A key and what became of it. Version 0: it is not there. */
struct fate {
	unsigned known; /* acknowledged */
	unsigned tried; /* the one in flight when the server died; or the same */
};

static struct fate fates[WRITERS][KEYS];
static atomic_uint writes;
static unsigned kill_at;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The bytes of a version; some versions of different keys have the same. To be freed. */
static char *make_value(size_t writer, size_t key, unsigned version, size_t *ret_len)
{
	bool is_common = version % 5 == 0;
	uint64_t state = is_common ? version : version * 1000003U + writer * 101 + key * 7 + 1;
	size_t len;
	char *bytes;

	(void)next_random(&state);
	len = LEN_MIN + next_random(&state) % (LEN_MAX - LEN_MIN);
	bytes = malloc(len + sizeof(state));
	if (!bytes)
		abort();
	for (size_t at = 0; at < len; at += sizeof(state)) {
		(void)next_random(&state);
		memcpy(bytes + at, &state, sizeof(state));
	}
	*ret_len = len;
	return bytes;
}

static void name_key(char target[64], size_t writer, size_t key)
{
	(void)snprintf(target, 64, "/cache/ns/%zu-%zu", writer, key);
}

/* One write: every sixth is a deletion. False: no answer. */
static bool write_one(struct http_client *client, size_t writer, size_t key, unsigned version)
{
	struct fate *fate = &fates[writer][key];
	const struct http_answer *answer;
	char target[64];

	name_key(target, writer, key);
	if (version % 6 == 3) {
		fate->tried = 0;
		answer = http_delete(client, target);
	} else {
		size_t len;
		char *bytes = make_value(writer, key, version, &len);

		fate->tried = version;
		answer = http_put(client, target, ((struct slice){.data = bytes, .len = len}));
		free(bytes);
	}
	if (answer->status / 100 != 2 && answer->status != 404)
		return false;
	fate->known = fate->tried;
	(void)atomic_fetch_add(&writes, 1);
	return true;
}

static const char *write_or_kill(size_t index, void *user)
{
	const unsigned *first = user;

	if (index == WRITERS) {
		(void)await_condition(atomic_load(&writes) >= kill_at, 60000);
		server_kill(&scene.server);
		return NULL;
	}
	struct http_client *client = http_client_open(scene.server.url, NULL);
	for (unsigned i = 0; write_one(client, index, i % KEYS, *first + i); i++)
		;
	http_client_close(client);
	return NULL;
}

/* ---- After the restart ---- */

static bool has_version(const struct http_answer *answer, size_t writer, size_t key,
			unsigned version)
{
	size_t len;

	if (version == 0)
		return answer->status == 404;
	char *bytes = make_value(writer, key, version, &len);
	bool is_same = answer->status == 200 && answer->len == len &&
		       memcmp(answer->body, bytes, len) == 0;
	free(bytes);
	return is_same;
}

static void expect_fates(void)
{
	for (size_t writer = 0; writer < WRITERS; writer++) {
		for (size_t key = 0; key < KEYS; key++) {
			struct fate *fate = &fates[writer][key];
			char target[64];

			name_key(target, writer, key);
			const struct http_answer *answer = http_get(scene.client, target);
			bool is_known = has_version(answer, writer, key, fate->known);
			cr_assert(is_known || has_version(answer, writer, key, fate->tried),
				  "%s: status %ld, %zu bytes: neither version %u nor %u", target,
				  answer->status, answer->len, fate->known, fate->tried);
			if (!is_known)
				fate->known = fate->tried;
			fate->tried = fate->known;
		}
	}
}

static double metric(const char *name)
{
	const struct http_answer *answer = http_get(scene.client, "/metrics");
	const char *found = answer->status == 200 ? strstr(answer->body, name) : NULL;

	while (found && (found == answer->body || found[-1] != '\n'))
		found = strstr(found + 1, name);
	return found ? strtod(found + strlen(name), NULL) : -1;
}

/* Calls `visit` for each object with its path and the name "abcdef...". Returns how many. */
static size_t visit_objects(const char *store, void (*visit)(const char *name))
{
	size_t count = 0;

	for (unsigned fan = 0; fan < 256; fan++) {
		char path[TEMP_PATH_SIZE + 32], name[80];
		DIR *folder;

		(void)snprintf(path, sizeof(path), "%s/objects/%02x", store, fan);
		folder = opendir(path);
		cr_assert(folder, "%s", path);
		for (struct dirent *entry; (entry = readdir(folder));) {
			if (entry->d_name[0] == '.')
				continue;
			(void)snprintf(name, sizeof(name), "%02x%.70s", fan, entry->d_name);
			count++;
			visit(name);
		}
		(void)closedir(folder);
	}
	return count;
}

static char *listing;

static void expect_named(const char *name)
{
	char etag[40];

	(void)snprintf(etag, sizeof(etag), "%.32s", name);
	cr_assert(strstr(listing, etag), "no entry names the object %s", name);
}

/* The number of different ETags of the listing. */
static size_t count_etags(json_t *list)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *etag =
			json_string_value(json_object_get(json_array_get(list, i), "etag"));
		bool is_first = true;

		for (size_t j = 0; j < i; j++)
			is_first &= strcmp(etag, json_string_value(json_object_get(
							 json_array_get(list, j), "etag"))) != 0;
		count += is_first;
	}
	return count;
}

static void expect_objects_to_match(const char *store)
{
	char path[TEMP_PATH_SIZE];

	cr_assert(await_condition(metric("steadycache_large_sweeps_total ") >= 1, 20000));
	cr_assert_eq(metric("steadycache_large_sweep_failures_total "), 0);
	const struct http_answer *answer = http_get(scene.client, "/cache/ns?limit=1000");
	expect_status(answer, 200);
	listing = answer->body;
	json_t *whole = http_json(answer);
	size_t etags = count_etags(json_object_get(whole, "keys"));
	cr_assert_eq(visit_objects(store, expect_named), etags);
	json_decref(whole);
	cr_assert_eq(metric("steadycache_large_missing_total "), 0);
	/* One process has a folder and its lock there. */
	(void)snprintf(path, sizeof(path), "%.400s/spool", store);
	cr_assert_eq(folder_count(path, "", NULL), 2 + 2);
}

static void run_rounds(unsigned kills, const char *store)
{
	unsigned first = 1;

	for (unsigned round = 0; round < kills; round++) {
		scene_start();
		expect_fates();
		expect_objects_to_match(store);
		kill_at = atomic_load(&writes) + BEFORE_A_KILL + round % 17;
		(void)in_threads(WRITERS + 1, write_or_kill, &first);
		first += 100000;
	}
	scene_start();
	expect_fates();
	expect_objects_to_match(store);
	scene_stop();
}

Test(large_kill, entries_and_objects_match)
{
	const char *kills = getenv("STEADYCACHE_TEST_KILLS");
	char store[TEMP_PATH_SIZE];

	(void)temp_dir_path(&scene.dir, "large", store);
	scene_env_printf("STEADYCACHE_LARGE_VALUES=dir:%s", store);
	scene_env("STEADYCACHE_LARGE_VALUE_BYTES=65536");
	scene_env("STEADYCACHE_DEFAULT_MAX_SIZE_MB=0");
	run_rounds(kills ? (unsigned)strtoul(kills, NULL, 10) : KILLS, store);
}
