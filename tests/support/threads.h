/* Runs a part of a test in many threads at once. */
#ifndef STEADYCACHE_TEST_THREADS_H
#define STEADYCACHE_TEST_THREADS_H

#include <stddef.h>

#define THREADS_MAX 64

/* Runs `body` in `count` (up to THREADS_MAX) threads and waits for all. A thread that returns text
 * (static) has failed; the result is the first such text, or NULL. Texts are used because
 * Criterion's assertions belong to the main thread. */
const char *in_threads(size_t count, const char *(*body)(size_t index, void *user), void *user);

#endif
