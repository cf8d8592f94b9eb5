/* The parts below the connections to Redis: URLs, settings, replies however they are cut, the
 * hello, and what refusals mean. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/redis/hello.h"
#include "backends/redis/redirect.h"
#include "backends/redis/redis.h"
#include "backends/redis/reply.h"
#include "backends/redis/script.h"
#include "backends/redis/settings.h"
#include "backends/redis/url.h"
#include "backends/redis/verdict.h"
#include "base/clock.h"

static struct redis_url url;
static char error[400];

static bool read_url(const char *text)
{
	*error = '\0';
	return redis_url_read(&url, text, error, sizeof(error));
}

static bool is(const char *text, const char *wanted)
{
	return text && strcmp(text, wanted) == 0;
}

Test(redis_url, has_a_host_and_more)
{
	cr_assert(read_url("redis://host"));
	cr_expect(is(url.servers[0].host, "host") && url.servers[0].port == 6379 && url.db == 0);
	cr_expect(!url.user && !url.password && !url.has_tls && !url.path && !url.prefix);
	redis_url_deinit(&url);
	cr_assert(read_url("rediss://us%40er:p%3Aw@host.example:7000/12?prefix=a%20b&timeout=0.5&"
			   "connect_timeout=2&connections=7"));
	cr_expect(is(url.servers[0].host, "host.example") && url.servers[0].port == 7000 &&
		  url.db == 12);
	cr_expect(is(url.user, "us@er") && is(url.password, "p:w") && url.has_tls);
	cr_expect(is(url.prefix, "a b") && url.connections == 7);
	cr_expect_eq(url.timeout_us, US_PER_S / 2);
	cr_expect_eq(url.connect_timeout_us, 2 * US_PER_S);
	redis_url_deinit(&url);
	cr_assert(read_url("REDIS://:p@ss@[::1]:6380/"));
	cr_expect(is(url.servers[0].host, "::1") && url.servers[0].port == 6380 && !url.user);
	cr_expect(is(url.password, "p@ss"));
	redis_url_deinit(&url);
	cr_assert(read_url("unix:///run/redis%20a.sock?db=3"));
	cr_expect(is(url.path, "/run/redis a.sock") && url.db == 3 && !url.servers);
	redis_url_deinit(&url);
}

Test(redis_url, names_nodes_of_a_cluster)
{
	cr_assert(read_url("redis://u:p@one:7000,two,[::1],[fe80::2]:7003/?cluster=1"));
	cr_assert_eq(url.server_count, 4);
	cr_expect(is(url.servers[0].host, "one") && url.servers[0].port == 7000);
	cr_expect(is(url.servers[1].host, "two") && url.servers[1].port == 6379);
	cr_expect(is(url.servers[2].host, "::1") && url.servers[2].port == 6379);
	cr_expect(is(url.servers[3].host, "fe80::2") && url.servers[3].port == 7003);
	cr_expect(url.is_cluster && url.partitions == REDIS_URL_PARTITIONS);
	cr_expect(is(url.user, "u") && is(url.password, "p"));
	redis_url_deinit(&url);
	cr_assert(read_url("rediss://one?partitions=3&cluster=1"));
	cr_expect(url.is_cluster && url.has_tls && url.partitions == 3);
	redis_url_deinit(&url);
	cr_assert(read_url("redis://one?cluster=0"));
	cr_expect(!url.is_cluster && url.partitions == 1);
	redis_url_deinit(&url);
}

Test(redis_url, is_refused_in_one_sentence_without_the_password)
{
	static const char *const wrong[] = {
		"http://host",
		"redis:/host",
		"redis://",
		"redis://:sesame@",
		"redis://sesame@host",
		"redis://:@host",
		"redis://user:ses%zzame@host",
		"redis://user:sesame%0@host",
		"redis://user:sesame%@host",
		"redis://user:sesame%00@host",
		"redis://:sesame@host:0",
		"redis://:sesame@host:65536",
		"redis://:sesame@host:port",
		"redis://:sesame@host/one",
		"redis://:ses/ame@host",
		"redis://:sesame@host/1/2",
		"redis://:sesame@host/99999999999",
		"redis://:sesame@ho st",
		"redis://[::1",
		"redis://[]:1",
		"redis://[::1]x",
		"redis://h?sesame=1",
		"redis://h?db=",
		"redis://h?db=-1",
		"redis://h?timeout=0",
		"redis://h?timeout=soon",
		"redis://h?timeout=1.1.1",
		"redis://:sesame@h,",
		"redis://:sesame@h,,i?cluster=1",
		"redis://:sesame@h,i",
		"redis://:sesame@h,i?cluster=0",
		"redis://:sesame@h,i:x?cluster=1",
		"redis://:sesame@h,:sesame@i?cluster=1",
		"redis://h,:sesame@i?cluster=1",
		"redis://:ses?ame@h",
		"redis://h?timeout=0.04",
		"redis://h?cluster=yes",
		"redis://h/1?cluster=1",
		"redis://h?cluster=1&db=2",
		"unix:///a?cluster=1",
		"redis://h?partitions=2",
		"redis://h?cluster=1&partitions=0",
		"redis://h?cluster=1&partitions=1025",
		"redis://h?connections=0",
		"redis://h?connections=65",
		"redis://h?prefix=",
		"redis://h?prefix={a}",
		"unix://relative",
		"unix://",
		"unix:///a%00b",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_expect_not(read_url(wrong[i]), "%s", wrong[i]);
		cr_expect_eq(strncmp(error, "the URL of Redis: ", 18), 0, "%s", wrong[i]);
		cr_expect_null(strstr(error, "sesame"), "%s", error);
		cr_expect_null(strchr(error, '\n'));
	}
	char longest[300] = "unix:///";
	memset(longest + strlen(longest), 'a', 200);
	cr_expect_not(read_url(longest));
}

Test(redis_settings, take_what_the_url_does_not_say_from_options)
{
	const struct redis_config told = {.user = "u",
					  .password = "p",
					  .prefix = "mine",
					  .connections = 5,
					  .retries = 3,
					  .timeout_us = 77};
	struct backend_config config = {.url = "redis://h", .settings = &told};
	struct redis_settings own;
	struct remote_settings remote;

	cr_assert(redis_settings_check(&config, error, sizeof(error)), "%s", error);
	cr_assert(redis_settings_init(&own, &remote, &config, error, sizeof(error)));
	cr_expect(is(own.url.user, "u") && is(own.url.password, "p") && is(own.url.prefix, "mine"));
	cr_expect_eq(own.url.connections, 5);
	cr_expect_eq(remote.retries, 3);
	cr_expect_eq(remote.timeout_us, 77);
	redis_settings_deinit(&own);
	remote_settings_deinit(&remote);
	config.url = "redis://a:b@h?prefix=other&connections=2&timeout=3";
	cr_assert(redis_settings_init(&own, &remote, &config, error, sizeof(error)));
	cr_expect(is(own.url.user, "a") && is(own.url.password, "b") &&
		  is(own.url.prefix, "other"));
	cr_expect_eq(own.url.connections, 2);
	cr_expect_eq(remote.timeout_us, 3 * US_PER_S);
	redis_settings_deinit(&own);
	remote_settings_deinit(&remote);
	config = (struct backend_config){0};
	cr_assert(redis_settings_init(&own, &remote, &config, error, sizeof(error)));
	cr_expect(is(own.url.servers[0].host, "127.0.0.1") && is(own.url.prefix, "steadycache"));
	redis_settings_deinit(&own);
	remote_settings_deinit(&remote);
}

/* Two stores in one Redis: a store of large values belongs to one of them. */
Test(redis_settings, the_scope_is_the_prefix)
{
	const struct redis_config told = {.prefix = "mine"};
	struct backend_config config = {.url = "redis://h", .settings = &told};
	char scope[100];

	redis_backend_ops.scope(&config, scope, sizeof(scope));
	cr_expect(is(scope, "mine"));
	config.url = "redis://u:secret@h?prefix=other";
	redis_backend_ops.scope(&config, scope, sizeof(scope));
	cr_expect(is(scope, "other"));
}

static void expect_refused(const char *text, struct redis_config told, const char *word)
{
	const struct backend_config config = {.url = text, .settings = &told};

	cr_expect_not(redis_settings_check(&config, error, sizeof(error)), "%s", word);
	cr_expect_not_null(strstr(error, word), "%s", error);
}

Test(redis_settings, are_refused_with_the_option_at_fault)
{
	expect_refused("redis://h", (struct redis_config){.prefix = "{"}, "--redis-prefix");
	expect_refused("redis://h", (struct redis_config){.user = "u"},
		       "STEADYCACHE_REDIS_PASSWORD");
	expect_refused("redis://h", (struct redis_config){.ca_file = "/x"}, "--redis-ca-file");
	expect_refused("rediss://h", (struct redis_config){.ca_file = "/nonexistent"},
		       "--redis-ca-file");
	expect_refused("rediss://h", (struct redis_config){.ca_file = "/dev/null"},
		       "--redis-ca-file");
	expect_refused("rediss://h", (struct redis_config){.cert_file = "/x"}, "--redis-key-file");
	expect_refused(
		"rediss://h",
		(struct redis_config){.cert_file = "/nonexistent", .key_file = "/nonexistent"},
		"--redis-cert-file");
}

/* ---- Replies ---- */

static const char stream[] =
	"+OK\r\n-ERR no\r\n:-5\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*-1\r\n*0\r\n"
	"*3\r\n:1\r\n*2\r\n$2\r\nxy\r\n*1\r\n$-1\r\n+last\r\n";

static void expect_text(const struct redis_reply *reply, enum redis_reply_kind kind,
			struct slice text)
{
	cr_expect_eq(reply->kind, kind);
	cr_expect(slice_equal(reply->text, text));
	cr_expect_eq(reply->text.data[text.len], '\0');
}

static void check_replies(const struct redis_reply *replies)
{
	expect_text(&replies[0], REPLY_STATUS, SLICE("OK"));
	expect_text(&replies[1], REPLY_ERROR, SLICE("ERR no"));
	cr_expect(redis_reply_is_error(&replies[1], SLICE("ERR")));
	cr_expect_not(redis_reply_is_error(&replies[1], SLICE("ER")));
	cr_expect_not(redis_reply_is_error(&replies[0], SLICE("OK")));
	cr_expect(replies[2].kind == REPLY_INTEGER && replies[2].integer == -5);
	cr_expect_eq(replies[3].kind, REPLY_NIL);
	expect_text(&replies[4], REPLY_STRING, SLICE(""));
	expect_text(&replies[5], REPLY_STRING, SLICE("a\r\nb"));
	cr_expect_eq(replies[6].kind, REPLY_NIL);
	cr_expect(replies[7].kind == REPLY_ARRAY && replies[7].count == 0);
	cr_assert(replies[8].kind == REPLY_ARRAY && replies[8].count == 3);
	const struct redis_reply *inner = redis_reply_element(&replies[8], 1, REPLY_ARRAY);
	cr_assert(inner && inner->count == 2);
	expect_text(&inner->elements[0], REPLY_STRING, SLICE("xy"));
	cr_expect_eq(inner->elements[1].elements[0].kind, REPLY_NIL);
	expect_text(&replies[8].elements[2], REPLY_STATUS, SLICE("last"));
	cr_expect_null(redis_reply_element(&replies[8], 3, REPLY_INTEGER));
	cr_expect_null(redis_reply_element(&replies[8], 0, REPLY_STRING));
	cr_expect_null(redis_reply_element(&replies[0], 0, REPLY_STRING));
}

/* Feeds the stream in two pieces, or in pieces of `size`. */
static void read_stream(size_t first, size_t size)
{
	struct redis_reader *reader = redis_reader_create(1000);
	struct redis_reply replies[9];
	size_t count = 0, len = sizeof(stream) - 1;

	for (size_t at = 0; at < len;) {
		size_t piece = at == 0 && first > 0 ? first : size;

		if (piece > len - at)
			piece = len - at;
		cr_assert(redis_reader_feed(reader, (struct slice){stream + at, piece}));
		at += piece;
		while (count < 9 && redis_reader_next(reader, &replies[count]) == READ_REPLY)
			count++;
	}
	cr_assert_eq(count, 9);
	cr_expect_eq(redis_reader_next(reader, &replies[0]), READ_MORE);
	check_replies(replies);
	for (size_t i = 0; i < count; i++)
		redis_reply_deinit(&replies[i]);
	redis_reader_free(reader);
}

Test(redis_reply, is_read_however_the_stream_is_cut)
{
	for (size_t i = 1; i < sizeof(stream) - 1; i++) {
		read_stream(i, sizeof(stream));
		read_stream(0, i);
	}
}

static enum redis_read read_one(const char *text)
{
	struct redis_reader *reader = redis_reader_create(100);
	struct redis_reply reply = {0};
	enum redis_read result;

	cr_assert(redis_reader_feed(reader, slice_of(text)));
	result = redis_reader_next(reader, &reply);
	redis_reply_deinit(&reply);
	redis_reader_free(reader);
	return result;
}

Test(redis_reply, is_not_what_is_of_no_protocol_or_too_large)
{
	cr_expect_eq(read_one("HTTP/1.1 400 Bad Request\r\n"), READ_BAD);
	cr_expect_eq(read_one("\x15\x03\x03"), READ_BAD);
	cr_expect_eq(read_one("$abc\r\n"), READ_BAD);
	cr_expect_eq(read_one(":12a\r\n"), READ_BAD);
	cr_expect_neq(read_one("*1000000\r\n"), READ_REPLY, "more elements than bytes are read");
	cr_expect_neq(read_one("*1000000\r\n"), READ_MORE);
	cr_expect_eq(
		read_one("$200\r\n0123456789012345678901234567890123456789012345678901234567890"
			 "1234567890123456789012345678901234567890123456789"),
		READ_BAD);
	cr_expect_eq(read_one("*2\r\n*2\r\n$3\r\nabc\r\n"), READ_MORE);
}

/* ---- The hello ---- */

static struct redis_reply text_reply(enum redis_reply_kind kind, const char *text)
{
	return (struct redis_reply){.kind = kind, .text = slice_of(text)};
}

Test(redis_hello, says_who_what_and_where)
{
	struct remote_request request = {0};

	cr_assert(read_url("redis://me:secret@h/2"));
	unsigned first = 0;
	size_t len = redis_hello_write(&url, &request, &first);
	cr_expect_eq(request.replies, 7);
	cr_expect_eq(first, 5);
	cr_expect_lt(len, 300, "the script waits");
	cr_expect(slice_starts_with(
		buffer_bytes(&request.body),
		SLICE("*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n"
		      "*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n*3\r\n$6\r\nCLIENT\r\n")));
	remote_request_deinit(&request);
	redis_url_deinit(&url);
}

Test(redis_hello, reads_what_the_server_is)
{
	struct redis_hello hello;
	struct redis_reply replies[] = {
		text_reply(REPLY_STATUS, "OK"),
		{.kind = REPLY_INTEGER, .integer = 17},
		text_reply(REPLY_STRING, "# Server\r\nredis_version:7.2.4\r\nrun_id:abc\r\n"
					 "role:master\r\nmaxmemory_policy:noeviction\r\n"),
		text_reply(REPLY_ERROR, "ERR Library 'steadycache_2' already exists"),
		{.kind = REPLY_INTEGER, .integer = 0},
	};

	cr_assert(read_url("redis://h"));
	cr_expect_eq(redis_hello_read(&url, replies, 5, &hello).len, 0);
	cr_expect_eq(hello.client_id, 17);
	cr_expect_str_eq(hello.run_id, "abc");
	cr_expect(hello.has_functions);
	cr_expect(hello.may_publish);
	replies[4] = text_reply(REPLY_ERROR, "NOPERM this user has no permissions to access one of "
					     "the channels used as arguments");
	cr_expect_eq(redis_hello_read(&url, replies, 5, &hello).len, 0);
	cr_expect_not(hello.may_publish);
	replies[3] = text_reply(REPLY_ERROR, "ERR unknown command `FUNCTION`, with args");
	cr_expect_eq(redis_hello_read(&url, replies, 5, &hello).len, 0);
	cr_expect_not(hello.has_functions);
	replies[2] = text_reply(REPLY_ERROR, "NOPERM this user has no permissions to run INFO");
	cr_expect_eq(redis_hello_read(&url, replies, 5, &hello).len, 0, "its server may fit");
	replies[0] = text_reply(REPLY_ERROR, "ERR max number of clients reached");
	cr_expect(slice_equal(redis_hello_read(&url, replies, 1, &hello), replies[0].text));
	redis_url_deinit(&url);
}

Test(redis_script, is_whole_and_has_its_digest)
{
	struct slice library = redis_script_library(), body = redis_script_body();

	cr_expect(slice_starts_with(library, SLICE("#!lua name=" REDIS_SCRIPT_LIBRARY "\n")));
	cr_expect(slice_starts_with(body, SLICE("--[[")));
	cr_expect_eq(body.data + body.len, library.data + library.len);
	cr_expect_eq(strspn(redis_script_sha1, "0123456789abcdef"), 40);
}

/* ---- Verdicts ---- */

static const struct remote_protocol protocol = {.sentences = redis_verdict_sentences};
static const struct remote_context context = {.protocol = &protocol};

static struct remote_verdict judge(const char *text)
{
	const struct redis_reply replies[] = {{.kind = REPLY_NIL}, text_reply(REPLY_ERROR, text)};
	const struct remote_answer answer = {
		.failure = FAILURE_NONE, .native = replies, .native_count = 2};

	cr_expect_eq(redis_verdict_error(&answer), &replies[1]);
	return redis_verdict_judge(&context, FAILURE_NONE, &answer);
}

Test(redis_verdict, tells_what_to_change)
{
	static const struct {
		const char *text;
		enum cache_status status;
		bool may_retry, is_outage;
		const char *word;
	} cases[] = {
		{"LOADING Redis is loading", CACHE_UNAVAILABLE, true, true, "try again"},
		{"MASTERDOWN Link with MASTER", CACHE_UNAVAILABLE, true, true,
		 "STEADYCACHE_BACKEND"},
		{"READONLY You can't write", CACHE_UNAVAILABLE, true, true, "STEADYCACHE_BACKEND"},
		{"CLUSTERDOWN Hash slot not served", CACHE_UNAVAILABLE, true, true, "try again"},
		{"BUSY Redis is busy", CACHE_UNAVAILABLE, true, true, "try again"},
		{"OOM command not allowed", CACHE_NO_SPACE, false, false, "maxmemory"},
		{"NOAUTH Authentication required.", CACHE_UNAVAILABLE, false, false,
		 "STEADYCACHE_REDIS_PASSWORD"},
		{"WRONGPASS invalid username", CACHE_UNAVAILABLE, false, false,
		 "STEADYCACHE_REDIS_PASSWORD"},
		{"NOPERM this user", CACHE_UNAVAILABLE, false, false, "docs/redis.md"},
		{"ERR The user executing the script can't run", CACHE_UNAVAILABLE, false, false,
		 "docs/redis.md"},
		{"STEADYERR The user executing the script can't", CACHE_UNAVAILABLE, false, false,
		 "docs/redis.md"},
		{"ERR ACL failure in script: User x", CACHE_UNAVAILABLE, false, false,
		 "docs/redis.md"},
		{"MISCONF Redis is configured", CACHE_UNAVAILABLE, false, false, "log"},
		{"MOVED 1234 127.0.0.1:7001", CACHE_UNAVAILABLE, false, false, "Cluster"},
		{"ERR max number of clients reached", CACHE_UNAVAILABLE, true, true, "maxclients"},
		{REDIS_ERROR_OLD, CACHE_UNAVAILABLE, false, false, "6.2"},
		{REDIS_ERROR_EVICTS, CACHE_UNAVAILABLE, false, false, "maxmemory-policy"},
		{"WRONGTYPE Operation", CACHE_UNAVAILABLE, false, false, "--redis-prefix"},
		{"ERR Script killed by user with SCRIPT KILL...", CACHE_UNAVAILABLE, true, false,
		 "KILL"},
		{"STEADYERR Script killed by user", CACHE_UNAVAILABLE, true, false, "KILL"},
		{"STRANGE thing", CACHE_UNAVAILABLE, false, false, "protocol"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct remote_verdict verdict = judge(cases[i].text);

		cr_expect_eq(verdict.status, cases[i].status, "%s", cases[i].text);
		cr_expect_eq(verdict.may_retry, cases[i].may_retry, "%s", cases[i].text);
		cr_expect_eq(verdict.is_outage, cases[i].is_outage, "%s", cases[i].text);
		cr_expect_not_null(strstr(verdict.sentence, cases[i].word), "%s: %s", cases[i].text,
				   verdict.sentence);
		cr_expect_lt(strlen(verdict.sentence), 120, "%s", verdict.sentence);
	}
	for (size_t i = 0; i < REMOTE_SENTENCES; i++)
		cr_expect_lt(strlen(redis_verdict_sentences[i]), 120);
}

Test(redis_verdict, knows_a_server_without_functions)
{
	const struct redis_reply replies[] = {
		text_reply(REPLY_ERROR,
			   "ERR unknown command `FCALL`, with args beginning with: `x`"),
		text_reply(REPLY_ERROR,
			   "ERR unknown command `GETEX`, with args beginning with: `x`"),
	};
	struct remote_answer answer = {
		.failure = FAILURE_NONE, .native = replies, .native_count = 1};

	cr_expect(redis_verdict_lacks_functions(&answer));
	answer.native = &replies[1];
	cr_expect_not(redis_verdict_lacks_functions(&answer));
	cr_expect(redis_verdict_is_refusal(&replies[0]));
}

Test(redis_verdict, of_no_answer_is_that_of_every_upstream)
{
	const struct remote_answer none = {.failure = FAILURE_TIMEOUT};

	cr_expect_eq(redis_verdict_judge(&context, FAILURE_TIMEOUT, &none).status, CACHE_TIMEOUT);
	cr_expect_str_eq(redis_verdict_judge(&context, FAILURE_CONNECT, &none).sentence,
			 redis_verdict_sentences[SENTENCE_UNREACHABLE]);
}

/* ---- Redirections ---- */

static struct redis_redirect redirect_of(const char *text)
{
	const struct redis_reply reply = {.kind = REPLY_ERROR, .text = slice_of(text)};

	return redis_redirect_read(&reply);
}

static void expect_target(const char *text, enum redis_redirect_kind kind, unsigned slot,
			  const char *host, unsigned port)
{
	struct redis_redirect to = redirect_of(text);

	cr_expect_eq(to.kind, kind, "%s", text);
	cr_expect_eq(to.slot, slot, "%s", text);
	cr_expect_eq(to.port, port, "%s", text);
	cr_expect(slice_equal(to.host, slice_of(host)), "%s", text);
}

Test(redis_redirect, names_a_node)
{
	expect_target("MOVED 3999 127.0.0.1:6381", REDIRECT_MOVED, 3999, "127.0.0.1", 6381);
	expect_target("ASK 16383 node.example:1", REDIRECT_ASK, 16383, "node.example", 1);
	expect_target("MOVED 0 2001:db8::1:65535", REDIRECT_MOVED, 0, "2001:db8::1", 65535);
	expect_target("MOVED 1 :7001", REDIRECT_MOVED, 1, "", 7001);
	expect_target("MOVED 1 ?:7001", REDIRECT_MOVED, 1, "", 7001);
}

Test(redis_redirect, is_none_if_it_is_not_whole)
{
	static const char *const others[] = {
		"MOVED",       "MOVED 16384 h:1", "MOVED 1 h",  "MOVED 1 h:0",
		"MOVED 1 h:x", "MOVED x h:1",     "MOVED 1 h:", "MOVED 1 h:65536",
		"MOVEDNOT",    "ERR MOVED 1 h:1", "OOM",        "CROSSSLOT",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_expect_eq(redirect_of(others[i]).kind, REDIRECT_NONE, "%s", others[i]);
	cr_expect_eq(redirect_of("TRYAGAIN x").kind, REDIRECT_LATER);
	cr_expect_eq(redirect_of("CLUSTERDOWN x").kind, REDIRECT_LATER);
}
