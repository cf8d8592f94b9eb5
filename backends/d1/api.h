/* The dialect of the original Worker, POST /api/...: its parts. */
#ifndef STEADYCACHE_D1_API_H
#define STEADYCACHE_D1_API_H

#include "backends/remote/protocol.h"

extern const struct remote_dialect d1_api_dialect;

/* Keys in one /api/batch/get: the original binds each to a variable of one statement, and D1 takes
 * a hundred. */
#define API_KEYS_MAX 90

/* What a call does next; call->step says which. Gets count the keys that have been asked for, sets
 * go through these. */
enum api_set_step { API_SET, API_INIT, API_SET_AGAIN };

/* Whether /api/batch/get can name this key: the original loses `__proto__`, and jansson takes no
 * NUL in the name of a member. */
bool d1_api_batches_key(struct slice key);

bool d1_api_write(const struct remote_context *context, struct remote_call *call,
		  const char **ret_path, struct buffer *body);
/* The original fails with 500 where a cache was never initialised: as empty as one that was. */
bool d1_api_lacks_table(long status, struct slice body);
enum remote_step d1_api_read(const struct remote_context *context, struct remote_call *call,
			     long status, struct slice body);

#endif
