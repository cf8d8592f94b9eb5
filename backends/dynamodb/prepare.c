/* The stages before an operation:
 *
 *   read ──(no table)──► create ──► describe ──(not yet active)──► describe ...
 *    │  ◄──────────────────────────────┘
 *    ├──(no item of the table)──► time to live ──► claim ──► read
 *    └──► the operation */
#include "backends/dynamodb/prepare.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/dynamodb/verdict.h"
#include "backends/dynamodb/wire.h"
#include "backends/remote/details.h"
#include "backends/remote/namespaces.h"
#include "backends/remote/settings.h"

#define VERSION 1

static const struct dynamodb_stage create_stage, describe_stage, ttl_stage, claim_stage;

/* Of a reading that takes several answers. */
struct reading {
	char start[128]; /* base64 of the sort key after which it goes on; empty: from the first */
	bool has_table;
	int64_t begun_us; /* monotonic */
};

static struct reading *reading_of(struct remote_call *call)
{
	struct dynamodb_call *own = dynamodb_call_of(call);
	struct reading *reading = own->plan;

	if (!reading) {
		own->plan = reading = calloc(1, sizeof(*reading));
		if (reading)
			reading->begun_us = dynamodb_mono_us();
	}
	return reading;
}

static void end_reading(struct remote_call *call)
{
	struct dynamodb_call *own = dynamodb_call_of(call);

	free(own->plan);
	own->plan = NULL;
}

bool dynamodb_prepare_is_due(struct dynamodb_state *state)
{
	int64_t now_us = dynamodb_mono_us();

	if (state->read_us == 0)
		return true;
	if (now_us - state->read_us < DYNAMODB_SETTINGS_US - US_PER_S ||
	    now_us < state->read_again_us)
		return false;
	state->read_again_us = now_us + US_PER_S;
	return true;
}

/* ---- Reading ---- */

static bool write_read(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct reading *reading = reading_of(call);

	(void)part;
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"ConsistentRead\":true,\"KeyConditionExpression\":\"p=:p\","
				 "\"ExpressionAttributeValues\":{\":p\":{\"S\":"));
	dynamodb_wire_meta_partition(out, state);
	buffer_append(out, SLICE("}}"));
	if (reading && *reading->start) {
		buffer_append(out, SLICE(",\"ExclusiveStartKey\":{\"p\":{\"S\":"));
		dynamodb_wire_meta_partition(out, state);
		buffer_printf(out, "},\"k\":{\"B\":\"%s\"}}", reading->start);
	}
	buffer_append_char(out, '}');
	return reading != NULL;
}

/* The namespace of an item. False: out of memory. */
static bool take_space(const struct remote_context *context, const struct reading *reading,
		       const json_t *item, struct slice name)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct dynamodb_space *space = dynamodb_space_find(&state->spaces, name);

	if (!namespace_name_is_valid(name))
		return true;
	if (!space)
		space = dynamodb_space_add(&state->spaces, context->config, name);
	if (!space)
		return false;
	struct namespace_settings *settings = &space->settings;
	int64_t stale_ttl_s = settings->stale_ttl_s;
	if (space->dropped_us >= reading->begun_us) /* it may have been read before that */
		return true;
	space->seen_us = reading->begun_us;
	dynamodb_space_register(&state->spaces, space);
	if (space->configured_us >= reading->begun_us) /* what was read may be older */
		return true;
	dynamodb_space_defaults(context->config, name, settings);
	settings->default_ttl_s = dynamodb_wire_read_number(item, "D", settings->default_ttl_s);
	settings->stale_ttl_s = dynamodb_wire_read_number(item, "T", 0);
	(void)eviction_policy_parse(dynamodb_wire_read_text(item, "P"), &settings->policy);
	(void)compression_parse(dynamodb_wire_read_text(item, "Z"), &settings->compression);
	settings->put_status = (unsigned)dynamodb_wire_read_number(item, "H", 0);
	if (settings->stale_ttl_s != stale_ttl_s)
		space->look_at_us = 0;
	return true;
}

/* Whether the table is one that this version can use, as this process is told to. */
static bool take_table(const struct remote_context *context, const json_t *item)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	int64_t shards = dynamodb_wire_read_number(item, "N", 0);
	int64_t version = dynamodb_wire_read_number(item, "V", 0);
	char sentence[160];

	state->fault = NULL;
	if (version != VERSION || shards < 1 || shards > 256) {
		state->fault = "the table in DynamoDB is of another version of steadycache; name "
			       "another table, or another prefix";
	} else if (state->settings.shards > 0 && (int64_t)state->settings.shards != shards) {
		(void)snprintf(sentence, sizeof(sentence),
			       "the table in DynamoDB has %lld shards; leave --dynamodb-shards out",
			       (long long)shards);
		state->fault = remote_details_keep(context->details, slice_of(sentence));
		if (!state->fault)
			state->fault = "the table in DynamoDB has another number of shards; leave "
				       "--dynamodb-shards out";
	}
	state->shards = (unsigned)shards;
	return !state->fault;
}

/* False: out of memory. */
static bool take_items(const struct remote_context *context, struct reading *reading,
		       const json_t *items)
{
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		char room[1024];
		struct slice name;

		if (dynamodb_wire_read_sort_key(item, 't', room, &name))
			reading->has_table = take_table(context, item) || reading->has_table;
		else if (dynamodb_wire_read_sort_key(item, 'n', room, &name) &&
			 !take_space(context, reading, item, name))
			return false;
	}
	return true;
}

static enum remote_step go_on(const struct remote_context *context, struct remote_call *call)
{
	const struct dynamodb_stage *stage;

	end_reading(call);
	stage = dynamodb_call_of(call)->begin(context, call);
	return stage ? dynamodb_call_next(call, stage) : dynamodb_call_end(call);
}

/* What was in the table, and is not found there any more, has been dropped by another server. What
 * this one writes to it may have come later: that is looked for once it is all there. */
static void forget_dropped(const struct remote_context *context, const struct reading *reading)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct dynamodb_space *space = NULL;

	while ((space = dynamodb_space_next(&state->spaces, space))) {
		if (!space->is_registered || space->seen_us >= reading->begun_us ||
		    space->registered_us >= reading->begun_us ||
		    space->configured_us >= reading->begun_us)
			continue;
		dynamodb_space_unregister(&state->spaces, context->config, space);
		space->recall_at_us = dynamodb_mono_us() + context->settings->timeout_us;
		remote_namespaces_forget(context->namespaces, slice_of(space->name));
	}
}

static enum remote_step read_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct reading *reading = reading_of(call);
	const json_t *items = json_object_get(reply->root, "Items");
	const json_t *last = json_object_get(reply->root, "LastEvaluatedKey");

	(void)part;
	if (dynamodb_reply_is(reply, "ResourceNotFoundException")) {
		state->read_us = 0;
		end_reading(call);
		if (state->settings.creates_table)
			return dynamodb_call_next(call, &create_stage);
		return dynamodb_call_fail(call, CACHE_UNAVAILABLE,
					  dynamodb_verdict_sentences[SENTENCE_NOT_THERE]);
	}
	if (!json_is_array(items))
		return STEP_BAD;
	if (!reading || !take_items(context, reading, items))
		return STEP_NO_MEMORY;
	if (state->fault)
		return dynamodb_call_fail(call, CACHE_UNAVAILABLE, state->fault);
	if (json_is_object(last)) {
		struct slice start = dynamodb_wire_read_base64(last, "k");

		/* Names are short. */
		if (!start.data || start.len == 0 || start.len >= sizeof(reading->start))
			return STEP_BAD;
		memcpy(reading->start, start.data, start.len);
		reading->start[start.len] = '\0';
		return dynamodb_call_next(call, &dynamodb_prepare_stage);
	}
	if (!reading->has_table) {
		end_reading(call);
		return dynamodb_call_next(call, state->settings.creates_table ? &ttl_stage
									      : &claim_stage);
	}
	forget_dropped(context, reading);
	state->read_us = dynamodb_mono_us();
	return go_on(context, call);
}

const struct dynamodb_stage dynamodb_prepare_stage = {
	.target = "Query",
	.exception = "ResourceNotFoundException",
	.write = write_read,
	.read = read_read,
};

/* ---- Making the table ---- */

static bool write_create(const struct remote_context *context, struct remote_call *call,
			 size_t part, struct buffer *out)
{
	(void)call;
	(void)part;
	dynamodb_wire_begin(out, dynamodb_state_of(context));
	buffer_append(out,
		      SLICE(",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":["
			    "{\"AttributeName\":\"p\",\"AttributeType\":\"S\"},"
			    "{\"AttributeName\":\"k\",\"AttributeType\":\"B\"},"
			    "{\"AttributeName\":\"x\",\"AttributeType\":\"N\"}],"
			    "\"KeySchema\":[{\"AttributeName\":\"p\",\"KeyType\":\"HASH\"},"
			    "{\"AttributeName\":\"k\",\"KeyType\":\"RANGE\"}],"
			    "\"GlobalSecondaryIndexes\":[{\"IndexName\":\"" DYNAMODB_INDEX "\","
			    "\"KeySchema\":[{\"AttributeName\":\"p\",\"KeyType\":\"HASH\"},"
			    "{\"AttributeName\":\"x\",\"KeyType\":\"RANGE\"}],"
			    "\"Projection\":{\"ProjectionType\":\"INCLUDE\",\"NonKeyAttributes\":"
			    "[\"w\",\"s\",\"u\"]}}]}"));
	return true;
}

static enum remote_step read_create(const struct remote_context *context, struct remote_call *call,
				    size_t part, const struct dynamodb_reply *reply)
{
	(void)part;
	(void)reply; /* made now, or by somebody else meanwhile */
	return dynamodb_call_again(context, call, &describe_stage);
}

static const struct dynamodb_stage create_stage = {
	.target = "CreateTable",
	.exception = "ResourceInUseException",
	.write = write_create,
	.read = read_create,
};

static bool write_describe(const struct remote_context *context, struct remote_call *call,
			   size_t part, struct buffer *out)
{
	(void)call;
	(void)part;
	dynamodb_wire_begin(out, dynamodb_state_of(context));
	buffer_append_char(out, '}');
	return true;
}

static enum remote_step read_describe(const struct remote_context *context,
				      struct remote_call *call, size_t part,
				      const struct dynamodb_reply *reply)
{
	const json_t *table = json_object_get(reply->root, "Table");
	const char *status = json_string_value(json_object_get(table, "TableStatus"));

	(void)part;
	if (status && strcmp(status, "ACTIVE") == 0)
		return dynamodb_call_next(call, &dynamodb_prepare_stage);
	return dynamodb_call_again(context, call, &describe_stage);
}

static const struct dynamodb_stage describe_stage = {
	.target = "DescribeTable",
	.write = write_describe,
	.read = read_describe,
};

static bool write_ttl(const struct remote_context *context, struct remote_call *call, size_t part,
		      struct buffer *out)
{
	(void)call;
	(void)part;
	dynamodb_wire_begin(out, dynamodb_state_of(context));
	buffer_append(out, SLICE(",\"TimeToLiveSpecification\":{\"AttributeName\":\"t\","
				 "\"Enabled\":true}}"));
	return true;
}

static enum remote_step read_ttl(const struct remote_context *context, struct remote_call *call,
				 size_t part, const struct dynamodb_reply *reply)
{
	(void)context;
	(void)part;
	(void)reply;
	return dynamodb_call_next(call, &claim_stage);
}

static const struct dynamodb_stage ttl_stage = {
	.target = "UpdateTimeToLive",
	.exception = "ValidationException",
	.write = write_ttl,
	.read = read_ttl,
};

static bool write_claim(const struct remote_context *context, struct remote_call *call, size_t part,
			struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);

	(void)call;
	(void)part;
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Item\":"));
	dynamodb_wire_meta_key(out, state, 't', SLICE(""));
	out->len--;
	dynamodb_wire_number(out, "N",
			     state->settings.shards ? state->settings.shards : DYNAMODB_SHARDS);
	dynamodb_wire_number(out, "V", VERSION);
	buffer_append(out, SLICE("},\"ConditionExpression\":\"attribute_not_exists(k)\"}"));
	return true;
}

static enum remote_step read_claim(const struct remote_context *context, struct remote_call *call,
				   size_t part, const struct dynamodb_reply *reply)
{
	(void)context;
	(void)part;
	(void)reply; /* written, or somebody else was first */
	return dynamodb_call_next(call, &dynamodb_prepare_stage);
}

static const struct dynamodb_stage claim_stage = {
	.target = "PutItem",
	.exception = "ConditionalCheckFailedException",
	.write = write_claim,
	.read = read_claim,
};

/* ---- Namespaces ---- */

static bool write_register(const struct remote_context *context, struct remote_call *call,
			   size_t part, struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);

	(void)part;
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Item\":"));
	dynamodb_wire_meta_key(out, state, 'n', dynamodb_call_op(call)->ns);
	buffer_append(out, SLICE(",\"ConditionExpression\":\"attribute_not_exists(k)\"}"));
	return true;
}

static enum remote_step read_register(const struct remote_context *context,
				      struct remote_call *call, size_t part,
				      const struct dynamodb_reply *reply)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	const struct cache_op *op = dynamodb_call_op(call);

	(void)part;
	if (!op)
		return dynamodb_call_end(call);
	if (reply->error.len > 0) /* somebody else did, perhaps with settings: read them */
		return dynamodb_call_next(call, &dynamodb_prepare_stage);
	struct dynamodb_space *space = dynamodb_space_find(&state->spaces, op->ns);
	if (!space)
		space = dynamodb_space_add(&state->spaces, context->config, op->ns);
	if (!space)
		return STEP_NO_MEMORY;
	dynamodb_space_register(&state->spaces, space);
	space->registered_us = dynamodb_mono_us();
	return go_on(context, call);
}

static const struct dynamodb_stage register_stage = {
	.target = "PutItem",
	.exception = "ConditionalCheckFailedException",
	.write = write_register,
	.read = read_register,
};

const struct dynamodb_stage *dynamodb_prepare_write(const struct remote_context *context,
						    struct remote_call *call, struct slice ns,
						    const struct dynamodb_stage *stage)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct dynamodb_space *space = dynamodb_space_find(&state->spaces, ns);
	unsigned max = context->config->max_namespaces;

	if (space && space->is_registered)
		return stage;
	if (max == 0 || state->spaces.count < max)
		return &register_stage;
	(void)dynamodb_call_fail(call, CACHE_TOO_MANY_NAMESPACES, NULL);
	return NULL;
}
