/* Replies about items, once they have been checked (check.h). */
#ifndef STEADYCACHE_REDIS_READ_ITEMS_H
#define STEADYCACHE_REDIS_READ_ITEMS_H

#include "backends/redis/batch.h"

void redis_read_fetched(const struct remote_context *context, const struct redis_command *command,
			const struct redis_reply *reply);
void redis_read_set_each(const struct remote_context *context, const struct redis_command *command,
			 const struct redis_reply *reply);
void redis_read_set(const struct remote_context *context, const struct redis_command *command,
		    const struct redis_reply *reply);
void redis_read_deleted(const struct remote_context *context, const struct redis_command *command,
			const struct redis_reply *reply);

#endif
