/* The dialect of Cloudflare's REST endpoint: its parts.
 *
 * The logic is that of the Worker (worker/src/ops): an operation is a row of statements of
 * worker/sql/statements.sql that run in one transaction, and what their rows say; some take several
 * rounds. The statements of all operations of a call stand in one batch, one transaction, one round
 * trip. Where D1 refuses a batch of several, one of them may have spoilt it for all: then each is
 * tried alone. Where the tables are missing, the Worker's migrations are run first. */
#ifndef STEADYCACHE_D1_REST_H
#define STEADYCACHE_D1_REST_H

#include <jansson.h>

#include "backends/d1/ops.h"
#include "backends/d1/rest_sql.h"

/* As in worker/src/ops. */
#define REST_SWEEP_MAX     200
#define REST_EVICT_MAX     5000
#define REST_CLEAR_MAX     1000
#define REST_SCAN_MAX      1000
#define REST_STRICT_ROUNDS 3
#define REST_ROUNDS_MAX    15
#define REST_ROW_MAX_BYTES 2000000
/* Statements in one request. */
#define REST_BATCH_MAX 600

struct rest_group {
	struct ops_group ops;
	bool is_finished;
	/* Of the last request: where its statements stand, 0 of them: it has to wait. */
	size_t first, count;
	unsigned round;
	int continuing; /* 0, 1: by size, 2: by number */
	bool mark;      /* set: mark_fifo comes first */
	bool accounts;  /* clear by prefix: only add_deletes is left */
	uint64_t evicted, expired, deleted;
};

/* call->state */
struct rest_state {
	size_t group_count;
	bool is_alone;     /* one group a request */
	bool migrates;     /* the request made the tables */
	bool upgrades;     /* of an older version that was there */
	bool has_migrated; /* not again */
	struct rest_group groups[];
};

bool d1_rest_write(const struct d1_context *context, struct d1_call *call, const char **ret_path,
		   struct buffer *body);
bool d1_rest_reads(long status, struct slice body);
enum d1_step d1_rest_read(const struct d1_context *context, struct d1_call *call, long status,
			  struct slice body);

/* Appends the group's next statements to `body`, as {"sql":..,"params":[..]} with commas between;
 * how many. */
size_t d1_rest_write_group(const struct d1_context *context, struct rest_group *group,
			   struct buffer *body);

/* `rows` are the answers to those statements, a list of lists of objects, as many as there are.
 * Goes on to the group's next round, or finishes it and completes its ops. */
void d1_rest_read_group(const struct d1_context *context, struct rest_group *group,
			const json_t *results);

/* Completes the ops of a group with a failure. */
void d1_rest_fail_group(struct rest_group *group, enum cache_status status, const char *detail);

#endif
