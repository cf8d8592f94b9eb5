/* Entries that a sweep or a CLEAR has found and removes, each on the condition that it is still the
 * one that was found: so the accounts know what went, whoever else removes or writes. */
#ifndef STEADYCACHE_DYNAMODB_VICTIM_H
#define STEADYCACHE_DYNAMODB_VICTIM_H

#include "backends/dynamodb/wire.h"

struct dynamodb_victim {
	unsigned shard;
	char name[DYNAMODB_NAME_MAX];
	size_t name_len;
	char write[17]; /* that made it */
	int64_t size, used;
	bool has_expired;
};

/* An item of an answer. False: it is no entry. */
bool dynamodb_victim_take(struct dynamodb_victim *victim, const json_t *item, unsigned shard,
			  int64_t now_us);
/* The body of its DeleteItem. */
void dynamodb_victim_write(const struct dynamodb_victim *victim, const struct dynamodb_state *state,
			   const struct dynamodb_space *space, struct buffer *out);
/* It is gone: takes it out of the accounts. */
void dynamodb_victim_gone(const struct remote_context *context,
			  const struct dynamodb_victim *victim, struct dynamodb_space *space);

#endif
