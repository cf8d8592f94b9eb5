/* Everything that can go wrong between the server and a real Redis. Always expected: the client
 * gets a 503, 504 or 507 with one helpful sentence, never a miss or a wrong value; and once Redis
 * is well, so is the server, within a second. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/process/redis_scene.h"

REDIS_SUITE(redis_faults);

static void start_with_entry(const char *arguments, const char *rest)
{
	redis_scene_start(arguments);
	redis_scene_serve(rest);
	expect_status(scene_put("k", "value"), 201);
	expect_body(scene_get("k"), SLICE("value"));
}

/* The figure of this name in /metrics; -1: there is none. */
static double figure(const char *name)
{
	const struct http_answer *answer = http_get(scene.client, "/metrics");
	char line[100];

	expect_status(answer, 200);
	(void)snprintf(line, sizeof(line), "\nsteadycache_redis_%s ", name);
	const char *at = strstr(answer->body, line);
	return at ? strtod(at + strlen(line), NULL) : -1;
}

/* Waits until it is that large; the last that it was. */
static double await_figure(const char *name, double wanted)
{
	double is = -1;

	for (int i = 0; i < 1000 && (is = figure(name)) < wanted; i++)
		(void)usleep(10000);
	return is;
}

Test(redis_faults, killed_and_started_again)
{
	start_with_entry("--appendonly yes --appendfsync always", "");
	for (int i = 0; i < 2; i++) {
		redis_scene_kill();
		redis_scene_expect_failure(scene_get("k"), 503, "Redis");
		redis_scene_expect_failure(scene_put("k", "other"), 503, "Redis");
		cr_expect_eq(await_figure("servers_down", 1), 1);
		cr_expect_gt(figure("connects_failed_total"), 0);
		redis_scene_start("--appendonly yes --appendfsync always");
		cr_expect_lt(redis_scene_await(200), 1.5);
		expect_body(scene_get("k"), SLICE("value"));
		expect_status(scene_put("l", "value"), i == 0 ? 201 : 204);
		cr_expect_eq(figure("servers_down"), 0);
		cr_expect_geq(figure("connects_total"), i + 2);
		cr_expect_gt(figure("connections"), 0);
	}
	cr_expect_eq(figure("servers"), 1);
	cr_expect_gt(figure("memory_used_bytes"), 100000);
	cr_expect_eq(figure("memory_max_bytes"), 0);
	cr_expect_gt(figure("commands_total"), 8);
	cr_expect_eq(figure("cluster_moved_total"), -1, "it is no Cluster");
	scene_stop();
}

Test(redis_faults, not_there_at_the_start)
{
	redis_scene_serve("");
	redis_scene_expect_failure(scene_get("k"), 503, "STEADYCACHE_BACKEND");
	redis_scene_start("");
	cr_expect_lt(redis_scene_await(404), 1.5);
	scene_stop();
}

/* What was sent before the pause must not come after what was sent later. */
Test(redis_faults, paused)
{
	start_with_entry("", "?timeout=0.5");
	redis_scene_signal(SIGSTOP);
	redis_scene_expect_failure(scene_get("k"), 504, "in time");
	redis_scene_expect_failure(scene_put("k", "late"), 504, "in time");
	redis_scene_signal(SIGCONT);
	cr_expect_lt(redis_scene_await(200), 1.5);
	expect_status(scene_put("k", "after"), 204);
	for (int i = 0; i < 20; i++) {
		expect_body(scene_get("k"), SLICE("after"));
		(void)usleep(10000);
	}
	scene_stop();
}

/* Whoever does not need Redis is answered meanwhile. */
Test(redis_faults, paused_and_nobody_else_waits)
{
	struct http_client *other;

	start_with_entry("", "?timeout=1");
	other = http_client_open(scene.server.url, NULL);
	redis_scene_signal(SIGSTOP);
	struct raw_socket waits;
	cr_assert(raw_open(&waits, scene.server.url));
	cr_assert(raw_send_text(&waits, "GET /cache/ns/k HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	for (int i = 0; i < 10; i++) {
		long long began_ms = steady_now_ms();

		expect_status(http_get(other, "/healthz"), 200);
		cr_expect_lt(steady_now_ms() - began_ms, 500);
	}
	cr_expect_eq(raw_await_answer(&waits, 3000), 504);
	raw_close(&waits);
	redis_scene_signal(SIGCONT);
	cr_expect_lt(redis_scene_await(200), 1.5);
	http_client_close(other);
	scene_stop();
}

Test(redis_faults, started_again_without_its_data)
{
	start_with_entry("", "");
	redis_scene_kill();
	redis_scene_start("");
	cr_expect_lt(redis_scene_await(404), 1.5);
	expect_status(scene_put("k", "new"), 201);
	expect_body(scene_get("k"), SLICE("new"));
	redis_scene_tell("FLUSHALL");
	expect_status(scene_get("k"), 404);
	expect_status(scene_put("k", "newer"), 201);
	cr_expect_eq(scene_stat("entry_count"), 1);
	scene_stop();
}

/* ---- What Redis refuses ---- */

Test(redis_faults, busy_with_a_script)
{
	char line[300];

	start_with_entry("--busy-reply-threshold 50", "?timeout=0.5");
	snprintf(line, sizeof(line), "redis-cli -p %d EVAL 'while true do end' 0 >/dev/null 2>&1 &",
		 redis_scene_port());
	cr_assert_eq(system(line), 0);
	cr_assert(await_condition(strstr(redis_scene_tell("PING"), "BUSY"), 5000));
	redis_scene_expect_failure(scene_put("k", "other"), 503, "script");
	redis_scene_tell("SCRIPT KILL");
	cr_expect_lt(redis_scene_await(200), 1.5);
	scene_stop();
}

Test(redis_faults, keys_that_somebody_else_uses)
{
	start_with_entry("", "");
	redis_scene_tell("SET 'steadycache:{ns:0}:v' x");
	redis_scene_expect_failure(scene_get("k"), 503, "--redis-prefix");
	redis_scene_expect_failure(scene_put("k", "other"), 503, "--redis-prefix");
	redis_scene_tell("FLUSHALL");
	expect_status(scene_put("k", "other"), 201);
	redis_scene_tell("DEL 'steadycache:{ns:0}:m'");
	redis_scene_tell("LPUSH 'steadycache:{ns:0}:m' x");
	redis_scene_expect_failure(scene_put("k", "third"), 503, "--redis-prefix");
	expect_status(http_get(scene.client, "/healthz"), 200);
	scene_stop();
}

static bool is_the_only_one(struct raw_socket *socket, const char *url)
{
	if (raw_open(socket, url) && raw_send_text(socket, "PING\r\n") &&
	    raw_await(socket, "PONG", 1000))
		return true;
	raw_close(socket);
	return false;
}

Test(redis_faults, too_many_clients)
{
	struct raw_socket only;
	char url[64];

	redis_scene_start("--maxclients 1");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", redis_scene_port());
	cr_assert(await_condition(is_the_only_one(&only, url), 5000));
	redis_scene_serve("");
	redis_scene_expect_failure(scene_get("k"), 503, "maxclients");
	raw_close(&only);
	cr_expect_lt(redis_scene_await(404), 1.5);
	scene_stop();
}

Test(redis_faults, without_the_replicas_that_it_wants)
{
	start_with_entry("", "");
	redis_scene_tell("CONFIG SET min-replicas-to-write 1");
	redis_scene_expect_failure(scene_put("k", "other"), 503, "min-replicas-to-write");
	expect_body(scene_get("k"), SLICE("value"));
	redis_scene_tell("CONFIG SET min-replicas-to-write 0");
	expect_status(scene_put("k", "other"), 204);
	scene_stop();
}

Test(redis_faults, without_a_disk)
{
	char path[TEMP_PATH_SIZE + 40];

	start_with_entry("", "");
	snprintf(path, sizeof(path), "mkdir -p %s/x", redis_scene_path("dump.rdb"));
	cr_assert_eq(system(path), 0);
	redis_scene_tell("CONFIG SET save '3600 1'");
	redis_scene_tell("BGSAVE");
	cr_assert(await_condition(
		strstr(redis_scene_tell("INFO persistence"), "rdb_last_bgsave_status:err"), 5000));
	redis_scene_expect_failure(scene_put("k", "other"), 503, "disk");
	expect_body(scene_get("k"), SLICE("value"));
	scene_stop();
}

Test(redis_faults, the_script_is_lost)
{
	start_with_entry("", "");
	for (int i = 0; i < 3; i++) {
		redis_scene_tell("FUNCTION FLUSH");
		expect_status(scene_put("k", "other"), 204);
		expect_body(scene_get("k"), SLICE("other"));
	}
	cr_expect_geq(figure("script_loads_total"), 4);
	cr_expect_geq(await_figure("uses_told_total", 1), 1);
	scene_stop();
}

Test(redis_faults, without_functions)
{
	start_with_entry("--rename-command FUNCTION EMPTY --rename-command FCALL EMPTY "
			 "--rename-command FCALL_RO EMPTY",
			 "");
	redis_scene_tell("SCRIPT FLUSH");
	expect_status(scene_put("k", "other"), 204);
	expect_body(scene_get("k"), SLICE("other"));
	expect_status(http_delete(scene.client, "/cache/ns/k"), 204);
	expect_status(scene_get("k"), 404);
	scene_stop();
}

Test(redis_faults, full)
{
	char value[100001];
	long status = 201;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	start_with_entry("--maxmemory 4mb --maxmemory-policy noeviction", "");
	for (int i = 0; i < 200 && status == 201; i++) {
		char key[20];

		snprintf(key, sizeof(key), "big%d", i);
		const struct http_answer *answer = scene_put(key, value);
		status = answer->status;
		if (status != 201)
			redis_scene_expect_failure(answer, 507, "maxmemory");
	}
	cr_expect_eq(status, 507);
	expect_body(scene_get("k"), SLICE("value"));
	cr_expect_geq(await_figure("memory_fullest_percent", 90), 90);
	cr_expect_eq(figure("memory_max_bytes"), 4 << 20);
	expect_status(http_delete(scene.client, "/cache/ns/k"), 204);
	expect_status(http_get(scene.client, "/cache/ns"), 200);
	expect_status(http_delete(scene.client, "/cache/ns?prefix=big1"), 204);
	expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
	expect_status(scene_put("k", "again"), 201);
	redis_scene_tell("CONFIG SET maxmemory 0");
	expect_status(scene_put("l", "again"), 201);
	scene_stop();
}

Test(redis_faults, evicting_by_itself)
{
	redis_scene_start("--maxmemory 100mb --maxmemory-policy allkeys-lru");
	redis_scene_serve("");
	redis_scene_expect_failure(scene_put("k", "value"), 503, "maxmemory-policy");
	redis_scene_tell("CONFIG SET maxmemory-policy noeviction");
	cr_expect_lt(redis_scene_await(404), 1.5);
	scene_stop();
}

Test(redis_faults, a_replica)
{
	redis_scene_start("--replicaof 127.0.0.1 1");
	redis_scene_serve("");
	redis_scene_expect_failure(scene_get("k"), 503, "replica");
	redis_scene_expect_failure(scene_put("k", "value"), 503, "replica");
	redis_scene_tell("REPLICAOF NO ONE");
	cr_expect_lt(redis_scene_await(404), 1.5);
	expect_status(scene_put("k", "value"), 201);
	redis_scene_tell("REPLICAOF 127.0.0.1 1");
	redis_scene_expect_failure(scene_put("k", "other"), 503, "replica");
	redis_scene_expect_failure(scene_get("k"), 503, "replica");
	scene_stop();
}

Test(redis_faults, something_else_listens)
{
	scene_env_printf("STEADYCACHE_BACKEND=redis://127.0.0.1:%d", redis_scene_port());
	char command[400];
	snprintf(
		command, sizeof(command),
		"cd %s && exec timeout 20 python3 -m http.server -b 127.0.0.1 %d >/dev/null 2>&1 &",
		scene.dir.path, redis_scene_port());
	cr_assert_eq(system(command), 0);
	(void)usleep(700000);
	scene_start();
	redis_scene_expect_failure(scene_get("k"), 503, "Redis");
	scene_stop();
}

/* ---- Addresses and credentials ---- */

Test(redis_faults, a_unix_socket_and_a_database)
{
	char rest[TEMP_PATH_SIZE + 40];

	redis_scene_start("--unixsocket ./socket");
	snprintf(rest, sizeof(rest), "STEADYCACHE_BACKEND=unix://%s?db=3",
		 redis_scene_path("socket"));
	scene_env(rest);
	scene_start();
	expect_status(scene_put("k", "value"), 201);
	expect_body(scene_get("k"), SLICE("value"));
	cr_expect_not_null(strstr(redis_scene_tell("INFO keyspace"), "db3:"));
	scene_stop();
}

Test(redis_faults, a_database_that_is_not_there)
{
	redis_scene_start("--databases 2");
	redis_scene_serve("/7");
	redis_scene_expect_failure(scene_get("k"), 503, "number");
	scene_stop();
}

Test(redis_faults, a_password)
{
	redis_scene_start("--requirepass sesame");
	redis_scene_serve("");
	redis_scene_expect_failure(scene_get("k"), 503, "STEADYCACHE_REDIS_PASSWORD");
	scene_stop();
	scene_env("STEADYCACHE_REDIS_PASSWORD=open");
	scene_start();
	redis_scene_expect_failure(scene_get("k"), 503, "STEADYCACHE_REDIS_PASSWORD");
	redis_scene_tell("-a sesame CONFIG SET requirepass open");
	cr_expect_lt(redis_scene_await(404), 1.5);
	char *log = server_log(&scene.server);
	cr_expect_null(strstr(log, "=open"));
	free(log);
	scene_stop();
}

Test(redis_faults, a_user_who_may_do_what_is_needed)
{
	redis_scene_start("");
	redis_scene_tell(
		"ACL SETUSER cache reset on '>secret' '~steadycache:*' '&steadycache:*' -@all "
		"+fcall "
		"'+function|load' +time +get +set +hget +hmget +hset +hdel +zadd +zrem +zrange "
		"+zrevrange +zrangebyscore +zrangebylex +zscore +zcard +unlink +info +auth +select "
		"'+client|id' '+client|setname' '+client|kill' +ping");
	scene_env("STEADYCACHE_REDIS_USER=cache");
	scene_env("STEADYCACHE_REDIS_PASSWORD=secret");
	redis_scene_serve("");
	expect_status(scene_put("k", "value"), 201);
	expect_body(scene_get("k"), SLICE("value"));
	redis_scene_tell("ACL SETUSER cache -fcall");
	redis_scene_expect_failure(scene_put("k", "other"), 503, "ACL");
	expect_body(scene_get("k"), SLICE("value"));
	redis_scene_tell("ACL SETUSER cache +fcall");
	expect_status(scene_put("k", "other"), 204);
	scene_stop();
}

/* ---- TLS ---- */

static void make_certificate(const char *name, const char *host)
{
	char command[1000];

	snprintf(command, sizeof(command),
		 "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout %s.key -out %s.pem "
		 "-days 2 "
		 "-subj /CN=%s -addext subjectAltName=%s >/dev/null 2>&1",
		 scene.dir.path, name, name, name, host);
	if (system(command) != 0)
		cr_skip("there is no openssl");
}

/* With the certificate that is there; `more` are arguments of Redis. */
static void start_redis_with_tls(const char *more)
{
	char arguments[300];

	make_certificate("mine", "DNS:me");
	snprintf(arguments, sizeof(arguments),
		 "--port 0 --tls-port %d --tls-cert-file redis.pem --tls-key-file redis.key "
		 "--tls-ca-cert-file mine.pem --tls-auth-clients yes %s",
		 redis_scene_port(), more);
	redis_scene_start(arguments);
}

static void serve_tls(const char *more)
{
	start_redis_with_tls(more);
	scene_env_printf("STEADYCACHE_BACKEND=rediss://127.0.0.1:%d", redis_scene_port());
	scene_env_printf("STEADYCACHE_REDIS_CERT_FILE=%s", redis_scene_path("mine.pem"));
	scene_env_printf("STEADYCACHE_REDIS_KEY_FILE=%s", redis_scene_path("mine.key"));
}

static void start_tls(const char *host)
{
	make_certificate("redis", host);
	serve_tls("");
}

Test(redis_faults, tls_with_a_certificate_of_our_own)
{
	char value[300001];

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	start_tls("IP:127.0.0.1");
	scene_env_printf("STEADYCACHE_REDIS_CA_FILE=%s", redis_scene_path("redis.pem"));
	scene_start();
	(void)redis_scene_await(404);
	expect_status(scene_put("k", value), 201);
	expect_body(scene_get("k"), slice_of(value));
	for (int i = 0; i < 50; i++)
		expect_status(scene_put("small", "value"), i == 0 ? 201 : 204);
	scene_stop();
}

/* Redis hangs up on who says much before it knows him; its reason is told all the same. */
Test(redis_faults, tls_and_a_wrong_password)
{
	make_certificate("redis", "IP:127.0.0.1");
	serve_tls("--requirepass sesame");
	scene_env_printf("STEADYCACHE_REDIS_CA_FILE=%s", redis_scene_path("redis.pem"));
	scene_env("STEADYCACHE_REDIS_PASSWORD=open");
	scene_start();
	for (int i = 0; i < 8; i++)
		redis_scene_expect_failure(scene_get("k"), 503, "STEADYCACHE_REDIS_PASSWORD");
	scene_stop();
}

Test(redis_faults, tls_that_nobody_vouches_for)
{
	start_tls("IP:127.0.0.1");
	scene_start();
	(void)usleep(500000);
	redis_scene_expect_failure(scene_get("k"), 503, "STEADYCACHE_REDIS_CA_FILE");
	scene_stop();
}

/* It only hangs up on whoever does not begin with a handshake. */
Test(redis_faults, tls_that_the_url_does_not_tell)
{
	make_certificate("redis", "IP:127.0.0.1");
	start_redis_with_tls("");
	scene_env_printf("STEADYCACHE_BACKEND=redis://127.0.0.1:%d", redis_scene_port());
	scene_start();
	(void)usleep(500000);
	redis_scene_expect_failure(scene_get("k"), 503, "rediss://");
	scene_stop();
}

Test(redis_faults, tls_with_the_name_of_another)
{
	start_tls("DNS:other.example");
	scene_env_printf("STEADYCACHE_REDIS_CA_FILE=%s", redis_scene_path("redis.pem"));
	scene_start();
	(void)usleep(500000);
	redis_scene_expect_failure(scene_get("k"), 503, "STEADYCACHE_REDIS_CA_FILE");
	scene_stop();
}

Test(redis_faults, tls_that_has_expired)
{
	char command[500];

	make_certificate("redis", "IP:127.0.0.1");
	snprintf(command, sizeof(command),
		 "cd %s && openssl x509 -in redis.pem -signkey redis.key -days -1 -out old.pem "
		 "2>/dev/null && mv old.pem redis.pem",
		 scene.dir.path);
	cr_assert_eq(system(command), 0);
	serve_tls("");
	scene_env_printf("STEADYCACHE_REDIS_CA_FILE=%s", redis_scene_path("redis.pem"));
	scene_start();
	(void)usleep(500000);
	redis_scene_expect_failure(scene_get("k"), 503, "STEADYCACHE_REDIS_CA_FILE");
	scene_stop();
}
