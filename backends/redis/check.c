#include "backends/redis/check.h"

#include "backends/redis/decimal.h"
#include "backends/redis/value.h"

/* An array whose first elements are `count` integers. */
static bool has_integers(const struct redis_reply *reply, size_t count)
{
	if (reply->kind != REPLY_ARRAY || reply->count < count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (reply->elements[i].kind != REPLY_INTEGER)
			return false;
	return true;
}

static bool is_time(const struct redis_reply *reply)
{
	for (size_t i = 0; i < 2; i++) {
		const struct redis_reply *part = redis_reply_element(reply, i, REPLY_STRING);

		if (!part || redis_decimal(part->text) < 0)
			return false;
	}
	return true;
}

static bool is_fetched(enum redis_kind kind, const struct redis_reply *reply)
{
	struct redis_value value;
	struct redis_head head;

	if (reply->kind == REPLY_NIL)
		return true;
	if (reply->kind != REPLY_STRING)
		return false;
	return kind == COMMAND_GET ? redis_value_read(reply->text, &value)
				   : redis_value_read_head(reply->text, &head);
}

/* What came for `item_count` items. */
static bool are_fetched(const struct redis_command *command, size_t item_count,
			const struct redis_reply *reply)
{
	if (item_count == 1)
		return is_fetched(command->kind, reply);
	if (reply->kind != REPLY_ARRAY || reply->count != item_count)
		return false;
	for (size_t i = 0; i < reply->count; i++)
		if (!is_fetched(command->kind, &reply->elements[i]))
			return false;
	return true;
}

static bool is_set(const struct redis_command *command, const struct redis_reply *reply)
{
	if (!has_integers(reply, 2))
		return false;
	if (redis_check_code(reply) != CODE_OK)
		return true;
	const struct redis_reply *created = redis_reply_element(reply, 4, REPLY_STRING);
	return has_integers(reply, 4) && created && created->text.len == command->item_count &&
	       reply->count > 5 && reply->elements[5].kind == REPLY_INTEGER;
}

static bool is_deleted(const struct redis_command *command, const struct redis_reply *reply)
{
	const struct redis_reply *statuses = redis_reply_element(reply, 2, REPLY_STRING);

	return has_integers(reply, 2) && statuses && statuses->text.len == command->item_count;
}

static bool is_listing(const struct redis_reply *reply)
{
	struct redis_head head;

	if (!has_integers(reply, 3) || !redis_reply_element(reply, 3, REPLY_STRING) ||
	    reply->count % 2 != 0)
		return false;
	for (size_t i = 4; i < reply->count; i += 2)
		if (reply->elements[i].kind != REPLY_STRING ||
		    reply->elements[i + 1].kind != REPLY_STRING ||
		    !redis_value_read_head(reply->elements[i + 1].text, &head))
			return false;
	return true;
}

static bool are_names(const struct redis_reply *reply)
{
	if (reply->kind != REPLY_ARRAY)
		return false;
	for (size_t i = 0; i < reply->count; i++)
		if (reply->elements[i].kind != REPLY_STRING ||
		    !namespace_name_is_valid(reply->elements[i].text))
			return false;
	return true;
}

static bool are_stats(const struct redis_reply *reply)
{
	return has_integers(reply, 2) &&
	       (redis_check_code(reply) == CODE_ABSENT || has_integers(reply, STATS_PLACES));
}

bool redis_check_reply(const struct redis_command *command, const struct redis_reply *reply)
{
	if (reply->kind == REPLY_ERROR)
		return true;
	switch (command->kind) {
	case COMMAND_PING:
		return reply->kind == REPLY_STATUS;
	case COMMAND_TIME:
		return is_time(reply);
	case COMMAND_CLAIM:
		return reply->kind == REPLY_STATUS || reply->kind == REPLY_NIL;
	case COMMAND_CLAIMED:
		return reply->kind == REPLY_STRING || reply->kind == REPLY_NIL;
	case COMMAND_SETTINGS:
	case COMMAND_STATS:
		return are_stats(reply);
	case COMMAND_USE:
		return has_integers(reply, 2);
	case COMMAND_GET:
	case COMMAND_EXISTS:
		return are_fetched(command, command->item_count, reply);
	case COMMAND_HEADS:
		return are_fetched(command, command[1].item_count, reply);
	case COMMAND_SET:
	case COMMAND_SET_EACH:
		return is_set(command, reply);
	case COMMAND_DELETE:
	case COMMAND_EXPIRE:
		return is_deleted(command, reply);
	case COMMAND_DROP:
		return has_integers(reply, 2);
	case COMMAND_UNNAME:
		return reply->kind == REPLY_INTEGER;
	case COMMAND_CLEAR:
		return has_integers(reply, 3);
	case COMMAND_CLEAR_PREFIX:
		return has_integers(reply, 3) && redis_reply_element(reply, 3, REPLY_STRING);
	case COMMAND_LIST:
		return is_listing(reply);
	case COMMAND_NAMES:
		return are_names(reply);
	case COMMAND_CONFIGURE:
		return has_integers(reply, 2) &&
		       (redis_check_code(reply) == CODE_ABSENT || has_integers(reply, 3));
	case COMMAND_WORK:
		return has_integers(reply, 6);
	case COMMAND_NAME:
		return has_integers(reply, 1);
	case COMMAND_LEASE_TAKE:
		return has_integers(reply, 3);
	case COMMAND_LEASE_END:
		return has_integers(reply, 2);
	case REDIS_KINDS:
		break;
	}
	return false;
}

bool redis_check_has_time(enum redis_kind kind)
{
	switch (kind) {
	case COMMAND_SETTINGS:
	case COMMAND_USE:
	case COMMAND_SET:
	case COMMAND_SET_EACH:
	case COMMAND_DELETE:
	case COMMAND_EXPIRE:
	case COMMAND_CLEAR:
	case COMMAND_CLEAR_PREFIX:
	case COMMAND_DROP:
	case COMMAND_LIST:
	case COMMAND_STATS:
	case COMMAND_CONFIGURE:
	case COMMAND_WORK:
	case COMMAND_LEASE_TAKE:
	case COMMAND_LEASE_END:
		return true;
	default:
		return false;
	}
}
