/* Tokens with rights, namespaces, rates and an expiry, over HTTP; and files that are reloaded. */
#include "tests/process/scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/token_line.h"

PROCESS_SUITE(tokens);

static char token_path[TEMP_PATH_SIZE], key_path[TEMP_PATH_SIZE];

/* Writes a line for the token `token`, with that name too, and the further fields. */
static void put_line(FILE *file, const char *token, const char *fields)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];

	token_digest(slice_of(token), digest);
	(void)fprintf(file, "name=%s sha256=", token);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)fprintf(file, "%02x", digest[i]);
	(void)fprintf(file, " %s\n", fields);
}

/* Pairs of a token and its fields, NULL at the end. */
static void write_tokens(const char *const *pairs)
{
	FILE *file = fopen(temp_dir_path(&scene.dir, "tokens", token_path), "we");

	cr_assert_not_null(file);
	(void)fputs("# a comment\n", file);
	for (; pairs[0]; pairs += 2)
		put_line(file, pairs[0], pairs[1]);
	(void)fclose(file);
}

#define WRITE_TOKENS(...) write_tokens((const char *const[]){__VA_ARGS__, NULL})

/* Starts a server with `pairs`; its client has all rights (the key "root"). */
static void start_with_file(void)
{
	scene_env("STEADYCACHE_API_KEY=root");
	scene_env("STEADYCACHE_METRICS_PUBLIC=no");
	scene_env_printf("STEADYCACHE_TOKEN_FILE=%s", token_path);
	scene_start();
	http_client_set_key(scene.client, "root");
}

static const struct http_answer *ask_as(const char *token, const char *method, const char *target,
					const char *body)
{
	http_client_set_key(scene.client, token);
	return http_request(scene.client, method, target, body ? slice_of(body) : NO_BODY,
			    HTTP_HEADERS("Content-Type: application/json"));
}

/* Expects 403 as a problem document, or as {"error":...} on /api, that contains `named`. */
static void expect_forbidden(const struct http_answer *answer, bool is_d1, const char *named)
{
	json_auto_t *document = http_json(answer);
	const char *sentence = json_string_value(json_object_get(document, "error"));

	expect_status(answer, 403);
	/* In Turborepo's own form. */
	const char *message =
		json_string_value(json_object_get(json_object_get(document, "error"), "message"));
	if (message) {
		expect_that(answer, strstr(message, named) != NULL, "expected %s", named);
		return;
	}
	expect_that(answer, sentence && strstr(sentence, named), "expected an error with %s",
		    named);
	expect_header(answer, "Content-Type",
		      is_d1 ? "application/json; charset=UTF-8" : "application/problem+json");
	if (!is_d1)
		expect_that(answer,
			    json_integer_value(json_object_get(document, "status")) == 403 &&
				    json_equal(json_object_get(document, "detail"),
					       json_object_get(document, "error")),
			    "expected a problem document");
}

#define ITEM  "{\"cache_name\":\"a-1\",\"key\":\"k\",\"value\":\"v\"}"
#define ITEMS "{\"cache_name\":\"a-1\",\"items\":[{\"key\":\"k\",\"value\":\"v\"}]}"
#define KEYS  "{\"cache_name\":\"a-1\",\"keys\":[\"k\"]}"
#define INIT  "{\"cache_name\":\"a-1\",\"max_size_mb\":5}"

/* Every route, with the right that it needs, and its answer to a token that has it. The order
 * leaves the entry where the next route needs it. */
static const struct {
	const char *method, *target, *body, *right;
	long status;
	bool of_all; /* needs all namespaces, or shows those that the token may use */
} routes[] = {
	{"PUT", "/cache/a-1/k", "v", "write", 201, false},
	{"GET", "/cache/a-1/k", NULL, "read", 200, false},
	{"HEAD", "/cache/a-1/k", NULL, "read", 200, false},
	{"GET", "/cache/a-1", NULL, "read", 200, false},
	{"GET", "/stats/a-1", NULL, "read", 200, false},
	{"PATCH", "/cache/a-1/k?ttl=60", NULL, "write", 204, false},
	{"PUT", "/cache/a-1", "{\"capacity\":10}", "admin", 204, false},
	{"DELETE", "/cache/a-1/k", NULL, "write", 204, false},
	{"DELETE", "/cache/a-1?all", NULL, "admin", 204, false},
	{"POST", "/batch/a-1/set", ITEMS, "write", 200, false},
	{"POST", "/batch/a-1/get", KEYS, "read", 200, false},
	{"POST", "/batch/a-1/exists", KEYS, "read", 200, false},
	{"POST", "/batch/a-1/expire", "{\"keys\":[\"k\"],\"ttl\":60}", "write", 200, false},
	{"POST", "/batch/a-1/delete", KEYS, "write", 200, false},
	{"POST", "/api/init", INIT, "admin", 200, false},
	{"POST", "/api/set", ITEM, "write", 200, false},
	{"POST", "/api/get", ITEM, "read", 200, false},
	{"POST", "/api/exists", ITEM, "read", 200, false},
	{"POST", "/api/stats", ITEM, "read", 200, false},
	{"POST", "/api/delete", ITEM, "write", 200, false},
	{"POST", "/api/batch/set", ITEMS, "write", 200, false},
	{"POST", "/api/batch/get", KEYS, "read", 200, false},
	{"POST", "/api/batch/delete", KEYS, "write", 200, false},
	{"POST", "/api/clear", ITEM, "admin", 200, false},
	{"GET", "/export?namespace=a-1", NULL, "read", 200, false},
	{"DELETE", "/cache/a-1?drop", NULL, "admin", 204, false},
	{"POST", "/import?namespace=a-1", "{\"key\":\"k\",\"value\":\"v\"}\n", "write", 200, false},
	{"PUT", "/v8/artifacts/k?slug=a-1", "v", "write", 201, false},
	{"GET", "/v8/artifacts/k?slug=a-1", NULL, "read", 200, false},
	{"GET", "/v8/artifacts/status?slug=a-1", NULL, "read", 200, false},
	{"POST", "/v8/artifacts/events?teamId=a-1", "[]", "read", 200, false},
	{"PUT", "/cache/a-1/v8/artifacts/k", "v", "write", 204, false},
	{"PUT", "/cache/a-1/v1/cache/k", "v", "write", 200, false},
	{"MKCOL", "/cache/a-1/d/", NULL, "write", 201, false},
	{"DELETE", "/cache/a-1/d/", NULL, "write", 204, false},
	{"GET", "/export", NULL, "read", 200, true},
	{"GET", "/metrics", NULL, "read", 200, true},
	{"GET", "/cache", NULL, "read", 200, true},
	{"GET", "/stats", NULL, "read", 200, true},
	{"POST", "/sync", NULL, "admin", 204, true},
	{"POST", "/pickle", "N.", "read", 200, true},
	{"GET", "/admin/log-level", NULL, "admin", 200, true},
	{"PUT", "/admin/log-level", "{\"level\":null}", "admin", 200, true},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static bool is_d1(size_t route)
{
	return strncmp(routes[route].target, "/api/", 5) == 0;
}

static const struct http_answer *ask_route(const char *token, size_t i)
{
	return ask_as(token, routes[i].method, routes[i].target, routes[i].body);
}

/* ---- Facades ---- */

static const struct http_answer *find_as(const char *token, const char *target)
{
	http_client_set_key(scene.client, token);
	return http_request(scene.client, "PROPFIND", target, NO_BODY, HTTP_HEADERS("Depth: 1"));
}

Test(tokens, a_facade_leads_to_no_other_namespace)
{
	static const char *const targets[] = {"/v8/artifacts/k",
					      "/v8/artifacts/k?slug=b",
					      "/v8/artifacts/k?teamId=b&slug=b",
					      "/v1/cache/k",
					      "/cache/b/v8/artifacts/k?slug=a",
					      "/cache/b/v1/cache/k"};

	WRITE_TOKENS("own", "rights=read,write,admin namespaces=a");
	start_with_file();
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		expect_forbidden(ask_as("own", "PUT", targets[i], "v"), false, "namespace");
		expect_forbidden(ask_as("own", "GET", targets[i], NULL), false, "namespace");
	}
	expect_forbidden(find_as("own", "/cache/b/"), false, "namespace");
	expect_status(ask_as("own", "PUT", "/v8/artifacts/k?slug=a&teamId=b", "v"), 201);
	expect_status(ask_as("root", "PUT", "/cache/b/k", "v"), 201);
	const struct http_answer *answer = find_as("own", "/cache/");
	expect_status(answer, 207);
	expect_that(answer,
		    strstr(answer_->body, "/cache/a/") && !strstr(answer_->body, "/cache/b/"),
		    "expected a, and not b");
	expect_status(find_as("own", "/cache/a/v8/"), 207);
	scene_stop();
}

Test(tokens, listings_of_collections_need_read)
{
	WRITE_TOKENS("reads", "rights=read namespaces=*", "writes", "rights=write namespaces=*");
	start_with_file();
	expect_forbidden(find_as("writes", "/cache/a/"), false, "read");
	expect_forbidden(find_as("writes", "/cache/"), false, "read");
	expect_status(find_as("reads", "/cache/a/"), 207);
	expect_forbidden(ask_as("reads", "MKCOL", "/cache/a/d", NULL), false, "write");
	expect_forbidden(ask_as("reads", "DELETE", "/cache/a/d/", NULL), false, "write");
	http_client_set_key(scene.client, NULL);
	expect_status(find_as(NULL, "/cache/a/"), 401);
	expect_status(ask_as(NULL, "OPTIONS", "/cache/a/", NULL), 204);
	scene_stop();
}

Test(tokens, facades_that_are_off_are_not_there)
{
	WRITE_TOKENS("all", "rights=read,write namespaces=*");
	/* The description is of a server with all facades. */
	(void)unsetenv("STEADYCACHE_RECORD");
	scene_env("STEADYCACHE_FACADES=nx");
	start_with_file();
	expect_status(ask_as("all", "PUT", "/v1/cache/k", "v"), 200);
	expect_status(ask_as("all", "PUT", "/v8/artifacts/k", "v"), 404);
	expect_status(find_as("all", "/cache/a/"), 404);
	expect_status(find_as("all", "/cache/a/k"), 405);
	/* Then such paths are those of entries as any other. */
	expect_status(ask_as("all", "PUT", "/cache/a/v8/artifacts/status", "v"), 201);
	expect_body(ask_as("all", "GET", "/cache/a/v8/artifacts/status", NULL), SLICE("v"));
	expect_status(ask_as("all", "DELETE", "/cache/a/d/", NULL), 404);
	const struct http_answer *answer = ask_as(NULL, "OPTIONS", "/cache/a/k", NULL);
	expect_header(answer, "Allow", "GET, HEAD, PUT, DELETE, PATCH, OPTIONS");
	expect_header(answer, "DAV", NULL);
	scene_stop();
}

Test(tokens, each_route_needs_its_right)
{
	static const char *const rights[] = {"read", "write", "admin"};

	WRITE_TOKENS("read", "rights=read namespaces=*", "write", "rights=write namespaces=*",
		     "admin", "rights=admin namespaces=*");
	start_with_file();
	for (size_t i = 0; i < ROUTES; i++) {
		for (size_t r = 0; r < 3; r++) {
			if (strcmp(rights[r], routes[i].right) == 0)
				continue;
			const struct http_answer *answer = ask_route(rights[r], i);

			expect_status(answer, 403);
			if (strcmp(routes[i].method, "HEAD") != 0)
				expect_forbidden(answer, is_d1(i), routes[i].right);
		}
		expect_status(ask_route(routes[i].right, i), routes[i].status);
	}
	/* Refused requests changed nothing. */
	expect_status(ask_as("read", "GET", "/nothing", NULL), 404);
	expect_status(ask_as("read", "POST", "/cache/a-1/k", "x"), 405);
	expect_status(ask_as("read", "GET", "/healthz", NULL), 200);
	expect_status(ask_as("other", "GET", "/cache", NULL), 401);
	scene_stop();
}

Test(tokens, each_route_needs_its_namespace)
{
	WRITE_TOKENS("there", "rights=read,write,admin namespaces=x,a-*", "elsewhere",
		     "rights=read,write,admin namespaces=a,b-*,a-11");
	start_with_file();
	for (size_t i = 0; i < ROUTES; i++) {
		if (routes[i].of_all)
			continue;
		const struct http_answer *answer = ask_route("elsewhere", i);

		expect_status(answer, 403);
		if (strcmp(routes[i].method, "HEAD") != 0)
			expect_forbidden(answer, is_d1(i), "namespace \"a-1\"");
		expect_status(ask_route("there", i), routes[i].status);
	}
	expect_forbidden(ask_as("there", "POST", "/sync", NULL), false, "all namespaces");
	expect_forbidden(ask_as("there", "PUT", "/admin/log-level", "{}"), false, "all namespaces");
	expect_forbidden(ask_as("there", "GET", "/metrics", NULL), false, "all namespaces");
	/* An escape stands for the byte. */
	expect_status(ask_as("elsewhere", "PUT", "/cache/%61/k", "v"), 201);
	expect_forbidden(ask_as("elsewhere", "GET", "/cache/%61-1/k", NULL), false, "\"a-1\"");
	/* If two members have one name, the one that is read is the one that is checked. */
	static const char *const twice[] = {
		"{\"cache_name\":\"a\",\"cache_name\":\"a-1\",\"key\":\"k2\",\"value\":\"v\"}",
		"{\"cache_name\":\"a-1\",\"cache_name\":\"a\",\"key\":\"k2\",\"value\":\"v\"}"};
	for (int i = 0; i < 2; i++)
		(void)ask_as("elsewhere", "POST", "/api/set", twice[i]);
	expect_status(ask_as("there", "GET", "/cache/a-1/k2", NULL), 404);
	scene_stop();
}

Test(tokens, no_entry_changes_on_a_refusal)
{
	WRITE_TOKENS("elsewhere", "rights=read,write,admin namespaces=b", "reader",
		     "rights=read namespaces=*");
	start_with_file();
	expect_status(ask_as("root", "PUT", "/cache/a-1/k", "v"), 201);
	for (size_t i = 0; i < ROUTES; i++) {
		if (!routes[i].of_all)
			expect_status(ask_route("elsewhere", i), 403);
		if (strcmp(routes[i].right, "read") != 0)
			expect_status(ask_route("reader", i), 403);
	}
	http_client_set_key(scene.client, "root");
	expect_body(http_get(scene.client, "/cache/a-1/k"), SLICE("v"));
	/* The server does not wait for a large body that it refuses. */
	char *large = calloc(1, 4 << 20);
	http_client_set_key(scene.client, "reader");
	expect_forbidden(http_put(scene.client, "/cache/a-1/k", ((struct slice){large, 4 << 20})),
			 false, "write");
	free(large);
	scene_stop();
}

/* The names in an object or a list of objects with names, each followed by a blank. */
static void names_of(const json_t *part, char ret[static 200])
{
	const char *name;
	json_t *member;
	size_t i;

	ret[0] = '\0';
	json_array_foreach(part, i, member)
	{
		strcat(ret, json_string_value(json_object_get(member, "name")));
		strcat(ret, " ");
	}
	if (json_is_object(part))
		json_object_foreach((json_t *)(uintptr_t)part, name, member)
		{
			strcat(ret, name);
			strcat(ret, " ");
		}
}

/* A token with only the right to read gets a lease; its PUT is refused, and the next client must
 * get the lease. */
Test(tokens, a_forbidden_put_ends_its_lease)
{
	char lease[100];

	WRITE_TOKENS("read", "rights=read namespaces=*", "all", "rights=read,write namespaces=*");
	scene_env("STEADYCACHE_MAX_BODY_MB=1");
	start_with_file();
	for (int round = 0; round < 2; round++) {
		const struct http_answer *answer =
			ask_as("read", "GET", "/cache/ns/k?lease=60", NULL);

		expect_status(answer, 404);
		expect_that(answer, http_header(answer_, "Lease") != NULL, "expected a lease");
		(void)snprintf(lease, sizeof(lease), "Lease: %s", http_header(answer, "Lease"));
		expect_status(http_put(scene.client, "/cache/ns/k", SLICE("v"), lease), 403);
	}
	/* An unknown client is not told about limits, and ends nothing. */
	http_client_set_key(scene.client, "all");
	const struct http_answer *answer = http_get(scene.client, "/cache/ns/k?lease=60");
	(void)snprintf(lease, sizeof(lease), "Lease: %s", http_header(answer, "Lease"));
	char *large = calloc(1, 2 << 20);
	http_client_set_key(scene.client, "nobody");
	expect_status(http_put(scene.client, "/cache/ns/k",
			       ((struct slice){.data = large, .len = 2 << 20}), lease),
		      401);
	http_client_set_key(scene.client, "all");
	expect_header(http_get(scene.client, "/cache/ns/k?lease=60"), "Lease", NULL);
	expect_status(http_put(scene.client, "/cache/ns/k",
			       ((struct slice){.data = large, .len = 2 << 20}), lease),
		      413);
	free(large);
	expect_that(http_get(scene.client, "/cache/ns/k?lease=60"),
		    http_header(answer_, "Lease") != NULL, "expected a lease");
	scene_stop();
}

Test(tokens, lists_show_what_a_token_may_use)
{
	char names[200];

	WRITE_TOKENS("few", "rights=read namespaces=b*", "all", "rights=read namespaces=*", "none",
		     "rights=read namespaces=z");
	start_with_file();
	for (int i = 0; i < 4; i++) {
		static const char *const targets[] = {"/cache/a/k", "/cache/b1/k", "/cache/b2/k",
						      "/cache/c/k"};

		expect_status(ask_as("root", "PUT", targets[i], "vv"), 201);
	}
	static const struct {
		const char *token, *names;
		int entries;
	} cases[] = {{"few", "b1 b2 ", 2}, {"all", "a b1 b2 c ", 4}, {"none", "", 0}};
	for (size_t i = 0; i < 3; i++) {
		json_auto_t *list = http_json(ask_as(cases[i].token, "GET", "/cache", NULL));
		json_auto_t *stats = http_json(ask_as(cases[i].token, "GET", "/stats", NULL));
		const json_t *totals = json_object_get(stats, "totals");

		names_of(json_object_get(list, "namespaces"), names);
		cr_expect_str_eq(names, cases[i].names);
		cr_assert(json_is_object(json_object_get(stats, "namespaces")));
		names_of(json_object_get(stats, "namespaces"), names);
		cr_expect_eq(json_object_size(json_object_get(stats, "namespaces")),
			     (size_t)cases[i].entries);
		cr_expect_eq(json_integer_value(json_object_get(totals, "entry_count")),
			     cases[i].entries);
		cr_expect_null(cases[i].entries < 4 ? strchr(names, 'a') : NULL, "%s", names);
	}
	scene_stop();
}

Test(tokens, exports_and_imports_keep_to_the_namespaces)
{
	static const char lines[] = "{\"namespace\":\"a\",\"key\":\"k\",\"value\":\"1\"}\n"
				    "{\"namespace\":\"b1\",\"key\":\"k\",\"value\":\"2\"}\n"
				    "{\"namespace\":\"b2\",\"key\":\"k\",\"value\":\"3\"}\n"
				    "{\"namespace\":\"a\",\"key\":\"k2\",\"value\":\"4\"}\n";

	WRITE_TOKENS("few", "rights=read,write namespaces=b*");
	start_with_file();
	const struct http_answer *answer = ask_as("few", "POST", "/import", lines);
	json_auto_t *report = http_json(answer);
	expect_status(answer, 200);
	expect_that(answer,
		    json_integer_value(json_object_get(report, "imported")) == 2 &&
			    json_integer_value(json_object_get(report, "failed")) == 2,
		    "expected two entries and two failures");
	expect_status(ask_as("root", "GET", "/cache/a/k", NULL), 404);
	expect_status(ask_as("root", "GET", "/cache/b2/k", NULL), 200);
	answer = ask_as("root", "POST", "/import", lines);
	expect_status(answer, 200);
	answer = ask_as("few", "GET", "/export", NULL);
	expect_status(answer, 200);
	expect_that(answer,
		    strstr(answer_->body, "\"namespace\":\"b1\"") &&
			    strstr(answer_->body, "\"namespace\":\"b2\"") &&
			    !strstr(answer_->body, "\"namespace\":\"a\"") &&
			    strstr(answer_->body, "{\"complete\":true,\"entries\":2}"),
		    "expected the entries of b1 and b2");
	scene_stop();
}

Test(tokens, a_rate_is_kept)
{
	WRITE_TOKENS("slow", "rights=read namespaces=* rate=0.01:3", "free",
		     "rights=read namespaces=*");
	start_with_file();
	for (int i = 0; i < 3; i++)
		expect_status(ask_as("slow", "GET", "/cache/a/k", NULL), 404);
	const struct http_answer *answer = ask_as("slow", "GET", "/cache/a/k", NULL);
	expect_status(answer, 429);
	expect_header(answer, "Content-Type", "application/problem+json");
	json_auto_t *problem = http_json(answer);
	expect_that(
		answer,
		json_equal(json_object_get(problem, "detail"), json_object_get(problem, "error")) &&
			strcmp(json_string_value(json_object_get(problem, "title")),
			       "Too Many Requests") == 0,
		"expected a problem document");
	int seconds = atoi(http_header(answer, "Retry-After"));
	expect_that(answer, seconds > 60 && seconds <= 100, "expected Retry-After of some 100 s");
	/* Requests refused for another reason count too, and on /api the error has its form. */
	answer = ask_as("slow", "POST", "/api/set", ITEM);
	expect_status(answer, 429);
	expect_header(answer, "Content-Type", "application/json; charset=UTF-8");
	for (int i = 0; i < 50; i++)
		expect_status(ask_as("free", "GET", "/cache/a/k", NULL), 404);
	scene_stop();
}

/* Waits until the rate lets a request pass again. */
Test(tokens, a_rate_gives_back)
{
	WRITE_TOKENS("quick", "rights=read namespaces=* rate=5:1");
	start_with_file();
	expect_status(ask_as("quick", "GET", "/cache/a/k", NULL), 404);
	cr_assert(await_condition(ask_as("quick", "GET", "/cache/a/k", NULL)->status == 404, 5000));
	scene_stop();
}

static void hang_up(const char *awaited)
{
	cr_assert_eq(kill(scene.server.pid, SIGHUP), 0);
	cr_assert(server_await_log(&scene.server, awaited, 10000), "%s", server_log(&scene.server));
}

Test(tokens, files_are_read_again)
{
	WRITE_TOKENS("one", "rights=read namespaces=*", "two", "rights=read namespaces=*");
	file_write(temp_dir_path(&scene.dir, "key", key_path), SLICE("first\n"));
	scene_env_printf("STEADYCACHE_API_KEY_FILE=%s", key_path);
	scene_env_printf("STEADYCACHE_TOKEN_FILE=%s", token_path);
	scene_start();
	expect_status(ask_as("first", "PUT", "/cache/a/k", "v"), 201);
	expect_status(ask_as("second", "GET", "/cache/a/k", NULL), 401);
	expect_status(ask_as("one", "GET", "/cache/a/k", NULL), 200);

	/* Old and new at once, and other rights. */
	file_write(key_path, SLICE("second\nfirst\n"));
	WRITE_TOKENS("two", "rights=write namespaces=*", "three", "rights=read namespaces=*");
	hang_up("the tokens were read again");
	expect_status(ask_as("first", "GET", "/cache/a/k", NULL), 200);
	expect_status(ask_as("second", "GET", "/cache/a/k", NULL), 200);
	expect_status(ask_as("one", "GET", "/cache/a/k", NULL), 401);
	expect_status(ask_as("two", "GET", "/cache/a/k", NULL), 403);
	expect_status(ask_as("three", "GET", "/cache/a/k", NULL), 200);

	/* A faulty file is rejected, and reported with its line; the tokens stay as they were. */
	WRITE_TOKENS("four", "rights=read namespaces=*", "five", "rights=everything namespaces=*");
	hang_up("line 3: rights must be");
	char *log = server_log(&scene.server);
	cr_expect_not_null(strstr(log, token_path), "%s", log);
	free(log);
	expect_status(ask_as("three", "GET", "/cache/a/k", NULL), 200);
	expect_status(ask_as("four", "GET", "/cache/a/k", NULL), 401);
	scene_stop();
}

static double misses_of_a(void)
{
	json_auto_t *stats = http_json(ask_as("root", "GET", "/stats/a", NULL));

	return json_number_value(json_object_get(stats, "misses"));
}

Test(tokens, a_request_under_way_ends_with_the_tokens_that_let_it_in)
{
	struct raw_socket waiting;

	WRITE_TOKENS("one", "rights=read namespaces=a");
	start_with_file();
	expect_status(ask_as("root", "PUT", "/cache/a/other", "x"), 201);
	expect_status(ask_as("one", "GET", "/cache/a/k?lease=60", NULL), 404);
	cr_assert(raw_open(&waiting, scene.server.url));
	(void)raw_send_text(&waiting, "GET /cache/a/k?wait=60 HTTP/1.1\r\nHost: localhost\r\n"
				      "Authorization: Bearer one\r\n\r\n");
	cr_assert(await_condition(misses_of_a() >= 2, 10000), "it does not wait");
	WRITE_TOKENS("two", "rights=read namespaces=*");
	hang_up("the tokens were read again");
	expect_status(ask_as("one", "GET", "/cache/a/k", NULL), 401);
	expect_status(ask_as("root", "PUT", "/cache/a/k", "value"), 201);
	cr_assert_eq(raw_await_answer(&waiting, 5000), 200, "%s", waiting.received);
	raw_close(&waiting);
	scene_stop();
}

Test(tokens, an_end_is_kept_to)
{
	char fields[100];

	(void)snprintf(fields, sizeof(fields), "rights=read namespaces=* expires=%lld",
		       (long long)time(NULL) + 2);
	WRITE_TOKENS("past", "rights=read namespaces=* expires=2020-01-01", "soon", fields, "later",
		     "rights=read namespaces=* expires=2999-01-01");
	start_with_file();
	const struct http_answer *answer = ask_as("past", "GET", "/cache/a/k", NULL);
	expect_status(answer, 401);
	expect_header(answer, "WWW-Authenticate",
		      "Bearer error=\"invalid_token\", error_description=\"expired\"");
	expect_status(ask_as("later", "GET", "/cache/a/k", NULL), 404);
	cr_assert(await_condition(ask_as("soon", "GET", "/cache/a/k", NULL)->status == 401, 10000));
	scene_stop();
}

Test(tokens, several_keys_in_the_environment)
{
	scene_env("STEADYCACHE_API_KEY=old\n new, with/any=byte ");
	scene_start();
	expect_status(ask_as("old", "GET", "/cache/a/k", NULL), 404);
	expect_status(ask_as("new, with/any=byte", "GET", "/cache/a/k", NULL), 404);
	expect_status(ask_as("new", "GET", "/cache/a/k", NULL), 401);
	/* The client commands use the first. */
	char command[1000];
	(void)snprintf(command, sizeof(command),
		       "STEADYCACHE_URL='%s' STEADYCACHE_API_KEY='%s' '%s' stats >/dev/null 2>&1",
		       scene.server.url, "old\nother", STEADYCACHE_BINARY);
	cr_expect_eq(system(command), 0);
	(void)snprintf(command, sizeof(command),
		       "STEADYCACHE_URL='%s' STEADYCACHE_API_KEY='%s' '%s' stats >/dev/null 2>&1",
		       scene.server.url, "other\nold", STEADYCACHE_BINARY);
	cr_expect_neq(system(command), 0);
	scene_stop();
}

Test(tokens, a_log_names_the_token_and_never_holds_one)
{
	char path[64];

	WRITE_TOKENS("hunter2", "rights=read namespaces=*");
	char *file = file_read(token_path, NULL);
	char *name = strstr(file, "name=hunter2");
	memcpy(name + 5, "visitor", 7);
	file_write(token_path, slice_of(file));
	free(file);
	scene_env("STEADYCACHE_API_KEY=swordfish");
	scene_env("STEADYCACHE_LOG_LEVEL=debug");
	scene_env("STEADYCACHE_ACCESS_LOG=1");
	scene_flag("--token-file");
	scene_flag(token_path);
	scene_start();
	expect_status(ask_as("hunter2", "GET", "/cache/a/k", NULL), 404);
	expect_status(ask_as("hunter2", "PUT", "/cache/a/k", "v"), 403);
	expect_status(ask_as("swordfish", "PUT", "/cache/a/k", "v"), 201);
	expect_status(ask_as("swordfishes", "PUT", "/cache/a/k", "v"), 401);
	file_write(token_path, SLICE("hunter2\n"));
	hang_up("line 1: ");
	cr_assert(server_await_log(&scene.server, "token=visitor", 5000));
	char *log = server_log(&scene.server);
	cr_expect_null(strstr(log, "hunter2"), "%s", log);
	cr_expect_null(strstr(log, "swordfish"), "%s", log);
	free(log);
	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)scene.server.pid);
	size_t len = 0;
	char *line = file_read(path, &len);
	cr_expect_null(memmem(line, len, "swordfish", 9));
	cr_expect_not_null(memmem(line, len, "--token-file", 12));
	free(line);
	scene_stop();
}

/* ---- At the start ---- */

static void expect_refused_start(const char *named)
{
	scene_expect_refused_start(named);
	cr_expect_eq(file_size(scene.data_dir), -1, "the data directory was made");
}

Test(tokens, bad_files_at_the_start)
{
	WRITE_TOKENS("one", "rights=reed namespaces=*");
	scene_env_printf("STEADYCACHE_TOKEN_FILE=%s", token_path);
	expect_refused_start("line 2: rights must be");
	scene_env("STEADYCACHE_TOKEN_FILE=/nonexistent/tokens");
	expect_refused_start("--token-file");
	scene_env("STEADYCACHE_API_KEY_FILE=/nonexistent/key");
	expect_refused_start("STEADYCACHE_API_KEY_FILE");
	scene_env("STEADYCACHE_API_KEY=\n");
	expect_refused_start("STEADYCACHE_API_KEY");
	scene_env("STEADYTEXT_D1_API_KEY_FILE=/nonexistent/key");
	scene_env("STEADYCACHE_BACKEND=d1");
	scene_env("STEADYCACHE_D1_API_URL=http://127.0.0.1:1");
	expect_refused_start("STEADYTEXT_D1_API_KEY_FILE");
}

/* With tokens the server may listen on any address. */
Test(tokens, a_token_file_opens_every_address)
{
	WRITE_TOKENS("one", "rights=read namespaces=*");
	scene_env_printf("STEADYCACHE_TOKEN_FILE=%s", token_path);
	scene_env("STEADYCACHE_LISTEN=0.0.0.0:0");
	scene_start();
	expect_status(ask_as("one", "GET", "/cache/a/k", NULL), 404);
	expect_status(ask_as(NULL, "GET", "/cache/a/k", NULL), 401);
	scene_stop();
}

/* Without files to reload, SIGHUP ends the server as it ends any program. */
Test(tokens, without_files_a_hang_up_is_the_end)
{
	scene_env("STEADYCACHE_API_KEY=root");
	scene_start();
	cr_assert_eq(kill(scene.server.pid, SIGHUP), 0);
	struct server_exit end = server_await_exit(&scene.server, 10000);
	cr_expect_eq(end.code, 128 + SIGHUP);
	free(end.log);
}

/* ---- steadycache token new ---- */

static int run(const char *arguments, char *ret, size_t size)
{
	char command[600];

	(void)snprintf(command, sizeof(command), "'%s' token new %s 2>&1", STEADYCACHE_BINARY,
		       arguments);
	FILE *program = popen(command, "re");
	cr_assert_not_null(program);
	ret[fread(ret, 1, size - 1, program)] = '\0';
	return WEXITSTATUS(pclose(program));
}

Test(tokens, a_new_token_opens_the_door)
{
	char printed[1000], again[1000], token[100], line[600];

	cr_assert_eq(run("--name ci --rights read,write --namespaces 'build-*' --rate 50:100 "
			 "--expires 2999-12-31",
			 printed, sizeof(printed)),
		     0, "%s", printed);
	cr_assert_eq(sscanf(printed, "%99[^\n]\n%599[^\n]\n", token, line), 2, "%s", printed);
	cr_expect_gt(strlen(token), 40);
	cr_expect_null(strstr(line, token));
	file_write(temp_dir_path(&scene.dir, "tokens", token_path), slice_of(line));
	start_with_file();
	expect_status(ask_as(token, "PUT", "/cache/build-1/k", "v"), 201);
	expect_status(ask_as(token, "PUT", "/cache/other/k", "v"), 403);
	expect_status(ask_as(token, "DELETE", "/cache/build-1", NULL), 403);
	cr_assert_eq(run("--name ci --rights read,write", again, sizeof(again)), 0);
	cr_expect_neq(strncmp(again, token, strlen(token)), 0, "two tokens are one");
	cr_expect_not_null(strstr(again, " namespaces=*\n"), "%s", again);
	scene_stop();
}

Test(tokens, a_new_token_needs_what_makes_sense)
{
	static const struct {
		const char *arguments, *named;
	} cases[] = {
		{"", "--name and --rights"},
		{"--name x", "--name and --rights"},
		{"--name x --rights all", "rights must"},
		{"--name 'x y' --rights read", "none of"},
		{"--name 'x rights=admin' --rights read", "twice"},
		{"--name x --rights read --rate 0", "rate must"},
		{"--name x --rights read --expires tomorrow", "expires must"},
		{"--name x --rights read --namespaces ''", "namespaces must"},
	};
	char printed[1000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(run(cases[i].arguments, printed, sizeof(printed)), 2, "%s: %s",
			     cases[i].arguments, printed);
		cr_expect_not_null(strstr(printed, cases[i].named), "%s: %s", cases[i].arguments,
				   printed);
	}
}
