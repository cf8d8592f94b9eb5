/* The upstream of the d1 backend in the contract tests, from the environment:
 *
 *     STEADYCACHE_TEST_D1_URL, STEADYCACHE_TEST_D1_KEY
 *             a Worker
 *     STEADYCACHE_TEST_D1_EMPTIER_URL
 *             a POST to it empties the tables of that Worker; each test begins with one
 *
 * tests/d1/run_over_workerd.sh starts both. */
#ifndef STEADYCACHE_TEST_CONTRACT_D1_UPSTREAM_H
#define STEADYCACHE_TEST_CONTRACT_D1_UPSTREAM_H

#include "backends/d1/settings.h"

bool contract_has_d1(void);
/* Empties the database and fills `config`. */
void contract_prepare_d1(struct d1_config *config);

#endif
