#include "backends/dynamodb/configure.h"

#include "backends/dynamodb/prepare.h"
#include "backends/dynamodb/wire.h"

static bool configure_write(const struct remote_context *context, struct remote_call *call,
			    size_t part, struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct cache_op *op = dynamodb_call_op(call);
	const struct namespace_settings *settings = &op->settings;
	unsigned mask = op->settings_mask;

	(void)part;
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_meta_key(out, state, 'n', op->ns);
	buffer_append(out, SLICE(",\"UpdateExpression\":\"SET w=:w"));
	if (mask & SETTING_DEFAULT_TTL)
		buffer_append(out, SLICE(",D=:D"));
	if (mask & SETTING_STALE_TTL)
		buffer_append(out, SLICE(",T=:T"));
	if (mask & SETTING_POLICY)
		buffer_append(out, SLICE(",P=:P"));
	if (mask & SETTING_COMPRESSION)
		buffer_append(out, SLICE(",Z=:Z"));
	if (mask & SETTING_PUT_STATUS)
		buffer_append(out, SLICE(",H=:H"));
	buffer_append(out, SLICE("\",\"ExpressionAttributeValues\":{"));
	dynamodb_wire_text(out, ":w", slice_of(dynamodb_call_of(call)->name));
	if (mask & SETTING_DEFAULT_TTL)
		dynamodb_wire_number(out, ":D", settings->default_ttl_s);
	if (mask & SETTING_STALE_TTL)
		dynamodb_wire_number(out, ":T", settings->stale_ttl_s);
	if (mask & SETTING_POLICY)
		dynamodb_wire_text(out, ":P", slice_of(eviction_policy_name(settings->policy)));
	if (mask & SETTING_COMPRESSION)
		dynamodb_wire_text(out, ":Z", slice_of(compression_name(settings->compression)));
	if (mask & SETTING_PUT_STATUS)
		dynamodb_wire_number(out, ":H", settings->put_status);
	buffer_append(out, SLICE("}}"));
	return true;
}

static enum remote_step configure_read(const struct remote_context *context,
				       struct remote_call *call, size_t part,
				       const struct dynamodb_reply *reply)
{
	struct cache_op *op = dynamodb_call_op(call);
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct dynamodb_space *space = op ? dynamodb_space_find(&state->spaces, op->ns) : NULL;

	(void)part;
	(void)reply;
	if (!space) {
		state->read_us = 0; /* the op is over, but the settings hold */
		return STEP_DONE;
	}
	if (op->settings_mask & SETTING_DEFAULT_TTL)
		space->settings.default_ttl_s = op->settings.default_ttl_s;
	if (op->settings_mask & SETTING_STALE_TTL)
		space->settings.stale_ttl_s = op->settings.stale_ttl_s;
	if (op->settings_mask & SETTING_POLICY)
		space->settings.policy = op->settings.policy;
	if (op->settings_mask & SETTING_COMPRESSION)
		space->settings.compression = op->settings.compression;
	if (op->settings_mask & SETTING_PUT_STATUS)
		space->settings.put_status = op->settings.put_status;
	space->configured_us = dynamodb_mono_us();
	space->look_at_us = 0;
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage configure_stage = {
	.target = "UpdateItem",
	.write = configure_write,
	.read = configure_read,
};

const struct dynamodb_stage *dynamodb_configure_begin(const struct remote_context *context,
						      struct remote_call *call)
{
	return dynamodb_prepare_write(context, call, dynamodb_call_op(call)->ns, &configure_stage);
}
