/* The smallest Worker that the tests of the d1 backend need: entries in a list, no limits, no
 * expiry. Not thread-safe: its owner locks. */
#ifndef STEADYCACHE_TEST_MOCK_WORKER_H
#define STEADYCACHE_TEST_MOCK_WORKER_H

#include <stdbool.h>

struct mock_store;

struct mock_store *mock_store_create(void);
void mock_store_destroy(struct mock_store *store);

/* Answers a request (its head and its body): returns the body, to be freed, or NULL, and the
 * status. `original`: speaks /api, as the original Worker does, else /ops. */
char *mock_store_answer(struct mock_store *store, bool original, const char *head, const char *body,
			int *ret_status);

#endif
