/* A SET of one item, and DELETE. */
#ifndef STEADYCACHE_DYNAMODB_WRITE_H
#define STEADYCACHE_DYNAMODB_WRITE_H

#include "backends/dynamodb/wire.h"

const struct dynamodb_stage *dynamodb_write_begin_set(const struct remote_context *context,
						      struct remote_call *call);
const struct dynamodb_stage *dynamodb_write_begin_delete(const struct remote_context *context,
							 struct remote_call *call);

/* What a SET that is done leaves in its item, in the accounts, and for the sweep. `old`: what was
 * there before. */
void dynamodb_write_done(const struct remote_context *context, const struct cache_op *op,
			 struct cache_item *item, int64_t now_us, int64_t expires_us,
			 const struct dynamodb_old *old);

#endif
