/* No request blocks an event loop: while a heavy one is in progress, its loop answers others. The
 * test measures the processor time that the loop's thread takes between two small answers, because
 * the elapsed time depends on the machine; and it excludes the time for which this thread was ready
 * without a processor, in which there was no small request to answer. */
#include "tests/process/scene.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(event_loop);

#ifdef __SANITIZE_ADDRESS__ /* each step takes several times as long */
#define HELD_MAX_NS INT64_C(200000000)
#else
#define HELD_MAX_NS INT64_C(50000000)
#endif
#define BODY_BYTES ((size_t)12 << 20)
#define TASKS_MAX  64

/* ---- The loop's thread ---- */

static int64_t processor_ns(int task)
{
	char path[64];
	int64_t ns = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)scene.server.pid,
		       task);
	FILE *file = fopen(path, "r");
	if (file) {
		if (fscanf(file, "%" SCNd64, &ns) != 1)
			ns = 0;
		(void)fclose(file);
	}
	return ns;
}

/* How long the calling thread was ready to run without a processor. */
static int64_t waited_ns(void)
{
	int64_t ns = 0;
	FILE *file = fopen("/proc/thread-self/schedstat", "r");

	if (file) {
		if (fscanf(file, "%*d %" SCNd64, &ns) != 1)
			ns = 0;
		(void)fclose(file);
	}
	return ns;
}

static size_t list_tasks(int tasks[static TASKS_MAX])
{
	char path[64];
	size_t count = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)scene.server.pid);
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder && count < TASKS_MAX && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			tasks[count++] = atoi(entry->d_name);
	if (folder)
		(void)closedir(folder);
	return count;
}

/* The thread that works for small requests: the server has one loop. */
static int find_loop(void)
{
	int tasks[TASKS_MAX];
	int64_t before[TASKS_MAX];
	size_t count = list_tasks(tasks);
	size_t busiest = 0;

	for (size_t i = 0; i < count; i++)
		before[i] = processor_ns(tasks[i]);
	for (int i = 0; i < 300; i++)
		expect_status(http_get(scene.client, "/healthz"), 200);
	for (size_t i = 0; i < count; i++) {
		before[i] = processor_ns(tasks[i]) - before[i];
		if (before[i] > before[busiest])
			busiest = i;
	}
	return tasks[busiest];
}

/* ---- A heavy request beside small ones ---- */

struct heavy {
	const char *method, *target;
	struct slice body;
	long status; /* out */
	atomic_bool done;
};

static void *run_heavy(void *arg)
{
	struct heavy *heavy = arg;
	struct http_client *client = http_client_open(scene.server.url, NULL);

	http_client_set_timeout(client, 120000);
	heavy->status = http_request(client, heavy->method, heavy->target, heavy->body,
				     HTTP_HEADERS("Content-Type: application/json", "Expect:"))
				->status;
	http_client_close(client);
	atomic_store(&heavy->done, true);
	return NULL;
}

static void expect_loop_free(const char *method, const char *target, struct slice body, long status)
{
	struct heavy heavy = {.method = method, .target = target, .body = body};
	int loop = find_loop();
	int64_t longest_ns = 0;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, run_heavy, &heavy), 0);
	while (!atomic_load(&heavy.done)) {
		int64_t before_ns = processor_ns(loop) - waited_ns();
		expect_status(http_get(scene.client, "/healthz"), 200);
		int64_t held_ns = processor_ns(loop) - waited_ns() - before_ns;

		if (held_ns > longest_ns)
			longest_ns = held_ns;
	}
	(void)pthread_join(thread, NULL);
	cr_expect_eq(heavy.status, status, "%s %s: %ld", method, target, heavy.status);
	cr_expect_lt(longest_ns, HELD_MAX_NS, "%s %s held the loop for %" PRId64 " us", method,
		     target, longest_ns / 1000);
}

/* `begin`, elements "`before` number `behind`" separated by commas up to about BODY_BYTES, `end`;
 * malloc'ed. */
static struct slice repeated(const char *begin, const char *before, const char *behind,
			     const char *end)
{
	char *text = malloc(BODY_BYTES + 8192);
	size_t len = 0;

	cr_assert(text);
	len += (size_t)sprintf(text, "%s", begin);
	for (int i = 0; len < BODY_BYTES; i++)
		len += (size_t)sprintf(text + len, "%s%s%d%s", i > 0 ? "," : "", before, i, behind);
	len += (size_t)sprintf(text + len, "%s", end);
	return (struct slice){.data = text, .len = len};
}

static void free_text(struct slice text)
{
	free((void *)(uintptr_t)text.data);
}

static void try_all(const char *backend)
{
	char value_of_item[2200] = "\",\"value\":\"";
	size_t len = strlen(value_of_item);

	scene_env(backend);
	scene_env("STEADYCACHE_MAX_BODY_MB=20");
	scene_flag("--threads=1");
	scene_start();
	memset(value_of_item + len, 'v', 2000);
	memcpy(value_of_item + len + 2000, "\"}", 3);

	struct slice bomb = repeated("{", "\"", "\":1", "}");
	expect_loop_free("POST", "/batch/ns/get", bomb, 400);
	expect_loop_free("PUT", "/cache/ns", bomb, 400);
	free_text(bomb);
	struct slice keys = repeated("{\"keys\":[", "\"", "\"", "]}");
	expect_loop_free("POST", "/batch/ns/get", keys, 413);
	free_text(keys);
	struct slice items = repeated("{\"items\":[", "{\"key\":\"k", value_of_item, "]}");
	expect_loop_free("POST", "/batch/ns/set", items, 200);
	free_text(items);

	char *some = malloc(200000);
	size_t at = (size_t)sprintf(some, "{\"keys\":[\"k0\"");
	for (int i = 1; i < 5500; i++)
		at += (size_t)sprintf(some + at, ",\"k%d\"", i);
	at += (size_t)sprintf(some + at, "]}");
	expect_loop_free("POST", "/batch/ns/get?pretty", (struct slice){some, at}, 200);
	free(some);

	char *value = malloc(BODY_BYTES);
	for (size_t i = 0; i < BODY_BYTES; i++)
		value[i] = (char)(i * 7 + i / 1000);
	struct slice bytes = {.data = value, .len = BODY_BYTES};
	expect_loop_free("PUT", "/cache/ns/large", bytes, 201);
	expect_loop_free("GET", "/cache/ns/large", NO_BODY, 200);
	expect_loop_free("POST", "/api/get", SLICE("{\"cache_name\":\"ns\",\"key\":\"large\"}"),
			 200);
	memset(value, 'A', BODY_BYTES);
	static const char begin[] = "{\"namespace\":\"ns\",\"key\":\"i\",\"value_base64\":\"";
	memcpy(value, begin, sizeof(begin) - 1);
	size_t used = sizeof(begin) - 1 + (BODY_BYTES - 100) / 4 * 4;
	memcpy(value + used, "\"}\n", 3);
	expect_loop_free("POST", "/import", (struct slice){value, used + 3}, 200);
	expect_loop_free("GET", "/export", NO_BODY, 200);
	free(value);
	scene_stop();
}

Test(event_loop, answers_beside_heavy_requests_memory)
{
	try_all("STEADYCACHE_BACKEND=memory");
}

Test(event_loop, answers_beside_heavy_requests_sqlite)
{
	try_all("STEADYCACHE_BACKEND=sqlite");
}
