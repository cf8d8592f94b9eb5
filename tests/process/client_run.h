/* Runs the client as a shell runs it. */
#ifndef STEADYCACHE_PROCESS_CLIENT_RUN_H
#define STEADYCACHE_PROCESS_CLIENT_RUN_H

#include "tests/process/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a shell line in the scene's folder, with "$S" for the program and the server in the
 * environment; stdout and stderr go to the files `out` and `err` there. Returns the exit code. */
static inline int run_against(const char *url, const char *line)
{
	char command[2048];
	int status = 0;

	(void)snprintf(command, sizeof(command),
		       "cd '%s' && S='%s' && export STEADYCACHE_URL='%s' && { %s ; } >out 2>err "
		       "</dev/null",
		       scene.dir.path, STEADYCACHE_BINARY, url, line);
	char shell[] = "bash", flag[] = "-c";
	char *arguments[] = {shell, flag, command, NULL};
	pid_t pid = fork();
	if (pid == 0) {
		(void)execvp("bash", arguments);
		_exit(127);
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int run(const char *line)
{
	return run_against(scene.server.url, line);
}

static inline bool holds(const char *name, const char *text)
{
	char path[TEMP_PATH_SIZE];
	char *got = file_read(temp_dir_path(&scene.dir, name, path), NULL);
	bool is_in = got && strstr(got, text);

	if (!is_in)
		(void)fprintf(stderr, "%s holds no \"%s\": %s\n", name, text, got ? got : "(none)");
	free(got);
	return is_in;
}

#define expect_run(code, line)                                                                     \
	do {                                                                                       \
		int code_ = run(line);                                                             \
		char path_[TEMP_PATH_SIZE];                                                        \
		char *err_ = file_read(temp_dir_path(&scene.dir, "err", path_), NULL);             \
		cr_assert_eq(code_, code, "exit %d from: %s\n%s", code_, line, err_ ? err_ : "");  \
		free(err_);                                                                        \
	} while (0)

#endif
