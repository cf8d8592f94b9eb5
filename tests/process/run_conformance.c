/* Starts a server of one kind, runs the conformance suite against it, and expects the server to
 * survive it: still running, a clean stop, no sanitizer's report.
 *
 * usage: run_conformance CONFORMANCE-PROGRAM BACKEND [KEY [FILTER]]
 *
 * BACKEND - : as STEADYCACHE_BACKEND, _ROUTES and _REDIS_... in the environment say. With
 * STEADYCACHE_TEST_LARGE in the environment a directory has the bytes of all values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/server_process.h"

#define MAX_BODY_MB 4

static int run_suite(const char *program, const struct server_process *server, const char *key,
		     const char *filter)
{
	char max_body[32];
	int status = 0;
	pid_t pid;

	(void)snprintf(max_body, sizeof(max_body), "%d", MAX_BODY_MB * 1048576);
	(void)setenv("STEADYCACHE_URL", server->url, 1);
	(void)setenv("STEADYCACHE_TEST_MAX_BODY", max_body, 1);
	(void)setenv("STEADYCACHE_API_KEY", key, 1);
	pid = fork();
	if (pid == 0) {
		(void)execl(program, program, "-j4", "--color=never", "--filter", filter,
			    (char *)NULL);
		perror(program);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Adds a store for large values, which takes all. Returns how many settings there are. */
static size_t add_large(struct server_process *server, size_t count, const char *folder)
{
	static char url[TEMP_PATH_SIZE + 64];

	(void)snprintf(url, sizeof(url), "STEADYCACHE_LARGE_VALUES=dir:%s/large", folder);
	server->environment[count++] = url;
	server->environment[count++] = "STEADYCACHE_LARGE_VALUE_BYTES=0";
	server->environment[count++] = "STEADYCACHE_LARGE_VALUE_MAX_MB=4"; /* MAX_BODY_MB */
	return count;
}

/* Adds what the environment says of the backend. */
static void pass_on(struct server_process *server, size_t count)
{
	static const char *const names[] = {
		"STEADYCACHE_BACKEND=", "STEADYCACHE_ROUTES=", "STEADYCACHE_REDIS_"};

	for (char **at = environ; *at && count < SERVER_SETTINGS_MAX - 1; at++)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strncmp(*at, names[i], strlen(names[i])) == 0)
				server->environment[count++] = *at;
}

int main(int argc, char **argv)
{
	struct temp_dir dir = {""};
	struct server_process server = {0};
	const char *key = argc > 3 ? argv[3] : "";
	char backend[4096], api_key[128], max_body[48];
	size_t count = 0;
	int failed;
	bool survived;

	if (argc < 3) {
		(void)fprintf(stderr, "usage: run_conformance PROGRAM BACKEND [KEY [FILTER]]\n");
		return 2;
	}
	temp_dir_create(&dir);
	(void)snprintf(backend, sizeof(backend), "STEADYCACHE_BACKEND=%s", argv[2]);
	(void)snprintf(api_key, sizeof(api_key), "STEADYCACHE_API_KEY=%s", key);
	(void)snprintf(max_body, sizeof(max_body), "STEADYCACHE_MAX_BODY_MB=%d", MAX_BODY_MB);
	server.data_dir = dir.path;
	server.environment[count++] = max_body;
	if (*key)
		server.environment[count++] = api_key;
	if (getenv("STEADYCACHE_TEST_LARGE"))
		count = add_large(&server, count, dir.path);
	if (strcmp(argv[2], "-") == 0)
		pass_on(&server, count);
	else
		server.environment[count] = backend;
	server_start(&server);
	failed = run_suite(argv[1], &server, key, argc > 4 ? argv[4] : "*/*");
	survived = server_is_running(&server);
	if (!survived)
		(void)printf("run_conformance: the server died\n");
	survived &= server_stop(&server);
	server_dispose(&server);
	temp_dir_destroy(&dir);
	return failed != 0 || !survived;
}
