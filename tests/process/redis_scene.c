#include "tests/process/redis_scene.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define ARGUMENTS_MAX 40

static pid_t redis;
static int port;

static bool has_redis(void)
{
	return system("command -v redis-server redis-cli >/dev/null 2>&1") == 0;
}

static int connect_to(int to_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)to_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_there = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	(void)close(fd);
	return is_there;
}

static int find_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	(void)close(fd);
	return ntohs(address.sin_port);
}

void redis_scene_open(void)
{
	scene_open();
	port = find_port();
	if (!has_redis())
		cr_skip("there is no redis-server");
}

void redis_scene_close(void)
{
	scene_close();
	if (redis > 0)
		redis_scene_kill();
}

int redis_scene_port(void)
{
	return port;
}

const char *redis_scene_path(const char *name)
{
	static char paths[16][TEMP_PATH_SIZE];
	static unsigned turn;

	return temp_dir_path(&scene.dir, name, paths[turn++ % 16]);
}

static void run(const char *arguments)
{
	const char *words[ARGUMENTS_MAX] = {
		"redis-server", "--dir", scene.dir.path, "--save", "", "--bind", "127.0.0.1"};
	char number[16], copy[1000];
	size_t count = 7;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(number, sizeof(number), "%d", port);
	(void)snprintf(copy, sizeof(copy), "%s", arguments);
	if (!strstr(arguments, "--port")) {
		words[count++] = "--port";
		words[count++] = number;
	}
	for (char *word = strtok(copy, " "); word && count < ARGUMENTS_MAX - 1;
	     word = strtok(NULL, " "))
		words[count++] = strcmp(word, "EMPTY") == 0 ? "" : word;
	if (!freopen(redis_scene_path("redis.log"), "a", stdout) || dup2(1, 2) < 0)
		_exit(127);
	(void)execvp(words[0], (char *const *)(uintptr_t)words);
	_exit(127);
}

void redis_scene_start(const char *arguments)
{
	redis = fork();
	if (redis == 0)
		run(arguments);
	cr_assert_gt(redis, 0);
	if (!strstr(arguments, "--port"))
		cr_assert(await_condition(connect_to(port), 10000), "redis-server does not listen");
}

void redis_scene_signal(int number)
{
	cr_assert_eq(kill(redis, number), 0);
}

void redis_scene_kill(void)
{
	(void)kill(redis, SIGKILL);
	(void)waitpid(redis, NULL, 0);
	redis = 0;
}

const char *redis_scene_tell(const char *command)
{
	static char told[4000];
	char line[600];

	(void)snprintf(line, sizeof(line), "redis-cli -p %d %s 2>&1", port, command);
	FILE *pipe = popen(line, "re");
	cr_assert(pipe);
	told[fread(told, 1, sizeof(told) - 1, pipe)] = '\0';
	(void)pclose(pipe);
	return told;
}

void redis_scene_serve(const char *rest)
{
	scene_env_printf("STEADYCACHE_BACKEND=redis://127.0.0.1:%d%s", port, rest);
	scene_start();
}

void redis_scene_expect_failure(const struct http_answer *answer, long status, const char *words)
{
	json_auto_t *document = http_json(answer);
	const char *sentence = json_string_value(json_object_get(document, "error"));

	expect_status(answer, status);
	expect_that(answer, sentence && strstr(sentence, words), "expected words: %s", words);
	if (status == 503)
		expect_that(answer, http_header(answer, "Retry-After"), "expected Retry-After");
}

double redis_scene_await(long status)
{
	int64_t began_us = monotonic_now_us();

	cr_assert(await_condition(scene_get("k")->status == status, 10000),
		  "no answer %ld within seconds", status);
	return (double)(monotonic_now_us() - began_us) / (double)US_PER_S;
}
