#include "backends/redis/hello.h"

#include <stdlib.h>

#include "backends/redis/command.h"
#include "backends/redis/news.h"
#include "backends/redis/script.h"
#include "backends/redis/verdict.h"

#define CLIENT_NAME SLICE("steadycache")
#define MAJOR_MIN   6
#define MINOR_MIN   2

static void write_words(struct remote_request *request, const struct slice *words, size_t count)
{
	redis_command_begin(request, count);
	for (size_t i = 0; i < count; i++)
		redis_command_word(request, words[i]);
}

static void write_auth(const struct redis_url *url, struct remote_request *request)
{
	if (!url->password)
		return;
	redis_command_begin(request, url->user ? 3 : 2);
	redis_command_word(request, SLICE("AUTH"));
	if (url->user)
		redis_command_word(request, slice_of(url->user));
	redis_command_word(request, slice_of(url->password));
}

static void write_name(struct remote_request *request)
{
	write_words(request, (struct slice[]){SLICE("CLIENT"), SLICE("SETNAME"), CLIENT_NAME}, 3);
}

size_t redis_hello_write(const struct redis_url *url, struct remote_request *request,
			 unsigned *replies)
{
	size_t len;

	write_auth(url, request);
	if (url->db > 0) {
		redis_command_begin(request, 2);
		redis_command_word(request, SLICE("SELECT"));
		redis_command_integer(request, url->db);
	}
	write_name(request);
	write_words(request, (struct slice[]){SLICE("CLIENT"), SLICE("ID")}, 2);
	redis_hello_write_look(request);
	len = request->body.len;
	*replies = request->replies;
	redis_hello_write_script(true, request);
	redis_news_write_hello(url->prefix, request);
	return len;
}

void redis_hello_write_listener(const struct redis_url *url, struct remote_request *request)
{
	write_auth(url, request);
	write_name(request);
	redis_hello_write_look(request);
}

void redis_hello_write_look(struct remote_request *request)
{
	write_words(request, (struct slice[]){SLICE("INFO")}, 1);
}

void redis_hello_write_script(bool has_functions, struct remote_request *request)
{
	struct slice load = SLICE("LOAD");

	if (has_functions)
		write_words(request,
			    (struct slice[]){SLICE("FUNCTION"), load, redis_script_library()}, 3);
	else
		write_words(request, (struct slice[]){SLICE("SCRIPT"), load, redis_script_body()},
			    3);
}

void redis_hello_write_kill(int64_t client_id, struct remote_request *request)
{
	redis_command_begin(request, 4);
	redis_command_word(request, SLICE("CLIENT"));
	redis_command_word(request, SLICE("KILL"));
	redis_command_word(request, SLICE("ID"));
	redis_command_integer(request, client_id);
}

/* ---- INFO: lines "name:value" ---- */

/* The value of the line `name`; empty: there is none. */
static struct slice value_of(struct slice info, struct slice name)
{
	const char *at = info.data, *end = info.data + info.len;

	while (at && at < end) {
		const char *line_end = memchr(at, '\r', (size_t)(end - at));
		struct slice line = {
			.data = at,
			.len = (size_t)((line_end ? line_end : end) - at),
		};

		if (slice_starts_with(line, name) && line.len > name.len &&
		    line.data[name.len] == ':')
			return (struct slice){.data = line.data + name.len + 1,
					      .len = line.len - name.len - 1};
		at = line_end ? line_end + 1 : end;
		while (at < end && *at == '\n')
			at++;
	}
	return (struct slice){0};
}

/* Replies are NUL-terminated, so strtol ends. Valkey tells the version of Redis that it is like. */
static bool is_too_old(struct slice version)
{
	char *end = NULL;
	long major = version.len > 0 ? strtol(version.data, &end, 10) : MAJOR_MIN + 1;
	long minor = end && *end == '.' ? strtol(end + 1, NULL, 10) : 0;

	return major < MAJOR_MIN || (major == MAJOR_MIN && minor < MINOR_MIN);
}

/* As a server tells bytes. 0: it does not. */
static int64_t bytes_of(struct slice info, struct slice name)
{
	struct slice value = value_of(info, name);

	return value.len > 0 ? strtoll(value.data, NULL, 10) : 0;
}

/* In a Cluster any node tells who the masters are, and a replica sends on what only they may do. */
static struct slice check_info(const struct redis_url *url, struct slice info,
			       struct redis_hello *ret)
{
	struct slice run_id = value_of(info, SLICE("run_id"));
	struct slice cluster = value_of(info, SLICE("cluster_enabled"));

	if (run_id.len < sizeof(ret->run_id))
		memcpy(ret->run_id, run_id.data ? run_id.data : "", run_id.len);
	ret->memory_used = bytes_of(info, SLICE("used_memory"));
	ret->memory_max = bytes_of(info, SLICE("maxmemory"));
	if (slice_equal(value_of(info, SLICE("loading")), SLICE("1")))
		return SLICE("LOADING");
	if (is_too_old(value_of(info, SLICE("redis_version"))))
		return SLICE(REDIS_ERROR_OLD);
	if (cluster.len > 0 && slice_equal(cluster, SLICE("1")) != url->is_cluster)
		return url->is_cluster ? SLICE(REDIS_ERROR_ALONE) : SLICE(REDIS_ERROR_CLUSTER);
	if (!url->is_cluster && slice_equal(value_of(info, SLICE("role")), SLICE("slave")))
		return SLICE(REDIS_ERROR_REPLICA);
	if (slice_starts_with(value_of(info, SLICE("maxmemory_policy")), SLICE("allkeys")))
		return SLICE(REDIS_ERROR_EVICTS);
	return (struct slice){0};
}

/* ---- The replies ---- */

/* What ends a hello whatever it was said to. Other errors, as of a user who may not do all of it,
 * show with the requests, if it matters. */
bool redis_hello_is_over(const struct redis_reply *reply)
{
	static const char *const codes[] = {"LOADING", "MASTERDOWN", "NOAUTH", "DENIED",
					    "ERR max number of clients"};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (reply->kind == REPLY_ERROR &&
		    slice_starts_with(reply->text, slice_of(codes[i])))
			return true;
	return false;
}

struct slice redis_hello_read(const struct redis_url *url, const struct redis_reply *replies,
			      unsigned got, struct redis_hello *ret)
{
	unsigned must_work = (url->password ? 1U : 0U) + (url->db > 0 ? 1U : 0U);
	const struct redis_reply *id = &replies[must_work + 1], *info = id + 1, *script = info + 1;
	const struct redis_reply *publish = script + 1;

	*ret = (struct redis_hello){.has_functions = true, .may_publish = true};
	for (unsigned i = 0; i < got; i++)
		if (redis_hello_is_over(&replies[i]) ||
		    (i < must_work && replies[i].kind == REPLY_ERROR))
			return replies[i].text;
	if (got < must_work + 5)
		return (struct slice){0};
	if (id->kind == REPLY_INTEGER)
		ret->client_id = id->integer;
	ret->has_functions = script->kind != REPLY_ERROR ||
			     !slice_starts_with(script->text, SLICE("ERR unknown command"));
	ret->has_loaded = script->kind != REPLY_ERROR;
	ret->may_publish = !redis_reply_is_error(publish, SLICE("NOPERM"));
	return info->kind == REPLY_STRING ? check_info(url, info->text, ret) : (struct slice){0};
}

struct slice redis_hello_read_listener(const struct redis_url *url,
				       const struct redis_reply *replies, unsigned got,
				       struct redis_hello *ret)
{
	const struct redis_reply *info = &replies[url->password ? 2 : 1];

	*ret = (struct redis_hello){0};
	for (unsigned i = 0; i < got; i++)
		if (redis_hello_is_over(&replies[i]))
			return replies[i].text;
	if (url->password && replies[0].kind == REPLY_ERROR)
		return replies[0].text;
	return info->kind == REPLY_STRING ? check_info(url, info->text, ret) : (struct slice){0};
}

struct slice redis_hello_read_look(const struct redis_url *url, const struct redis_reply *reply,
				   struct redis_hello *ret)
{
	*ret = (struct redis_hello){0};
	if (redis_hello_is_over(reply))
		return reply->text;
	return reply->kind == REPLY_STRING ? check_info(url, reply->text, ret) : (struct slice){0};
}
