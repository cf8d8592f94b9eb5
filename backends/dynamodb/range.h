/* The sort keys that a listing or a CLEAR goes through, in each shard. */
#ifndef STEADYCACHE_DYNAMODB_RANGE_H
#define STEADYCACHE_DYNAMODB_RANGE_H

#include "backends/dynamodb/wire.h"

/* How far a shard has been read. */
struct dynamodb_cursor {
	char *start; /* base64 of the sort key after which it goes on; NULL: from the first */
	bool is_complete;
};

/* What of a key is in its name. */
struct slice dynamodb_range_stem(struct slice key);

/* A Query of shard `shard` of `ns`: names of which the stem of `prefix` is one, from the name
 * `after` on (inclusive), up to `limit`; `attributes` of them. */
void dynamodb_range_write(struct buffer *out, const struct dynamodb_state *state, struct slice ns,
			  unsigned shard, struct slice prefix, struct slice after,
			  const struct dynamodb_cursor *cursor, size_t limit,
			  const char *attributes);
/* Moves the cursor on. False: out of memory, or the answer is none to a Query. */
bool dynamodb_range_advance(struct dynamodb_cursor *cursor, const json_t *root);

#endif
