/* Starts, watches and stops a real server process: the one built beside the tests, or the one that
 * STEADYCACHE_TEST_BINARY names. It dies with the test program, however that ends. If it fails to
 * start, the test aborts with the server's own words. */
#ifndef STEADYCACHE_TEST_SERVER_PROCESS_H
#define STEADYCACHE_TEST_SERVER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/support/temp_dir.h"

#define SERVER_SETTINGS_MAX 24
#define SERVER_NO_STDERR    (-1)

/* A server before, during and after its run. Fill data_dir, environment and flags, then start. */
struct server_process {
	const char *data_dir; /* STEADYCACHE_DATA_DIR; NULL: not set */
	/* "NAME=value" each, NULL at the end. The only STEADY* and API_KEY settings that the server
	 * sees besides STEADYCACHE_LISTEN=127.0.0.1:0, which may be given here too. */
	const char *environment[SERVER_SETTINGS_MAX];
	const char *flags[SERVER_SETTINGS_MAX]; /* "--name=value" each, NULL at the end */
	int listening_fd; /* a socket that is passed to it and kept open here; 0: none */
	/* Kept open here, or SERVER_NO_STDERR; 0: a file that the functions below read. If it is
	 * given, server_start cannot be used, because the port is unknown. */
	int stderr_fd;

	pid_t pid;                     /* 0: not running */
	char url[64];                  /* http://127.0.0.1:PORT */
	char log_path[TEMP_PATH_SIZE]; /* its stderr, appended to by each start */
	struct temp_dir log_dir;
	off_t log_start; /* where the log of the current run begins */
};

/* How a process ended by itself. */
struct server_exit {
	int code;      /* exit code; 128 + signal if one killed it; -1: still running */
	char *log;     /* its stderr, to be freed */
	double took_s; /* from the call to the end */
};

/* Starts the server and waits until it listens. May be called again after a stop or kill. */
void server_start(struct server_process *server);
/* Starts it and waits until it listens (true) or has ended by itself (false). */
bool server_try_start(struct server_process *server);
/* Starts it without waiting. */
void server_spawn(struct server_process *server);
/* Sends SIGTERM and waits. True: exit code 0 within 10 s and no sanitizer's report in the log; else
 * it prints the fault on stderr. */
bool server_stop(struct server_process *server);
/* SIGKILL. */
void server_kill(struct server_process *server);
/* Waits for the process to end by itself. */
struct server_exit server_await_exit(struct server_process *server, int timeout_ms);
/* True while the process runs. */
bool server_is_running(const struct server_process *server);

/* The log of the current (or last) run; to be freed. */
char *server_log(const struct server_process *server);
/* Waits until the log of the current run contains `text`. */
bool server_await_log(const struct server_process *server, const char *text, int timeout_ms);

/* Kills it if it runs and removes its log. Call it once, at the end. */
void server_dispose(struct server_process *server);

/* Resident memory in KiB; 0 if it does not run. */
long server_resident_kib(const struct server_process *server);

/* Milliseconds of a clock that only goes forward. */
long long steady_now_ms(void);
/* A short sleep between two checks of a condition that a test waits for. */
void nap_ms(int ms);
/* Waits until `condition` holds, checking every 5 ms: true, or false after `timeout_ms`. */
#define await_condition(condition, timeout_ms)                                                     \
	({                                                                                         \
		long long deadline_ms_ = steady_now_ms() + (timeout_ms);                           \
		bool holds_;                                                                       \
		while (!(holds_ = (condition)) && steady_now_ms() < deadline_ms_)                  \
			nap_ms(5);                                                                 \
		holds_;                                                                            \
	})

/* How often `text` occurs in the log. */
size_t server_log_count(const struct server_process *server, const char *text);

/* The server's own memory in KiB, without the pages of its files, which the kernel can take back; 0
 * if it is unknown. */
long server_anonymous_kib(const struct server_process *server);

#endif
