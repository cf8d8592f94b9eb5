#include "backends/d1/rest.h"

#include <stdlib.h>

#include "backends/base/json_out.h"
#include "backends/d1/wire.h"

static enum cache_status rest_accepts(const struct d1_context *context, struct cache_op *op)
{
	(void)context;
	if (op->type > CACHE_OP_EXISTS)
		return CACHE_OK;
	if (op->item_count > CALL_ITEMS_MAX) {
		op->detail = "the d1 backend takes up to 10,000 items in one batch";
		return CACHE_TOO_LARGE;
	}
	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *item = &op->items[i];
		size_t value_len = op->type == CACHE_OP_SET ? item->value->len_bytes : 0;

		/* Bytes that are no UTF-8 travel as hex or base64; D1 itself says no to those. */
		if (item->key.len + value_len > REST_ROW_MAX_BYTES) {
			op->detail = "the key and the value together are larger than D1 takes in a "
				     "row (2,000,000 bytes; bytes that are no UTF-8 count more)";
			return CACHE_TOO_LARGE;
		}
	}
	return CACHE_OK;
}

static bool rest_joins(const struct d1_call *call, const struct d1_job *job)
{
	return call->jobs.first->op->type <= CACHE_OP_EXISTS && job->op->type <= CACHE_OP_EXISTS;
}

static struct rest_state *make_state(const struct d1_call *call)
{
	struct ops_state *ops = d1_ops_group(call);
	struct rest_state *state =
		ops ? calloc(1, sizeof(*state) + ops->group_count * sizeof(state->groups[0]))
		    : NULL;

	for (size_t i = 0; state && i < ops->group_count; i++)
		state->groups[i].ops = ops->groups[i];
	if (state)
		state->group_count = ops->group_count;
	free(ops);
	return state;
}

static void rest_discard(struct d1_call *call)
{
	free(call->state);
	call->state = NULL;
}

/* ---- Requests ---- */

/* Drops the jobs whose ops are gone from the front of a group; without any left it is finished. */
static void prune(struct rest_group *group)
{
	while (group->ops.first && !group->ops.first->op)
		group->ops.first = group->ops.first->grouped;
	if (!group->ops.first)
		group->is_finished = true;
}

static void write_migrations(const struct d1_context *context, size_t from, struct buffer *body)
{
	for (size_t i = from; i < context->sql->migration_count; i++) {
		buffer_append(body, i > from ? SLICE(",{\"sql\":") : SLICE("{\"sql\":"));
		json_out_string(body, slice_of(context->sql->migrations[i]));
		buffer_append_char(body, '}');
	}
}

static void write_groups(const struct d1_context *context, struct rest_state *state,
			 struct buffer *body)
{
	size_t statements = 0;

	for (size_t i = 0; i < state->group_count; i++) {
		struct rest_group *group = &state->groups[i];

		group->count = 0;
		if (!group->is_finished)
			prune(group);
		if (group->is_finished || (state->is_alone && statements > 0) ||
		    statements >= REST_BATCH_MAX)
			continue;
		group->first = statements;
		group->count = d1_rest_write_group(context, group, body);
		statements += group->count;
	}
}

bool d1_rest_write(const struct d1_context *context, struct d1_call *call, const char **ret_path,
		   struct buffer *body)
{
	struct rest_state *state = call->state;

	*ret_path = "/query";
	if (call->kind == CALL_PROBE) {
		buffer_append(body, SLICE("{\"sql\":\"SELECT 1\"}"));
		return !body->failed;
	}
	if (!state)
		call->state = state = make_state(call);
	if (!state)
		return false;
	buffer_append(body, SLICE("{\"batch\":["));
	if (state->migrates)
		write_migrations(context, state->upgrades ? context->sql->first_migration_count : 0,
				 body);
	else
		write_groups(context, state, body);
	buffer_append(body, SLICE("]}"));
	return !body->failed;
}

/* ---- Refusals ---- */

static bool holds(struct slice text, const char *words)
{
	return text.len > 0 && memmem(text.data, text.len, words, strlen(words)) != NULL;
}

/* What D1 says when it refuses a statement, with what it means for the client. */
static enum cache_status explain(const struct d1_context *context, struct slice message,
				 const char **ret_detail)
{
	if (holds(message, "too big") || holds(message, "TOOBIG")) {
		*ret_detail = "the value is larger than D1 takes in a row (2,000,000 bytes)";
		return CACHE_TOO_LARGE;
	}
	if (holds(message, "SQLITE_FULL") || holds(message, "disk is full") ||
	    holds(message, "maximum DB size")) {
		*ret_detail = "the D1 database is full; delete entries or lower the limits";
		return CACHE_NO_SPACE;
	}
	if (holds(message, "syntax error") || holds(message, "not authorized") ||
	    holds(message, "SQLITE_CONSTRAINT") || holds(message, "SQLITE_MISMATCH") ||
	    holds(message, "no such column") || holds(message, "malformed")) {
		*ret_detail = d1_tally_keep(context->tally, message);
		return CACHE_INTERNAL;
	}
	*ret_detail = "the D1 database did not answer; try again";
	return CACHE_UNAVAILABLE;
}

static size_t count_written(const struct rest_state *state)
{
	size_t count = 0;

	for (size_t i = 0; i < state->group_count; i++)
		count += state->groups[i].count > 0;
	return count;
}

static bool is_done(const struct rest_state *state)
{
	for (size_t i = 0; i < state->group_count; i++)
		if (!state->groups[i].is_finished)
			return false;
	return true;
}

/* Nothing of the batch was done. */
static enum d1_step read_refusal(const struct d1_context *context, struct rest_state *state,
				 struct slice message)
{
	const char *detail = NULL;

	/* No tables; or those of an older version. */
	state->upgrades = holds(message, "no such column") || holds(message, "has no column");
	if ((holds(message, "no such table") || state->upgrades) && !state->has_migrated) {
		state->migrates = true;
		return STEP_AGAIN;
	}
	enum cache_status status = explain(context, message, &detail);
	if (status != CACHE_UNAVAILABLE && count_written(state) > 1) {
		state->is_alone = true;
		return STEP_AGAIN;
	}
	for (size_t i = 0; i < state->group_count; i++)
		if (state->groups[i].count > 0)
			d1_rest_fail_group(&state->groups[i], status, detail);
	return is_done(state) ? STEP_DONE : STEP_AGAIN;
}

/* ---- Answers ---- */

bool d1_rest_reads(long status, struct slice body)
{
	return status == 200 || (status == 400 && holds(body, "\"errors\""));
}

static bool results_are_sound(const json_t *results, size_t count)
{
	const json_t *each;
	size_t i;

	if (!json_is_array(results) || json_array_size(results) != count)
		return false;
	json_array_foreach(results, i, each)
	{
		if (!json_is_array(json_object_get(each, "results")))
			return false;
	}
	return true;
}

enum d1_step d1_rest_read(const struct d1_context *context, struct d1_call *call, long status,
			  struct slice body)
{
	struct rest_state *state = call->state;
	json_auto_t *root = d1_read_object(body);
	const json_t *results = json_object_get(root, "result");
	const json_t *error = json_array_get(json_object_get(root, "errors"), 0);
	size_t statements = 0;

	(void)status;
	if (state->migrates) {
		/* Where another front was quicker there are tables already. */
		state->migrates = false;
		state->has_migrated = true;
		return root ? STEP_AGAIN : STEP_BAD;
	}
	if (json_is_false(json_object_get(root, "success")) && error)
		return read_refusal(context, state, d1_read_text(error, "message"));
	for (size_t i = 0; i < state->group_count; i++)
		statements += state->groups[i].count;
	if (!json_is_true(json_object_get(root, "success")) ||
	    !results_are_sound(results, statements))
		return STEP_BAD;
	for (size_t i = 0; i < state->group_count; i++)
		if (state->groups[i].count > 0)
			d1_rest_read_group(context, &state->groups[i], results);
	return is_done(state) ? STEP_DONE : STEP_AGAIN;
}

const struct d1_dialect d1_rest_dialect = {
	.accepts = rest_accepts,
	.joins = rest_joins,
	.write = d1_rest_write,
	.reads = d1_rest_reads,
	.read = d1_rest_read,
	.discard = rest_discard,
};
