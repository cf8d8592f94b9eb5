/* Export and import between real servers: what arrives; the effects of a resumption, a death, a
 * slow reader and concurrent writers; and how much memory it takes. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "tests/process/client_run.h"

PROCESS_SUITE(export);

/* A second server, to import into. */
static struct server_process other;
static struct temp_dir other_dir;
static struct http_client *other_client;

static void open_other(const char *backend)
{
	static char setting[64];

	(void)snprintf(setting, sizeof(setting), "STEADYCACHE_BACKEND=%s", backend);
	temp_dir_create(&other_dir);
	other = (struct server_process){.data_dir = other_dir.path, .environment = {setting}};
	server_start(&other);
	other_client = http_client_open(other.url, NULL);
}

static void close_other(void)
{
	http_client_close(other_client);
	cr_assert(server_stop(&other));
	server_dispose(&other);
	temp_dir_destroy(&other_dir);
}

static void start(const char *backend)
{
	scene_env_printf("STEADYCACHE_BACKEND=%s", backend);
	scene_start();
}

/* ---- Exports as sorted text ---- */

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Removes the time of the version, which an import makes anew. */
static void drop_modified(char *line)
{
	static const char name[] = ",\"modified_at\":";
	char *at = strstr(line, name);

	if (!at)
		return;
	char *end = at + sizeof(name) - 1;
	end += strspn(end, "0123456789.");
	memmove(at, end, strlen(end) + 1);
}

/* The entries of an export, sorted, to be freed. *ret_count: how many. */
static char *entries_of(const struct http_answer *answer, size_t *ret_count)
{
	char *copy = strdup(answer->body), *rest = NULL;
	char *sorted = calloc(1, answer->len + 1);
	char **lines = calloc(answer->len + 1, sizeof(*lines));

	expect_status(answer, 200);
	*ret_count = 0;
	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strncmp(line, "{\"namespace\":", 13) == 0) {
			drop_modified(line);
			lines[(*ret_count)++] = line;
		}
	qsort(lines, *ret_count, sizeof(*lines), compare_lines);
	for (size_t i = 0, len = 0; i < *ret_count; i++)
		len += (size_t)sprintf(sorted + len, "%s\n", lines[i]);
	free(lines);
	free(copy);
	return sorted;
}

static void expect_same_exports(size_t entries)
{
	size_t here = 0, there = 0;
	char *a = entries_of(http_get(scene.client, "/export"), &here);
	char *b = entries_of(http_get(other_client, "/export"), &there);

	cr_assert_eq(here, entries, "%zu entries here", here);
	cr_assert_eq(there, entries, "%zu entries there", there);
	cr_assert_str_eq(a, b);
	free(a);
	free(b);
}

/* ---- Round trips ---- */

static void put(const char *target, struct slice value, const char *type)
{
	const struct http_answer *answer = http_put(scene.client, target, value, type);

	expect_that(answer, answer->status == 201 || answer->status == 204, "expected a success");
}

/* Stores entries of every kind; returns how many. */
static size_t fill(void)
{
	static char large[3000000];
	char target[128];
	size_t count = 0;

	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)(i * 2654435761U >> 13);
	put("/cache/a/large", (struct slice){.data = large, .len = sizeof(large)},
	    "Content-Type: x/y");
	put("/cache/a/empty", SLICE(""), "Content-Type: text/plain");
	put("/cache/a/nul", SLICE("a\0b\n\"\\\x7f \xc3\xa4"), "Content-Type: text/plain");
	put("/cache/a/%FF%00/%22", SLICE("\xff\xfe\xfd"), "Content-Type: image/png");
	put("/cache/a/%C3%A4%0A?ttl=3600", SLICE("x"), "Content-Type: text/css; charset=\"q\"");
	put("/cache/b.c/controls", SLICE("\1\2\3\4\5\6\7\10\13\1\2\3"), "Content-Type: text/x");
	for (; count < 2500; count++) {
		(void)snprintf(target, sizeof(target), "/cache/many/%zu", count);
		put(target, slice_of(target), "Content-Type: text/plain");
		for (size_t use = 0; use < count % 4; use++)
			(void)http_get(scene.client, target);
	}
	expect_status(
		http_post_json(
			scene.client, "/api/set",
			"{\"cache_name\":\"a\",\"key\":\"sized\",\"value\":\"v\",\"size\":5000}"),
		200);
	return count + 7;
}

static void expect_import(const char *mark, size_t entries, const char *line)
{
	char path[TEMP_PATH_SIZE];

	int code = run_against(other.url, line);
	char *out = file_read(temp_dir_path(&scene.dir, "out", path), NULL);
	char *err = file_read(temp_dir_path(&scene.dir, "err", path), NULL);
	char expected[64];
	(void)snprintf(expected, sizeof(expected), "imported %zu entries, 0 lines failed", entries);
	cr_assert(code == 0 && strstr(out, expected), "%s: exit %d: %s%s", mark, code, out, err);
	free(out);
	free(err);
}

static void round_trip(const char *from, const char *to)
{
	start(from);
	open_other(to);
	size_t entries = fill();
	expect_run(0, "$S export --output f");
	expect_import("all", entries, "$S import --file f");
	expect_same_exports(entries);
	/* Importing again over the same entries changes nothing. */
	expect_import("again", entries, "$S import --file f");
	expect_same_exports(entries);
	close_other();
	scene_stop();
}

Test(export, from_memory_to_sqlite)
{
	round_trip("memory", "sqlite");
}

Test(export, from_sqlite_to_memory)
{
	round_trip("sqlite", "memory");
}

/* An export of 2,500 entries whose scores depend on frequency and age, both of which it contains.
 * They were used so long ago that the order is the same whenever a server looks at them. */
static void write_histories(void)
{
	enum { LONG_AGO = 1, LATER = 1077000000 }; /* two to three times as old, until 2038 */
	char path[TEMP_PATH_SIZE];
	FILE *file = fopen(temp_dir_path(&scene.dir, "f", path), "w");

	cr_assert(file != NULL);
	(void)fprintf(file, "{\"steadycache_export\":1}\n");
	for (int i = 0; i < 2500; i++) {
		int used = (i / 4 % 2 ? LONG_AGO : LATER) + i * 7919 % 2500;

		(void)fprintf(
			file,
			"{\"namespace\":\"many\",\"key\":\"%d\",\"content_type\":\"text/plain\","
			"\"frequency\":%d,\"last_access\":%d,\"created_at\":%d,"
			"\"expires_at\":null,\"value\":\"%d\"}\n",
			i, 1 + i % 4, used, used / 2, i);
	}
	(void)fprintf(file, "{\"complete\":true,\"entries\":2500}\n");
	(void)fclose(file);
}

Test(export, order_of_eviction_arrives)
{
	static const char limit[] = "{\"capacity\":900,\"eviction\":\"frecency\"}";

	start("memory");
	open_other("sqlite");
	write_histories();
	expect_run(0, "$S import --file f");
	expect_import("many", 2500, "$S import --file f");
	expect_status(http_put_json(scene.client, "/cache/many", limit), 204);
	expect_status(http_put_json(other_client, "/cache/many", limit), 204);
	expect_same_exports(900);
	/* Used often and later; only often; only later. */
	expect_status(http_head(scene.client, "/cache/many/3"), 200);
	expect_status(http_head(scene.client, "/cache/many/7"), 404);
	expect_status(http_head(scene.client, "/cache/many/0"), 404);
	close_other();
	scene_stop();
}

/* ---- Resumption ---- */

static void cut_and_resume(const char *backend)
{
	start(backend);
	open_other("memory");
	size_t entries = fill();
	expect_run(0, "$S export --output whole");
	/* Cut in the middle of a line, and of the first namespace's pages. */
	expect_run(0, "head -c -100000 whole >part && $S export --output part --resume");
	cr_assert(holds("err", "exported"));
	expect_run(0, "test $(grep -c steadycache_export part) = 1");
	expect_run(0,
		   "grep '^{\"namespace' whole | sort >a && grep '^{\"namespace' part | sort >b && "
		   "cmp a b");
	expect_import("resumed", entries, "$S import --file part");
	expect_same_exports(entries);
	close_other();
	scene_stop();
}

Test(export, resumed_of_memory)
{
	cut_and_resume("memory");
}

Test(export, resumed_of_sqlite)
{
	cut_and_resume("sqlite");
}

Test(export, cursor_of_another_process)
{
	start("memory");
	(void)fill();
	expect_run(0, "$S export --output whole");
	scene_stop();
	scene_start();
	expect_run(3, "head -c -100000 whole >part; $S export --output part --resume");
	cr_assert(holds("err", "started again"));
	scene_stop();
}

/* 40 values of 1 MB: more than any socket holds. */
static void fill_largely(void)
{
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"max_size_mb\":1000}"), 204);
	char *value = calloc(1, 1000001);
	memset(value, 'v', 1000000);
	for (int i = 0; i < 40; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "%d", i);
		(void)scene_put(key, value);
	}
	free(value);
}

/* ---- Deaths ---- */

/* Opens a raw export and reads only its beginning. */
static void open_slow(struct raw_socket *reader)
{
	cr_assert(raw_open(reader, scene.server.url));
	int room = 262144;
	(void)setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	cr_assert(raw_send_text(reader, "GET /export HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	cr_assert(raw_await(reader, "steadycache_export", 10000));
}

Test(export, server_dies_midway)
{
	struct raw_socket reader;

	start("sqlite");
	fill_largely();
	open_slow(&reader);
	scene_kill();
	cr_assert(raw_await_close(&reader, 10000));
	cr_expect(!strstr(reader.received, "{\"complete\":"), "it was no whole export");
	raw_close(&reader);
	scene_start();
	expect_run(0, "$S export --output f && $S import --file f");
	scene_stop();
}

Test(export, server_is_stopped_midway)
{
	struct raw_socket reader;

	start("sqlite");
	fill_largely();
	open_slow(&reader);
	cr_assert(raw_await(&reader, "\"cursor\"", 10000));
	cr_assert_eq(kill(scene.server.pid, SIGTERM), 0);
	cr_assert(server_await_log(&scene.server, "stopping", 10000));
	cr_assert(raw_await_close(&reader, 10000));
	cr_expect_not_null(strstr(reader.received, "{\"complete\":false,\"error\":\"the server is "
						   "stopping\",\"cursor\":"));
	raw_close(&reader);
	struct server_exit end = server_await_exit(&scene.server, 10000);
	cr_expect_eq(end.code, 0);
	free(end.log);
}

Test(export, sender_dies_midway)
{
	struct raw_socket sender;

	start("sqlite");
	cr_assert(raw_open(&sender, scene.server.url));
	cr_assert(raw_send_text(&sender,
				"POST /import HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
				"1000000000\r\n\r\n"));
	for (int i = 0; i < 3000; i++)
		cr_assert(raw_send_text(
			&sender, "{\"namespace\":\"ns\",\"key\":\"%d\",\"value\":\"v\"}\n", i));
	cr_assert(raw_send_text(&sender, "{\"namespace\":\"ns\",\"key\":\"half"));
	/* Complete groups are stored. */
	cr_assert(await_condition(scene_stat("entry_count") >= 2560, 10000));
	raw_close(&sender);
	cr_expect_leq(scene_stat("entry_count"), 3000);
	scene_stop();
}

/* An import that keeps sending must not delay a stop, and is told how far it came. */
Test(export, import_is_given_up_by_a_stop)
{
	static const char line[] = "{\"namespace\":\"ns\",\"key\":\"%d\",\"value\":\"v\"}\n";
	struct raw_socket sender;
	bool is_answered = false;

	start("sqlite");
	cr_assert(raw_open(&sender, scene.server.url));
	cr_assert(raw_send_text(&sender, "POST /import HTTP/1.1\r\nHost: localhost\r\n"
					 "Transfer-Encoding: chunked\r\n\r\n"));
	for (int i = 0; i < 10000 && !is_answered; i++) {
		char text[100];
		int len = snprintf(text, sizeof(text), line, i);

		cr_assert(raw_send_text(&sender, "%x\r\n%s\r\n", (unsigned)len, text));
		if (i == 1000)
			cr_assert_eq(kill(scene.server.pid, SIGTERM), 0);
		is_answered = i > 1000 && raw_await(&sender, "\"complete\":false}", 5);
	}
	cr_assert(is_answered, "got: %s", sender.received);
	cr_expect(strncmp(sender.received, "HTTP/1.1 503 ", 13) == 0, "got: %s", sender.received);
	cr_expect_not_null(strstr(sender.received, "\r\nConnection: close\r\n"));
	cr_expect_not_null(strstr(sender.received, "the server is stopping"));
	raw_close(&sender);
	struct server_exit end = server_await_exit(&scene.server, 10000);
	cr_expect_eq(end.code, 0, "exit code %d: %s", end.code, end.log);
	free(end.log);
}

/* ---- Under writes ---- */

struct writers {
	atomic_bool stop;
};

static void *churn(void *arg)
{
	struct writers *writers = arg;
	struct http_client *client = http_client_open(scene.server.url, NULL);
	char target[64];

	while (!atomic_load(&writers->stop)) {
		for (int i = 0; i < 3000 && !atomic_load(&writers->stop); i++) {
			(void)snprintf(target, sizeof(target), "/cache/many/churn%d", i);
			(void)http_put(client, target, SLICE("v"));
		}
		(void)http_delete(client, "/cache/many?prefix=churn");
	}
	http_client_close(client);
	return NULL;
}

static void export_under_writes(const char *backend)
{
	struct writers writers = {0};
	pthread_t thread;
	char target[64];

	start(backend);
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(target, sizeof(target), "/cache/many/stays%d", i);
		put(target, SLICE("v"), "Content-Type: text/plain");
	}
	cr_assert_eq(pthread_create(&thread, NULL, churn, &writers), 0);
	for (int round = 0; round < 5; round++) {
		expect_run(0, "$S export many --output f && grep -o '\"stays[0-9]*\"' f >k; "
			      "test $(wc -l <k) = 2000 && test $(sort -u k | wc -l) = 2000");
		expect_run(0, "grep '\"stays' f | grep -qv '\"frequency\":1,' && exit 1 || true");
	}
	atomic_store(&writers.stop, true);
	(void)pthread_join(thread, NULL);
	scene_stop();
}

Test(export, of_memory_under_writes)
{
	export_under_writes("memory");
}

Test(export, of_sqlite_under_writes)
{
	export_under_writes("sqlite");
}

/* ---- Memory ---- */

#define VALUE_BYTES 100000
#define BULK_MB     150

struct watch {
	const struct server_process *server;
	atomic_bool stop;
	long peak_kib;
};

static void *watch_memory(void *arg)
{
	struct watch *watch = arg;

	while (!atomic_load(&watch->stop)) {
		long kib = server_anonymous_kib(watch->server);

		if (kib > watch->peak_kib)
			watch->peak_kib = kib;
		nap_ms(2);
	}
	return NULL;
}

/* Runs a shell line; returns the greatest growth of the server's memory meanwhile, in KiB. */
static long growth_kib(const struct server_process *server, const char *line)
{
	struct watch watch = {.server = server};
	long before = server_anonymous_kib(server);
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, watch_memory, &watch), 0);
	int code = run_against(server->url, line);
	atomic_store(&watch.stop, true);
	(void)pthread_join(thread, NULL);
	cr_assert_eq(code, 0, "exit %d from: %s", code, line);
	return watch.peak_kib - before;
}

#ifdef __SANITIZE_ADDRESS__
#define GROWTH_MAX_KIB 400000 /* freed memory stays for a while */
#else
#define GROWTH_MAX_KIB 16384
#endif

Test(export, of_much_takes_little_memory)
{
	start("sqlite");
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"max_size_mb\":1000}"), 204);
	expect_run(0, "python3 -c \"\nimport random, base64\nrandom.seed(1)\n"
		      "print('{\\\"steadycache_export\\\":1}')\n"
		      "for i in range(1500):\n"
		      " print('{\\\"namespace\\\":\\\"ns\\\",\\\"key\\\":\\\"%d\\\",\\\"value\\\":"
		      "\\\"%s\\\"}' % (i, "
		      "base64.b64encode(random.randbytes(75000)).decode()))\n"
		      "print('{\\\"complete\\\":true,\\\"entries\\\":1500}')\" >big");
	long import_kib = growth_kib(&scene.server, "$S import --file big");
	cr_expect_lt(import_kib, GROWTH_MAX_KIB, "import: %ld KiB", import_kib);
	long export_kib = growth_kib(&scene.server, "$S export ns --output f");
	cr_expect_lt(export_kib, GROWTH_MAX_KIB, "export: %ld KiB", export_kib);
	expect_run(0, "test $(grep -c '^{\"namespace' f) = 1500");
	scene_stop();
}

Test(export, of_a_slow_reader_waits)
{
	struct raw_socket readers[8];

	start("sqlite");
	fill_largely();
	long before = server_anonymous_kib(&scene.server);
	for (int i = 0; i < 8; i++)
		open_slow(&readers[i]);
	/* Others are served as usual while these do not read. */
	for (int i = 0; i < 100; i++)
		expect_status(scene_get("1"), 200);
	long growth = server_anonymous_kib(&scene.server) - before;
	cr_expect_lt(growth, 8 * 4096 + GROWTH_MAX_KIB, "%ld KiB", growth);
	for (int i = 0; i < 8; i++)
		raw_close(&readers[i]);
	expect_run(0, "$S export ns --output f && test $(grep -c '^{\"namespace' f) = 40");
	scene_stop();
}

/* ---- Large values and lines ---- */

Test(export, values_as_large_as_the_server_takes)
{
	scene_env("STEADYCACHE_MAX_BODY_MB=32");
	start("memory");
	open_other("sqlite");
	expect_run(0,
		   "head -c 33554432 /dev/urandom >v && "
		   "curl -sf -T v $STEADYCACHE_URL/cache/ns/k && "
		   "tr '\\000-\\377' '\\n' <v >w && curl -sf -T w $STEADYCACHE_URL/cache/ns/l && "
		   "$S export --output f");
	expect_import("large", 2, "$S import --file f");
	cr_assert_eq(run_against(other.url, "curl -sf $STEADYCACHE_URL/cache/ns/k | cmp - v && "
					    "curl -sf $STEADYCACHE_URL/cache/ns/l | cmp - w"),
		     0);
	close_other();
	scene_stop();
}

Test(export, import_of_what_is_too_large)
{
	scene_env("STEADYCACHE_MAX_BODY_MB=0.01");
	start("memory");
	expect_run(0, "L=$(head -c 400000 /dev/zero | tr '\\0' x) && { "
		      "echo '{\"namespace\":\"ns\",\"key\":\"a\",\"value\":\"1\"}'; "
		      "for i in $(seq 30); do printf %s $L; done; echo; "
		      "printf '{\"namespace\":\"ns\",\"key\":\"b\",\"value\":\"%.15000s\"}\\n' $L; "
		      "echo '{\"namespace\":\"ns\",\"key\":\"c\",\"value\":\"1\"}'; } >f && "
		      "curl -s -T f -X POST $STEADYCACHE_URL/import");
	cr_assert(holds("out", "\"imported\":2,\"failed\":2"));
	cr_assert(holds("out", "{\"line\":2,\"error\":\"the line is longer"));
	cr_assert(holds("out", "{\"line\":3,\"error\":\"the value has about 15000 bytes"));
	scene_stop();
}

/* ---- Groups that are refused ---- */

Test(export, a_refused_entry_has_its_line)
{
	start("memory");
	expect_status(
		http_put_json(scene.client, "/cache/ns", "{\"capacity\":3,\"eviction\":\"none\"}"),
		204);
	expect_run(0, "for i in 1 2 3 4 5; do "
		      "echo '{\"namespace\":\"ns\",\"key\":\"'$i'\",\"value\":\"1\"}'; done >f && "
		      "curl -s -T f -X POST $STEADYCACHE_URL/import");
	cr_assert(holds("out", "\"imported\":3,\"failed\":2"));
	cr_assert(holds("out", "{\"line\":4,"));
	cr_assert(holds("out", "{\"line\":5,"));
	expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
	expect_run(3, "$S import --file f");
	cr_assert(holds("err", "line 4: "));
	cr_assert(holds("out", "imported 3 entries, 1 lines failed"));
	scene_stop();
}
