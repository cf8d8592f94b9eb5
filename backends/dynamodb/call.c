#include "backends/dynamodb/call.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/aws/sigv4.h"
#include "backends/dynamodb/accounts.h"
#include "backends/dynamodb/batch.h"
#include "backends/dynamodb/clear.h"
#include "backends/dynamodb/configure.h"
#include "backends/dynamodb/expire.h"
#include "backends/dynamodb/list.h"
#include "backends/dynamodb/prepare.h"
#include "backends/dynamodb/read.h"
#include "backends/dynamodb/recall.h"
#include "backends/dynamodb/sweep.h"
#include "backends/dynamodb/verdict.h"
#include "backends/dynamodb/wire.h"
#include "backends/dynamodb/write.h"

/* ---- Beginning ---- */

static const struct dynamodb_stage *begin_set(const struct remote_context *context,
					      struct remote_call *call)
{
	return dynamodb_call_op(call)->item_count == 1 ? dynamodb_write_begin_set(context, call)
						       : dynamodb_batch_begin(context, call);
}

/* Its only request was that of the preparation. */
static const struct dynamodb_stage *begin_check(const struct remote_context *context,
						struct remote_call *call)
{
	struct cache_op *op = dynamodb_call_op(call);
	const char *lack = dynamodb_state_of(context)->lack;

	op->checks[0] = (struct cache_health_check){.name = "upstream", .ok = true};
	if (lack)
		(void)snprintf(op->checks[0].detail, sizeof(op->checks[0].detail), "%s", lack);
	op->check_count = 1;
	remote_job_succeed(call->jobs.first);
	return NULL;
}

static const struct dynamodb_stage *begin_sync(const struct remote_context *context,
					       struct remote_call *call)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct cache_op *op = dynamodb_call_op(call);

	if (op == state->sweep_op)
		return dynamodb_sweep_begin(context, call);
	if (op == state->recall_op)
		return dynamodb_recall_begin(context, call);
	return dynamodb_accounts_begin_flush(context, call);
}

static const struct dynamodb_stage *begin(const struct remote_context *context,
					  struct remote_call *call)
{
	static const struct dynamodb_stage *(*const begins[CACHE_OP_TYPES])(
		const struct remote_context *, struct remote_call *) = {
		[CACHE_OP_GET] = dynamodb_read_begin,
		[CACHE_OP_SET] = begin_set,
		[CACHE_OP_DELETE] = dynamodb_write_begin_delete,
		[CACHE_OP_EXISTS] = dynamodb_read_begin,
		[CACHE_OP_EXPIRE] = dynamodb_expire_begin,
		[CACHE_OP_CLEAR] = dynamodb_clear_begin,
		[CACHE_OP_SCAN] = dynamodb_list_begin,
		[CACHE_OP_STATS] = dynamodb_accounts_begin_stats,
		[CACHE_OP_CONFIGURE] = dynamodb_configure_begin,
		[CACHE_OP_SYNC] = begin_sync,
		[CACHE_OP_CHECK] = begin_check,
	};
	const struct remote_job *job = call->jobs.first;

	while (job && !job->op)
		job = job->next;
	if (!job)
		return NULL;
	dynamodb_call_of(call)->now_us = dynamodb_now_us(context);
	return begins[job->op->type](context, call);
}

/* Of these what was known a few seconds ago is not enough. */
static bool asks_table(const struct cache_op *op)
{
	return op && (op->type == CACHE_OP_CHECK || (op->type == CACHE_OP_CLEAR && op->drop));
}

/* The state of a call, at its first step. NULL: out of memory. */
static struct dynamodb_call *make_call(const struct remote_context *context,
				       struct remote_call *call)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct dynamodb_call *own = calloc(1, sizeof(*own));

	if (!own)
		return NULL;
	own->begin = begin;
	own->free_plan = free;
	dynamodb_state_name(state, own->name);
	call->state = own;
	own->stage = dynamodb_prepare_is_due(state) || asks_table(dynamodb_call_op(call))
			     ? &dynamodb_prepare_stage
			     : begin(context, call);
	return own;
}

/* ---- The dialect ---- */

static enum cache_status refuse(struct cache_op *op, const char *sentence)
{
	op->detail = sentence;
	return CACHE_TOO_LARGE;
}

/* What the head of a value has beyond the room that is left for a type. */
static size_t beyond_type(const struct cache_value *value)
{
	size_t len = cache_value_head(value).len;

	return len > CONTENT_TYPE_MAX_LEN ? len - CONTENT_TYPE_MAX_LEN : 0;
}

static enum cache_status accepts(const struct remote_context *context, struct cache_op *op)
{
	size_t bytes = 0;

	(void)context;
	if (!cache_op_has_items(op->type))
		return CACHE_OK;
	if (op->type == CACHE_OP_SET && op->item_count > DYNAMODB_TRANSACT_MAX)
		return refuse(op, "DynamoDB stores up to 100 items in one batch; send several");
	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *item = &op->items[i];
		size_t len = dynamodb_wire_is_long(item->key) ? item->key.len : 0;

		if (len > DYNAMODB_KEY_MAX)
			return refuse(op, "the dynamodb backend has keys of up to 350 KB");
		if (op->type != CACHE_OP_SET)
			continue;
		len += beyond_type(item->value) + item->value->len_bytes;
		if (len > DYNAMODB_VALUE_MAX)
			return refuse(op, dynamodb_verdict_sentences[SENTENCE_TOO_LARGE]);
		bytes += DYNAMODB_ENTRY_BYTES + item->key.len + beyond_type(item->value) +
			 item->value->len_bytes;
	}
	if (op->item_count > 1 && bytes > DYNAMODB_TRANSACT_BYTES)
		return refuse(op, "DynamoDB stores up to 4 MB in one batch; send several");
	return CACHE_OK;
}

static bool joins(const struct remote_call *call, const struct remote_job *job)
{
	return dynamodb_read_joins(call->jobs.first, job);
}

static size_t parts(const struct remote_context *context, const struct remote_call *of)
{
	struct remote_call *call = (struct remote_call *)(uintptr_t)of;
	struct dynamodb_call *own = call->state ? call->state : make_call(context, call);

	return own && own->stage && own->stage->parts ? own->stage->parts(context, call) : 1;
}

/* The cheapest request that shows that the table can be used. */
static bool write_probe(const struct dynamodb_state *state, struct remote_request *request)
{
	remote_request_add_header(request, "X-Amz-Target", SLICE("DynamoDB_20120810.GetItem"));
	dynamodb_wire_begin(&request->body, state);
	buffer_append(&request->body, SLICE(",\"Key\":"));
	dynamodb_wire_meta_key(&request->body, state, 't', SLICE(""));
	buffer_append_char(&request->body, '}');
	return !request->body.failed;
}

static bool write_request(const struct remote_context *context, struct remote_call *call,
			  size_t part, struct remote_request *request)
{
	const struct dynamodb_call *own = dynamodb_call_of(call);
	char target[64];

	request->path = "/";
	if (call->kind == CALL_PROBE)
		return write_probe(dynamodb_state_of(context), request);
	if (!own || !own->stage)
		return false;
	(void)snprintf(target, sizeof(target), "DynamoDB_20120810.%s", own->stage->target);
	remote_request_add_header(request, "X-Amz-Target", slice_of(target));
	return own->stage->write(context, call, part, &request->body) && !request->body.failed;
}

static enum cache_status sign(const struct remote_context *context, struct remote_request *request,
			      const char **ret_sentence)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	char hash[SIGV4_HASH_SIZE];
	struct buffer signs = {0}, lines = {0};
	struct aws_keys keys;

	if (!aws_credentials_get(state->credentials, &keys, ret_sentence))
		return CACHE_UNAVAILABLE;
	sigv4_hash(buffer_bytes(&request->body), hash);
	buffer_append(&signs, SLICE("Content-Type: " DYNAMODB_CONTENT_TYPE "\0"));
	buffer_append(&signs, buffer_bytes(&request->headers));
	sigv4_sign(
		&(struct sigv4_request){
			.method = request->method,
			.host = slice_of(state->settings.host),
			.path = SLICE("/"),
			.service = "dynamodb",
			.region = state->settings.region,
			.payload_hash = hash,
			.encodes_path_twice = true,
			.now_us = cache_clock_now_us(&system_clock),
			.headers = buffer_bytes(&signs),
		},
		&keys, &lines);
	explicit_bzero(&keys, sizeof(keys));
	buffer_append(&request->headers, buffer_bytes(&lines));
	request->headers.failed |= lines.failed || signs.failed;
	buffer_deinit(&signs);
	buffer_deinit(&lines);
	return CACHE_OK;
}

static bool reads(const struct remote_answer *answer)
{
	return answer->status == 200 ||
	       (answer->status == 400 && dynamodb_verdict_is_reply(buffer_bytes(&answer->body)));
}

static enum remote_step read_answer(const struct remote_context *context, struct remote_call *call,
				    size_t part, const struct remote_answer *answer)
{
	const struct dynamodb_stage *stage = dynamodb_call_of(call)->stage;
	struct slice body = buffer_bytes(&answer->body);
	json_auto_t *root = NULL;

	if (!dynamodb_answer_read(body, &root))
		return STEP_NO_MEMORY;
	if (!root)
		return STEP_BAD;
	struct dynamodb_reply reply = {.root = root};
	if (answer->status != 200)
		reply.error = dynamodb_verdict_type(body);
	if (dynamodb_reply_is(&reply, "ResourceNotFoundException") &&
	    stage != &dynamodb_prepare_stage) { /* somebody removed the table */
		dynamodb_state_of(context)->read_us = 0;
		return dynamodb_call_fail(call, CACHE_UNAVAILABLE,
					  dynamodb_verdict_sentences[SENTENCE_NOT_THERE]);
	}
	if (reply.error.len > 0 &&
	    !(stage->exception && dynamodb_reply_is(&reply, stage->exception)))
		return dynamodb_call_fail(call, CACHE_UNAVAILABLE,
					  dynamodb_verdict_sentences[SENTENCE_STRANGE]);
	return stage->read(context, call, part, &reply);
}

static void discard(struct remote_call *call)
{
	struct dynamodb_call *own = call->state;

	if (own->plan)
		own->free_plan(own->plan);
	free(own);
	call->state = NULL;
}

const struct remote_dialect dynamodb_call_dialect = {
	.accepts = accepts,
	.joins = joins,
	.parts = parts,
	.write = write_request,
	.sign = sign,
	.reads = reads,
	.read = read_answer,
	.discard = discard,
};

/* ---- What is done without being asked for ---- */

struct own_op {
	struct cache_op op; /* first */
	struct dynamodb_state *state;
	struct cache_op **place;
};

static void own_op_done(struct cache_op *op)
{
	struct own_op *own = (struct own_op *)op;

	/* Everything but the sweep can do without the index. */
	if (op->detail && op == own->state->sweep_op &&
	    op->detail == dynamodb_verdict_sentences[SENTENCE_STRANGE])
		own->state->lack = "the table lacks the index \"due\": what has expired stays "
				   "there for a day (docs/dynamodb.md)";
	*own->place = NULL;
	cache_op_deinit(op);
	free(own);
}

/* NULL: one is in progress, or memory is out. */
static struct cache_op *make_own_op(struct dynamodb_state *state, struct cache_op **place)
{
	struct own_op *own = *place ? NULL : malloc(sizeof(*own));

	if (!own)
		return NULL;
	cache_op_init(&own->op, CACHE_OP_SYNC);
	own->op.done = own_op_done;
	own->state = state;
	own->place = place;
	*place = &own->op;
	return &own->op;
}

struct cache_op *dynamodb_call_own_op(const struct remote_context *context, int64_t now_us,
				      int64_t *ret_next_us)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct cache_op *op;

	*ret_next_us = state->flush_at_us;
	if (state->flush_at_us <= now_us) {
		state->flush_at_us = now_us + US_PER_S;
		*ret_next_us = state->flush_at_us;
		op = make_own_op(state, &state->flush_op);
		if (op)
			return op;
	}
	if (state->reread_at_us <= now_us) {
		op = make_own_op(state, &state->flush_op);
		state->reread_at_us = op ? INT64_MAX : now_us + US_PER_S;
		if (op)
			return op;
	}
	int64_t recall_us = dynamodb_recall_due_us(state, now_us);
	if (recall_us <= now_us && (op = make_own_op(state, &state->recall_op))) {
		op->ns = slice_of(state->recalled->name);
		return op;
	}
	*ret_next_us = earlier_us(*ret_next_us, state->reread_at_us);
	*ret_next_us = earlier_us(*ret_next_us, recall_us > now_us ? recall_us : now_us + US_PER_S);
	int64_t sweep_us = dynamodb_sweep_due_us(context, now_us);
	*ret_next_us = earlier_us(*ret_next_us, sweep_us);
	return sweep_us <= now_us ? make_own_op(state, &state->sweep_op) : NULL;
}
