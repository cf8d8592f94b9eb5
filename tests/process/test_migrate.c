/* `steadycache migrate`: all of an entry arrives, whatever the two ends are; what is newer stays; a
 * migration that was killed goes on; a difference is found. */
#include "tests/process/client_run.h"
#include "tests/process/redis_scene.h"

#include <stdatomic.h>
#include <stdint.h>

#include "tests/support/threads.h"

PROCESS_SUITE(migrate);
REDIS_SUITE(migrate_redis);

#define FROM "from.ndjson"
/* Entries that are moved while others write. */
#define MOVED 2000U

/* A coding that the values are not of: nobody is to look. */
static const char headers[] = "\"headers\":{\"Cache-Control\":\"private, max-age=7\","
			      "\"Content-Encoding\":\"gzip\",\"X-Meta-a\":\"\\\"1\\\"\"},";

/* Two namespaces of entries with everything that an entry may have, in the file FROM. */
static void write_export(size_t count, size_t value_len)
{
	char path[TEMP_PATH_SIZE];
	FILE *file = fopen(temp_dir_path(&scene.dir, FROM, path), "we");

	cr_assert(file);
	(void)fputs("{\"steadycache_export\":1,\"created_at\":1700000000.5}\n", file);
	for (size_t i = 0; i < count; i++) {
		(void)fprintf(file,
			      "{\"namespace\":\"%s\",\"key%s\":\"k%05zu%s\",\"content_type\":"
			      "\"text/x-%zu\",%s\"frequency\":%zu,\"last_access\":1700000000.%06zu,"
			      "\"created_at\":1600000000.%06zu,",
			      i < count / 2 ? "first" : "second", i % 5 == 0 ? "_base64" : "",
			      i % 5 == 0 ? 10000 + i : i, i % 5 == 0 ? "/8" : " \\u00e4", i % 3,
			      i % 4 ? "" : headers, 1 + i % 9, i % 1000000, (i * 7) % 1000000);
		if (i % 2)
			(void)fprintf(file, "\"expires_at\":41024448%02zu.5,", i % 100);
		else
			(void)fputs("\"expires_at\":null,", file);
		(void)fprintf(file, "\"value\":\"%zu ", i);
		for (size_t byte = 0; byte < value_len; byte++)
			(void)fputc('a' + (int)((i + byte) % 26), file);
		(void)fputs("\"}\n", file);
	}
	(void)fprintf(file, "{\"complete\":true,\"entries\":%zu}\n", count);
	cr_assert_eq(fclose(file), 0);
}

/* Expects the export `name` to have the entries of FROM, and their histories. */
static void expect_same_entries(const char *name)
{
	char line[600];

	(void)snprintf(line, sizeof(line),
		       "$S migrate " FROM " - --overwrite >a.ndjson && "
		       "for i in a.ndjson %s; do grep '^{\"namespace' $i | "
		       "sed 's/,\"modified_at\":[0-9.]*//' | sort >$i.sorted; done && "
		       "test -s a.ndjson.sorted && cmp a.ndjson.sorted %s.sorted",
		       name, name);
	expect_run(0, line);
}

Test(migrate, all_of_an_entry_arrives)
{
	write_export(600, 100);
	scene_start();
	expect_run(0, "$S migrate " FROM " sqlite://$PWD/one --verify");
	cr_assert(holds("err", "copied 600 entries"));
	cr_assert(holds("err", "600 the same, 0 different"));
	expect_run(0, "$S migrate sqlite://$PWD/one sqlite://./two --verify");
	expect_run(0, "$S migrate sqlite://./two $STEADYCACHE_URL --verify");
	cr_assert(holds("err", "600 the same, 0 different"));
	/* The server goes on running. */
	expect_run(0, "$S migrate sqlite://$PWD/data beside.ndjson");
	expect_same_entries("beside.ndjson");
	expect_run(0, "$S migrate $STEADYCACHE_URL sqlite://$PWD/three --verify");
	expect_run(0, "$S migrate sqlite://$PWD/three three.ndjson");
	expect_same_entries("three.ndjson");
	/* Memory that persists is its file. */
	expect_run(0,
		   "$S migrate sqlite://$PWD/one \"memory://$PWD/kept?persist-every=1\" --verify");
	expect_run(0, "$S migrate \"memory://$PWD/kept?persist-every=1\" kept.ndjson");
	expect_same_entries("kept.ndjson");
	/* Nothing of it was a use, and nothing is stored twice. */
	expect_run(0, "$S migrate sqlite://$PWD/one $STEADYCACHE_URL --json");
	cr_assert(holds("out", "\"copied\":0,") && holds("out", "\"kept\":600,"));
	expect_run(0, "$S export -o last.ndjson");
	expect_same_entries("last.ndjson");
	scene_stop();
}

Test(migrate_redis, all_of_an_entry_arrives)
{
	write_export(600, 100);
	redis_scene_start("");
	char setting[64];
	(void)snprintf(setting, sizeof(setting), "%d", redis_scene_port());
	(void)setenv("R", setting, 1);
	expect_run(0, "$S migrate " FROM " redis://127.0.0.1:$R/0 --verify");
	cr_assert(holds("err", "600 the same, 0 different"));
	expect_run(0, "$S migrate redis://127.0.0.1:$R/0 sqlite://$PWD/one --verify");
	expect_run(0, "$S migrate sqlite://$PWD/one redis://127.0.0.1:$R/0");
	cr_assert(holds("err", "600 kept in TO"));
	expect_run(0, "$S migrate redis://127.0.0.1:$R/0 redis://127.0.0.1:$R/1 --overwrite");
	expect_run(0, "$S migrate redis://127.0.0.1:$R/1 out.ndjson");
	expect_same_entries("out.ndjson");
	/* No answer: nothing is lost for good, and the exit code says it. */
	redis_scene_kill();
	expect_run(4, "$S migrate redis://127.0.0.1:$R/0 x.ndjson");
}

Test(migrate, a_namespace_keeps_its_settings)
{
	static struct server_process second;
	static char data_dir[TEMP_PATH_SIZE];

	scene_start();
	expect_status(scene_put("k", "v"), 201);
	expect_status(http_put_json(scene.client, "/cache/ns",
				    "{\"max_size_mb\":20,\"capacity\":7,\"default_ttl\":5,"
				    "\"eviction\":\"fifo\",\"stale_ttl\":3,\"max_idle\":9,"
				    "\"compression\":\"zstd\",\"put_status\":200}"),
		      204);
	expect_status(http_put(scene.client, "/cache/plain/k", SLICE("v")), 201);
	expect_run(0, "$S migrate sqlite://$PWD/data sqlite://$PWD/copy");
	second.data_dir = temp_dir_path(&scene.dir, "copy", data_dir);
	server_start(&second);
	struct http_client *client = http_client_open(second.url, NULL);
	const struct http_answer *answer = http_get(client, "/stats/ns");
	static const char settings[] =
		"\"capacity\":7,\"default_ttl\":5,\"stale_ttl\":3,\"max_idle\":9,\"eviction\":"
		"\"fifo\",\"compression\":\"zstd\",\"put_status\":200";
	cr_assert(strstr(answer->body, settings), "%s", answer->body);
	cr_assert(strstr(answer->body, "\"max_size_bytes\":20971520"), "%s", answer->body);
	/* And from server to server. */
	expect_status(http_delete(scene.client, "/cache/ns?drop"), 204);
	(void)setenv("SECOND", second.url, 1);
	expect_run(0, "$S migrate $SECOND $STEADYCACHE_URL --namespace ns");
	answer = http_get(scene.client, "/stats/ns");
	cr_assert(strstr(answer->body, settings), "%s", answer->body);
	/* Nobody has set anything there. */
	answer = http_get(client, "/stats/plain");
	cr_assert(strstr(answer->body, "\"capacity\":null,\"default_ttl\":0"), "%s", answer->body);
	http_client_close(client);
	server_dispose(&second);
}

Test(migrate, goes_on_after_it_was_killed)
{
	/* Again if it was done before the signal came. */
	static const char killed[] =
		"for i in $(seq 20); do rm -rf st %s; "
		"$S migrate " FROM " %s --state st 2>/dev/null & p=$!; "
		"until [ -e st ] || ! kill -0 $p 2>/dev/null; do :; done; kill -9 $p; wait $p; "
		"grep -q '\"place\": \"[0-9]' st && break; done; test -e st";
	static const char *const sinks[] = {"sqlite://$PWD/to", "to.ndjson"};
	char line[600];

	write_export(12000, 600);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(line, sizeof(line), killed, i == 0 ? "to" : "to.ndjson", sinks[i]);
		expect_run(0, line);
		expect_run(2, "$S migrate " FROM " other.ndjson --state st");
		cr_assert(holds("err", "another migration"));
		(void)snprintf(line, sizeof(line),
			       "$S migrate " FROM " %s --state st && ! test -e st", sinks[i]);
		expect_run(0, line);
	}
	expect_run(0, "$S migrate " FROM " sqlite://$PWD/to --dry-run --verify");
	cr_assert(holds("err", "12000 the same, 0 different"));
	expect_run(
		0,
		"$S migrate sqlite://$PWD/to count.ndjson && test $(wc -l <count.ndjson) = 12002");
	expect_same_entries("to.ndjson");
	expect_run(0, "tail -n 1 to.ndjson | grep -q '\"complete\":true,\"entries\":12000'");
}

Test(migrate, what_is_newer_stays_and_a_difference_is_found)
{
	write_export(20, 10);
	scene_start();
	expect_run(0, "$S migrate " FROM " $STEADYCACHE_URL");
	expect_status(http_put(scene.client, "/cache/first/k00001%20%C3%A4", SLICE("newer")), 204);
	expect_status(http_delete(scene.client, "/cache/second/k00012%20%C3%A4"), 204);
	expect_run(0, "$S migrate " FROM " $STEADYCACHE_URL --skip-existing");
	cr_assert(holds("err", "copied 1 entries") && holds("err", "19 kept in TO"));
	expect_run(3, "$S migrate " FROM " $STEADYCACHE_URL --verify");
	cr_assert(holds("err", "first k00001 ä: the value differs"));
	cr_assert(holds("err", "19 the same, 1 different"));
	expect_body(http_get(scene.client, "/cache/first/k00001%20%C3%A4"), SLICE("newer"));
	expect_status(http_delete(scene.client, "/cache/second/k00012%20%C3%A4"), 204);
	expect_run(3, "$S migrate " FROM " $STEADYCACHE_URL --dry-run --verify --json");
	cr_assert(holds("err", "second k00012 ä: it is missing in TO"));
	cr_assert(holds("out", "\"same\":18,\"different\":2"));
	/* What FROM has received later comes with the next run. */
	expect_run(0, "$S migrate sqlite://$PWD/data sqlite://$PWD/old");
	expect_status(http_put(scene.client, "/cache/first/k00002%20%C3%A4", SLICE("later")), 204);
	expect_run(0, "$S migrate sqlite://$PWD/data sqlite://$PWD/old --verify");
	cr_assert(holds("err", "copied 1 entries") && holds("err", "18 kept in TO"));
	expect_run(0, "$S migrate " FROM " $STEADYCACHE_URL --overwrite --verify");
	cr_assert(holds("err", "20 the same, 0 different"));
	scene_stop();
}

Test(migrate, an_empty_key_is_verified_at_a_server)
{
	scene_start();
	expect_run(
		0,
		"printf '%s\\n' "
		"'{\"namespace\":\"ns\",\"key\":\"\",\"value\":\"x\",\"expires_at\":4000000000}' "
		"'{\"namespace\":\"ns\",\"key\":\"a\",\"value\":\"y\"}' "
		"'{\"complete\":true,\"entries\":2}' >" FROM);
	expect_run(0, "$S migrate " FROM " $STEADYCACHE_URL --verify");
	cr_assert(holds("err", "2 the same, 0 different"));
	expect_run(0, "sed -i 's/\"x\"/\"z\"/' " FROM);
	expect_run(3, "$S migrate " FROM " $STEADYCACHE_URL --dry-run --verify");
	cr_assert(holds("err", "1 the same, 1 different"));
	scene_stop();
}

/* What beside_a_writer runs in its first thread; the second writes until it has ended. */
struct writing {
	const char *line;
	int code;
	unsigned written;
	atomic_bool is_over;
};

static const char *migrate_or_write(size_t index, void *user)
{
	struct writing *writing = user;

	if (index == 0) {
		writing->code = run(writing->line);
		atomic_store(&writing->is_over, true);
		return NULL;
	}
	struct http_client *client = http_client_open(scene.server.url, NULL);
	const char *failure = NULL;
	for (unsigned i = 0; !failure && !atomic_load(&writing->is_over); i++) {
		char target[64], text[32];

		(void)snprintf(target, sizeof(target), "/cache/second/k%05u%%20%%C3%%A4",
			       MOVED / 2 + i * 7919 % (MOVED / 2));
		(void)snprintf(text, sizeof(text), "new %u", i);
		if (http_put(client, target, slice_of(text))->status / 100 != 2)
			failure = "a write failed";
		writing->written++;
	}
	http_client_close(client);
	return failure;
}

/* What docs/migrate.md says may be missed: of the thousands of writes to entries that are written
 * many times a second. Without a look at FROM after each batch some hundred are. */
#define MISSED_MAX 20

/* What is written to FROM while it is copied is there after the next run. */
static void expect_moved_beside_writes(const char *from, const char *to)
{
	char line[600];
	struct writing writing = {.line = line};

	(void)snprintf(line, sizeof(line), "$S migrate %s %s && $S migrate %s %s", from, to, from,
		       to);
	const char *failure = in_threads(2, migrate_or_write, &writing);
	cr_assert(!failure, "%s", failure);
	cr_assert_eq(writing.code, 0);
	cr_assert_gt(writing.written, 0);
	(void)snprintf(line, sizeof(line),
		       "$S migrate %s %s && $S migrate %s %s --dry-run --verify", from, to, from,
		       to);
	int code = run(line);
	char path[TEMP_PATH_SIZE];
	char *err = file_read(temp_dir_path(&scene.dir, "err", path), NULL);
	const char *same = err ? strstr(err, "the same, ") : NULL;
	cr_expect(code == 0 || (code == 3 && same &&
				strtoul(same + strlen("the same, "), NULL, 10) <= MISSED_MAX),
		  "%s to %s, %u written: exit %d, %s", from, to, writing.written, code, err);
	free(err);
}

Test(migrate, a_write_beside_it_comes_with_the_next_run)
{
	static struct server_process second;
	static char data_dir[TEMP_PATH_SIZE];

	write_export(MOVED, 100);
	scene_start();
	second.data_dir = temp_dir_path(&scene.dir, "three", data_dir);
	server_start(&second);
	expect_run(0, "$S migrate " FROM " $STEADYCACHE_URL");
	expect_moved_beside_writes("sqlite://$PWD/data", "sqlite://$PWD/one");
	expect_moved_beside_writes("$STEADYCACHE_URL", "sqlite://$PWD/two");
	expect_moved_beside_writes("sqlite://$PWD/data", second.url);
	server_dispose(&second);
	scene_stop();
}

Test(migrate, takes_only_what_was_asked_for)
{
	write_export(20, 10);
	expect_run(0, "$S migrate " FROM " sqlite://$PWD/one --dry-run");
	cr_assert(holds("err", "would copy 20 entries"));
	expect_run(1, "test -e one");
	expect_run(0, "$S migrate " FROM " sqlite://$PWD/one --namespace 'f*t' --namespace none");
	cr_assert(holds("err", "copied 10 entries"));
	expect_run(0, "$S migrate " FROM " sqlite://$PWD/one --namespace second");
	expect_run(0, "$S migrate sqlite://$PWD/one sqlite://$PWD/two --namespace=first");
	cr_assert(holds("err", "copied 10 entries"));
	/* Over: neither copied nor failed. */
	expect_run(0,
		   "echo '{\"namespace\":\"n\",\"key\":\"k\",\"value\":\"v\",\"expires_at\":5}' | "
		   "$S migrate - sqlite://$PWD/two");
	cr_assert(holds("err", "copied 0 entries") && holds("err", "1 expired"));
	/* A bad line fails, the others are taken. */
	expect_run(3, "printf '%s\\n' '{\"namespace\":\"n\"}' "
		      "'{\"namespace\":\"n\",\"key\":\"k\",\"value\":\"v\"}' | "
		      "$S migrate - sqlite://$PWD/two");
	cr_assert(holds("err", "line 1") && holds("err", "copied 1 entries"));
	/* An export that lacks its end says so. */
	expect_run(3, "head -n 5 " FROM " | $S migrate - sqlite://$PWD/two --overwrite");
	cr_assert(holds("err", "incomplete") && holds("err", "copied 4 entries"));
}

/* Prompts are. */
Test(migrate, a_key_may_be_too_long_for_a_url)
{
	static struct server_process second;
	char data_dir[TEMP_PATH_SIZE];

	scene_start();
	second.data_dir = temp_dir_path(&scene.dir, "long", data_dir);
	server_start(&second);
	(void)setenv("SECOND", second.url, 1);
	expect_run(
		0,
		"python3 -c \"import json; k = 'k' * 20000\n"
		"print(json.dumps({'namespace': 'ns', 'key': k + 'a', 'value': 'v'}))\n"
		"print(json.dumps({'namespace': 'ns', 'key': k + 'b', 'value_base64': '/w=='}))\n"
		"print(json.dumps({'complete': True}))\" >lines && $S import -f lines");
	expect_run(0, "$S migrate $STEADYCACHE_URL $SECOND --verify");
	cr_assert(holds("err", "copied 2 entries") && holds("err", "2 the same, 0 different"));
	expect_run(0, "sed -i 's/\"v\"/\"w\"/' lines && $S import -f lines");
	expect_run(3, "$S migrate $STEADYCACHE_URL $SECOND --verify --dry-run");
	cr_assert(holds("err", "1 the same, 1 different") && holds("err", "the value differs"));
	server_dispose(&second);
	scene_stop();
}

/* As it does in a backend. */
Test(migrate, a_line_without_an_expiry_gets_that_of_the_namespace)
{
	scene_start();
	expect_status(http_put(scene.client, "/cache/ns", SLICE("{\"default_ttl\":100}")), 204);
	expect_run(0, "echo '{\"namespace\":\"ns\",\"key\":\"k\",\"value\":\"v\"}' >lines && "
		      "$S migrate lines $STEADYCACHE_URL || test $? = 3");
	expect_header(http_get(scene.client, "/cache/ns/k"), "Cache-Control", "max-age=100");
	scene_stop();
}

Test(migrate, refuses_what_cannot_be_right)
{
	static const struct {
		int code;
		const char *line, *words;
	} cases[] = {
		{2, "$S migrate sqlite://$PWD/data sqlite://$PWD/../$(basename $PWD)/data",
		 "the same"},
		{2, "$S migrate " FROM " " FROM, "the same"},
		{2, "$S migrate " FROM " nosuch://x", "names no backend"},
		{2, "$S migrate " FROM " memory://", "memory of this process"},
		{2, "$S migrate " FROM " http://u:p@127.0.0.1:1", "STEADYCACHE_TO_API_KEY"},
		{2, "$S migrate - x --state st", "standard input"},
		{2, "$S migrate " FROM " x --verify", "--verify"},
		{2, "$S migrate " FROM " x --overwrite --skip-existing", "exclude"},
		{2, "echo x >there; $S migrate " FROM " there", "there already"},
		{1, "$S migrate missing.ndjson x", "missing.ndjson"},
		{4, "$S migrate sqlite://$PWD/nowhere x", "no database"},
		{4, "$S migrate " FROM " sqlite://$PWD/data", "use its URL"},
		{3, "$S migrate $STEADYCACHE_URL x", "STEADYCACHE_FROM_API_KEY"},
		{3, "STEADYCACHE_FROM_API_KEY=no $S migrate $STEADYCACHE_URL x", "401"},
		{0, "STEADYCACHE_FROM_API_KEY=secret $S migrate $STEADYCACHE_URL y",
		 "copied 1 entries"},
		{0, "STEADYCACHE_TO_API_KEY=secret $S migrate " FROM " $STEADYCACHE_URL",
		 "copied 20 entries"},
	};

	write_export(20, 10);
	scene_env("STEADYCACHE_API_KEY=secret");
	scene_start();
	struct http_client *client = http_client_open(scene.server.url, "secret");
	expect_status(http_put(client, "/cache/ns/k", SLICE("v")), 201);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect_run(cases[i].code, cases[i].line);
		cr_expect(holds("err", cases[i].words), "%s", cases[i].line);
	}
	http_client_close(client);
	scene_stop();
}

Test(migrate, large_values_come_from_one_store_into_another)
{
	static const char bytes[] = "STEADYCACHE_LARGE_VALUE_BYTES=100";

	write_export(20, 200);
	scene_env(bytes);
	(void)putenv((char *)(uintptr_t)bytes);
	expect_run(0,
		   "$S migrate " FROM " sqlite://$PWD/one --to-large-values dir:$PWD/o1 --verify");
	expect_run(3, "$S migrate sqlite://$PWD/one out.ndjson");
	cr_assert(holds("err", "--from-large-values") && holds("err", "20 failed"));
	expect_run(2, "$S migrate sqlite://$PWD/one sqlite://$PWD/two --from-large-values "
		      "dir:$PWD/o1 --to-large-values dir:$PWD/o1");
	expect_run(0, "$S migrate sqlite://$PWD/one sqlite://$PWD/two --from-large-values "
		      "dir:$PWD/o1 --to-large-values dir:$PWD/o2 --verify");
	expect_run(0, "test $(find o2/objects -type f | wc -l) = 20 && rm -r o1");
	expect_run(0, "$S migrate sqlite://$PWD/two out.ndjson --from-large-values dir:$PWD/o2 "
		      "--overwrite");
	expect_same_entries("out.ndjson");
}
