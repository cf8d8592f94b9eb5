/* A scene with a real redis-server behind the server's redis backend. Each test that needs it is
 * skipped where there is none. */
#ifndef STEADYCACHE_PROCESS_REDIS_SCENE_H
#define STEADYCACHE_PROCESS_REDIS_SCENE_H

#include "tests/process/scene.h"

#define REDIS_SUITE(name)                                                                          \
	TestSuite(name, .init = redis_scene_open, .fini = redis_scene_close, .timeout = 120)

void redis_scene_open(void);
void redis_scene_close(void);

/* A port of 127.0.0.1 on which nobody listens: that of Redis in this scene. */
int redis_scene_port(void);
/* In the scene's folder; valid until the sixteenth call from here. */
const char *redis_scene_path(const char *name);

/* Starts redis-server (again) on the scene's folder, with further arguments, separated by blanks,
 * and waits until it listens. With "--port" among them it does not listen on the scene's port. */
void redis_scene_start(const char *arguments);
/* SIGKILL, or another signal. */
void redis_scene_signal(int signal);
void redis_scene_kill(void);
/* What redis-cli prints for a command, at most 4,000 bytes of it; valid until the next call. */
const char *redis_scene_tell(const char *command);

/* Starts the server with STEADYCACHE_BACKEND=redis://127.0.0.1:PORT and what `rest` has behind
 * that. */
void redis_scene_serve(const char *rest);

/* Expects a failure in the form for clients: `status`, a sentence that contains `words`. */
void redis_scene_expect_failure(const struct http_answer *answer, long status, const char *words);
/* Waits until a GET of ns/k is answered with `status`; in seconds how long that took. */
double redis_scene_await(long status);

#endif
