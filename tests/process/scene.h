/* Shared by the process tests: a temporary folder, a server on it, and a client of the server.
 *
 * Each test runs in its own process, so there is one `scene`. Set up the server's environment and
 * flags (scene_env, scene_flag), start it, talk to it; scene_stop expects a clean end. Whatever a
 * test leaves running is killed afterwards. */
#ifndef STEADYCACHE_PROCESS_SCENE_H
#define STEADYCACHE_PROCESS_SCENE_H

#include <criterion/criterion.h>

#include "tests/support/http_client.h"
#include "tests/support/raw_socket.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/threads.h"

struct scene {
	struct temp_dir dir;
	char data_dir[TEMP_PATH_SIZE];
	struct server_process server;
	struct http_client *client;
};

extern struct scene scene;

#define PROCESS_SUITE(name) TestSuite(name, .init = scene_open, .fini = scene_close, .timeout = 180)

/* STEADYCACHE_TEST_BACKEND in the environment: the servers' backend. */
void scene_open(void);
void scene_close(void);

/* `setting` must live as long as the test. */
void scene_env(const char *setting);
void scene_flag(const char *flag);
/* "NAME=" and a number or text; kept until the end. */
void scene_env_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Starts the server (again) and opens a client to it. */
void scene_start(void);
/* Expects that it does not start: exit code 2 and one line. Returns that line, to be freed. */
char *scene_refused_start(void);
/* The same, and `named` in the line; then forgets the environment that was set up. */
void scene_expect_refused_start(const char *named);
/* Expects exit 0 within 10 s and no sanitizer report. */
void scene_stop(void);
/* SIGKILL. */
void scene_kill(void);

/* In the namespace `ns`. */
const struct http_answer *scene_put(const char *key, const char *value);
const struct http_answer *scene_get(const char *key);
/* A number of /stats/ns. */
double scene_stat(const char *name);
/* Walks the whole listing of `ns`: the number of entries, and the sum of their sizes. */
void scene_count(struct http_client *client, size_t *ret_entries, size_t *ret_bytes);
/* Expects the statistics of `ns` to match its listing. */
void scene_expect_true_totals(struct http_client *client);
/* PRAGMA integrity_check of the database file: "ok", or what is wrong. To be freed. With
 * STEADYCACHE_TEST_BACKEND "ok": there is none. */
char *scene_check_database(void);

#endif
