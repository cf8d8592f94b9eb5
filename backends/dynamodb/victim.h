/* Entries that a sweep or a CLEAR has found and removes, each on the condition that it is still the
 * one that was found: so the accounts know what went, whoever else removes or writes. */
#ifndef STEADYCACHE_DYNAMODB_VICTIM_H
#define STEADYCACHE_DYNAMODB_VICTIM_H

#include "backends/dynamodb/call.h"
#include "backends/dynamodb/wire.h"

struct dynamodb_victim {
	unsigned shard;
	char name[DYNAMODB_NAME_MAX];
	size_t name_len;
	char write[17]; /* that made it */
	int64_t size, used;
	bool has_expired;
};

/* What a call's plan begins with if it has a step that removes. */
struct dynamodb_victims {
	struct dynamodb_space *space;
	size_t count;
	struct dynamodb_victim *all; /* the plan's */
};

/* An item of an answer. False: it is no entry. */
bool dynamodb_victim_take(struct dynamodb_victim *victim, const json_t *item, unsigned shard,
			  int64_t now_us);
/* Of the step that removes: a DeleteItem for each (struct dynamodb_stage). */
size_t dynamodb_victim_parts(const struct remote_context *context, struct remote_call *call);
bool dynamodb_victim_write(const struct remote_context *context, struct remote_call *call,
			   size_t part, struct buffer *out);
/* It is gone: takes it out of the accounts. */
void dynamodb_victim_gone(const struct remote_context *context,
			  const struct dynamodb_victim *victim, struct dynamodb_space *space);

#endif
