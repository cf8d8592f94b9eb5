#include "backends/dynamodb/victim.h"

#include "backends/dynamodb/accounts.h"
#include "backends/remote/namespaces.h"
#include "store/rules.h"

bool dynamodb_victim_take(struct dynamodb_victim *victim, const json_t *item, unsigned shard,
			  int64_t now_us)
{
	struct slice write = dynamodb_wire_read_text(item, "w");
	char room[1024];
	struct slice name;

	if (write.len >= sizeof(victim->write) ||
	    !dynamodb_wire_read_sort_key(item, 'k', room, &name))
		return false;
	victim->shard = shard;
	memcpy(victim->name, room, name.len);
	victim->name_len = name.len;
	memset(victim->write, 0, sizeof(victim->write));
	if (write.len > 0)
		memcpy(victim->write, write.data, write.len);
	victim->size = dynamodb_wire_read_number(item, "s", 0);
	victim->used = dynamodb_wire_read_number(item, "u", 0);
	victim->has_expired = !rules_is_live(dynamodb_wire_read_number(item, "x", 0), now_us);
	return true;
}

size_t dynamodb_victim_parts(const struct remote_context *context, struct remote_call *call)
{
	const struct dynamodb_victims *victims = dynamodb_call_of(call)->plan;

	(void)context;
	return victims->count;
}

bool dynamodb_victim_write(const struct remote_context *context, struct remote_call *call,
			   size_t part, struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct dynamodb_victims *victims = dynamodb_call_of(call)->plan;
	const struct dynamodb_victim *victim = &victims->all[part];

	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_name_key(out, state, slice_of(victims->space->name), victim->shard,
			       (struct slice){victim->name, victim->name_len});
	buffer_append(out, SLICE(",\"ConditionExpression\":\"w=:w\","
				 "\"ExpressionAttributeValues\":{"));
	dynamodb_wire_text(out, ":w", slice_of(victim->write));
	buffer_append(out, SLICE("}}"));
	return true;
}

void dynamodb_victim_gone(const struct remote_context *context,
			  const struct dynamodb_victim *victim, struct dynamodb_space *space)
{
	dynamodb_accounts_add(dynamodb_state_of(context), space, -1, -victim->size, -victim->used);
	if (victim->has_expired)
		remote_namespaces_find(context->namespaces, slice_of(space->name))->expirations++;
}
