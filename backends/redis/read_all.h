/* Replies about whole namespaces, once they have been checked (check.h). */
#ifndef STEADYCACHE_REDIS_READ_ALL_H
#define STEADYCACHE_REDIS_READ_ALL_H

#include "backends/redis/batch.h"

void redis_read_cleared(const struct remote_context *context, struct remote_call *call,
			const struct redis_command *command, const struct redis_reply *reply);
void redis_read_dropped(const struct remote_context *context, const struct redis_command *command,
			bool was_there);
void redis_read_listing(const struct remote_context *context, struct remote_call *call,
			const struct redis_command *command, const struct redis_reply *reply);
void redis_read_names(const struct remote_context *context, struct remote_call *call,
		      const struct redis_command *command, const struct redis_reply *reply);
void redis_read_stats(const struct remote_context *context, struct remote_call *call,
		      const struct redis_command *command, const struct redis_reply *reply);
void redis_read_configured(const struct remote_context *context,
			   const struct redis_command *command, const struct redis_reply *reply);
void redis_read_work(const struct remote_context *context, struct remote_call *call,
		     const struct redis_command *command, const struct redis_reply *reply);

#endif
