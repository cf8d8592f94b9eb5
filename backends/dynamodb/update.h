/* The body of a write of one entry: UpdateItem, or the Update of a transaction. */
#ifndef STEADYCACHE_DYNAMODB_UPDATE_H
#define STEADYCACHE_DYNAMODB_UPDATE_H

#include "backends/dynamodb/wire.h"

/* What an entry becomes. */
struct dynamodb_update {
	const struct cache_op *op;
	const struct cache_item *item;
	const char *name; /* of the write */
	int64_t now_us, expires_us;
	int64_t stale_ttl_s; /* of its namespace */
	/* Its history: as given; or else that of the entry that is there continues, if there is
	 * one. */
	bool has_history;
	int64_t frequency, created_us, last_access_us;
	/* A condition: that of the item, or that the entry is still the one of write `before` ("":
	 * there is none); neither: NULL. */
	const struct cache_condition *condition;
	const char *before;
};

/* Expiry and history of `item`, for a SET in a namespace with `settings`. */
void dynamodb_update_init(struct dynamodb_update *update, const struct cache_op *op,
			  const struct cache_item *item, const struct namespace_settings *settings,
			  int64_t now_us, const char *name);
/* Gives it the history that follows on `old`: a new one unless that is live. Not if the item has
 * one. */
void dynamodb_update_follow(struct dynamodb_update *update, const struct dynamodb_old *old);

/* `{"TableName":...,"Key":...,"UpdateExpression":...,...`, without an end. */
void dynamodb_update_write(const struct dynamodb_update *update, const struct dynamodb_state *state,
			   struct buffer *out);

/* Members of a request: the condition of an item, and the values that it needs. */
void dynamodb_update_condition(struct buffer *out, const struct cache_condition *condition);
void dynamodb_update_condition_values(struct buffer *out, const struct cache_condition *condition);

/* From when on DynamoDB may remove by itself what expires then, seconds. */
int64_t dynamodb_update_ttl_s(int64_t expires_us, int64_t stale_ttl_s);

/* What an item counts in the accounts. */
uint64_t dynamodb_update_used(const struct cache_item *item);

#endif
