/* A scene with a mock upstream behind the server's d1 backend. */
#ifndef STEADYCACHE_PROCESS_D1_SCENE_H
#define STEADYCACHE_PROCESS_D1_SCENE_H

#include "tests/process/scene.h"
#include "tests/support/mock_upstream.h"

extern struct mock_upstream *upstream;

#define D1_SUITE(name)                                                                             \
	TestSuite(name, .init = d1_scene_open, .fini = d1_scene_close, .timeout = 120)

#define D1_TOKEN "UPSTREAMtoken"

void d1_scene_open(void);
void d1_scene_close(void);
/* Starts the server with --backend=d1 in front of the mock, which requires D1_TOKEN. */
void d1_scene_start(void);

/* A number of the object "upstream" in /stats. */
double d1_gauge(const char *name);
/* Sends a GET of ns/k on its own socket, and waits until the upstream has it. */
void d1_send_get(struct raw_socket *socket);
/* Waits until a GET of ns/k is answered with `status`, once the upstream is well again. */
void d1_await_recovery(long status);
/* Expects a failure of the upstream in the form for clients: `status`, a sentence that contains
 * `words`, and a connection that is still usable. */
void d1_expect_failure(const struct http_answer *answer, long status, const char *words);

#endif
