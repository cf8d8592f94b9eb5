/* The server of the redis backend in the contract tests, from the environment:
 *
 *     STEADYCACHE_TEST_REDIS_URL
 *             a server, as --backend has it; each test has keys of its own there
 *     STEADYCACHE_REDIS_USER, _PASSWORD, _CA_FILE, _CERT_FILE, _KEY_FILE
 *             what else the product is told of it
 *
 * tests/redis/bed.py starts one and sets them. */
#ifndef STEADYCACHE_TEST_CONTRACT_REDIS_UPSTREAM_H
#define STEADYCACHE_TEST_CONTRACT_REDIS_UPSTREAM_H

#include "backends/redis/settings.h"

bool contract_has_redis(void);
/* A prefix that no other test has, and what else `backend` and `config` need. */
void contract_prepare_redis(struct backend_config *backend, struct redis_config *config);

#endif
