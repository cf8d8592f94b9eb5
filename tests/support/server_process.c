#include "tests/support/server_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* An ASan build on a busy machine takes long. */
#define START_TIMEOUT_MS 30000
#define STOP_TIMEOUT_MS  10000

extern char **environ;

long long steady_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void nap_ms(int ms)
{
	struct timespec nap = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&nap, NULL);
}

/* In the child: removes what would configure the server by accident from the environment. */
static void set_environment(const struct server_process *server)
{
	static const char *const prefixes[] = {"STEADYCACHE_", "STEADYTEXT_",
					       "API_KEY=", "NOTIFY_SOCKET=", "LISTEN_"};
	char **kept = environ;

	for (char **at = environ; *at; at++) {
		bool ours = false;

		for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
			ours |= strncmp(*at, prefixes[i], strlen(prefixes[i])) == 0;
		if (!ours)
			*kept++ = *at;
	}
	*kept = NULL;
	(void)setenv("STEADYCACHE_LISTEN", "127.0.0.1:0", 1);
	if (server->data_dir)
		(void)setenv("STEADYCACHE_DATA_DIR", server->data_dir, 1);
	for (size_t i = 0; server->environment[i]; i++) {
		char *setting = strdup(server->environment[i]), *equals = strchr(setting, '=');

		*equals = '\0';
		(void)setenv(setting, equals + 1, 1);
		free(setting);
	}
}

/* In the child: passes the listening socket on as systemd does. */
static void hand_over(int listening_fd)
{
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)setenv("LISTEN_PID", pid, 1);
	(void)setenv("LISTEN_FDS", "1", 1);
	(void)dup2(listening_fd, 3);
	(void)fcntl(3, F_SETFD, 0);
}

static void run_server(const struct server_process *server)
{
	const char *other = getenv("STEADYCACHE_TEST_BINARY");
	const char *binary = other ? other : STEADYCACHE_BINARY;
	const char *arguments[SERVER_SETTINGS_MAX + 2] = {binary, "serve"};
	int log = open(server->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int null = open("/dev/null", O_RDWR);

	for (size_t i = 0; server->flags[i]; i++)
		arguments[i + 2] = server->flags[i];
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(server->stderr_fd > 0 ? server->stderr_fd : log, STDERR_FILENO);
	set_environment(server);
	if (server->stderr_fd == SERVER_NO_STDERR)
		(void)close(STDERR_FILENO);
	if (server->listening_fd > 0)
		hand_over(server->listening_fd);
	(void)close_range(server->listening_fd > 0 ? 4 : 3, ~0U, 0);
	(void)execv(binary, (char *const *)(void *)arguments);
	(void)dprintf(STDERR_FILENO, "cannot run %s: %s\n", binary, strerror(errno));
	_exit(127);
}

void server_spawn(struct server_process *server)
{
	sigset_t none;

	if (!server->log_dir.path[0])
		temp_dir_create(&server->log_dir);
	(void)temp_dir_path(&server->log_dir, "server.log", server->log_path);
	server->log_start = file_size(server->log_path);
	if (server->log_start < 0)
		server->log_start = 0;
	server->url[0] = '\0';
	server->pid = fork();
	if (server->pid < 0)
		abort();
	if (server->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		run_server(server);
	}
}

char *server_log(const struct server_process *server)
{
	size_t len = 0;
	char *whole = file_read(server->log_path, &len);

	if (!whole)
		return strdup("");
	if ((size_t)server->log_start <= len)
		memmove(whole, whole + server->log_start, len - (size_t)server->log_start + 1);
	return whole;
}

static bool log_holds(const struct server_process *server, const char *text)
{
	char *log = server_log(server);
	bool holds = strstr(log, text) != NULL;

	free(log);
	return holds;
}

bool server_await_log(const struct server_process *server, const char *text, int timeout_ms)
{
	return await_condition(log_holds(server, text), timeout_ms);
}

/* Finds the address in the line "msg=listening address=127.0.0.1:PORT", or in its JSON form. */
static bool find_url(struct server_process *server)
{
	char *log = server_log(server), address[48];
	const char *line = strstr(log, "listening"), *at = line ? strstr(line, "address") : NULL;
	const char *end = at ? strchr(at, '\n') : NULL;

	if (end && (sscanf(at, "address=%47[^ \n]", address) == 1 ||
		    sscanf(at, "address\":\"%47[^\"]", address) == 1))
		(void)snprintf(server->url, sizeof(server->url), "http://%s", address);
	free(log);
	return server->url[0] != '\0';
}

static bool has_ended(const struct server_process *server)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	       info.si_pid != 0;
}

bool server_is_running(const struct server_process *server)
{
	return server->pid > 0 && !has_ended(server);
}

bool server_try_start(struct server_process *server)
{
	server_spawn(server);
	(void)await_condition(find_url(server) || has_ended(server), START_TIMEOUT_MS);
	return find_url(server) && !has_ended(server);
}

void server_start(struct server_process *server)
{
	char *log;

	if (server_try_start(server))
		return;
	log = server_log(server);
	(void)fprintf(stderr, "tests: the server did not start:\n%s\n", log);
	free(log);
	server_kill(server);
	abort();
}

struct server_exit server_await_exit(struct server_process *server, int timeout_ms)
{
	long long started_ms = steady_now_ms();
	struct server_exit result = {.code = -1};
	int status = 0;

	if (await_condition(has_ended(server), timeout_ms)) {
		(void)waitpid(server->pid, &status, 0);
		server->pid = 0;
		result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	result.took_s = (double)(steady_now_ms() - started_ms) / 1000;
	result.log = server_log(server);
	return result;
}

bool server_stop(struct server_process *server)
{
	struct server_exit end;
	bool clean;

	if (server->pid <= 0)
		return false;
	(void)kill(server->pid, SIGTERM);
	end = server_await_exit(server, STOP_TIMEOUT_MS);
	clean = end.code == 0 && !strstr(end.log, "Sanitizer") && !strstr(end.log, "runtime error");
	if (!clean) {
		size_t len = strlen(end.log);

		(void)fprintf(stderr,
			      "tests: the server ended with %d after %.1f s; its log:\n%s\n",
			      end.code, end.took_s, len > 8000 ? end.log + len - 8000 : end.log);
		server_kill(server);
	}
	free(end.log);
	return clean;
}

void server_kill(struct server_process *server)
{
	if (server->pid <= 0)
		return;
	(void)kill(server->pid, SIGKILL);
	(void)waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void server_dispose(struct server_process *server)
{
	server_kill(server);
	temp_dir_destroy(&server->log_dir);
}

long server_resident_kib(const struct server_process *server)
{
	char path[64], line[256];
	long kib = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)server->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (file)
		(void)fclose(file);
	return kib;
}

size_t server_log_count(const struct server_process *server, const char *text)
{
	char *log = server_log(server);
	size_t count = 0;

	for (const char *at = log; (at = strstr(at, text)); at++)
		count++;
	free(log);
	return count;
}

long server_anonymous_kib(const struct server_process *server)
{
	char path[64], line[256];
	long kib = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)server->pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "RssAnon: %ld", &kib);
	if (file)
		(void)fclose(file);
	return kib;
}
