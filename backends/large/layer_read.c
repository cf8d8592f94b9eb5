/* The way of a GET: the backend is asked for values that may be references; each of those is
 * opened, by lanes, several at a time, and becomes a value with a body, or with its bytes.
 *
 * An object that is missing may be that of a version that was replaced after the backend answered:
 * then the backend is asked again. If it names the same object again the entry is damaged. */
#include "backends/large/layer_read.h"

#include <stdlib.h>

#include "backends/large/held_body.h"
#include "backends/large/lanes.h"
#include "backends/large/layer_state.h"
#include "backends/large/reference.h"
#include "backends/large/whole.h"

/* How often the backend is asked. */
#define READ_TRIES 3

#define SENTENCE_MISSING                                                                           \
	"the bytes of this entry are missing in the store of large values; write the entry again"
#define SENTENCE_TOO_LARGE                                                                         \
	"values this large are read one at a time, by GET /cache/{namespace}/{key}"

struct read_pass;

/* A reference among the values found. */
struct read_part {
	struct read_pass *pass;
	struct cache_item *item;
	struct reference reference;
	struct pin pin;
	bool is_pinned, is_missing;
	struct object_request request;
	struct cache_value *value; /* of its bytes */
	struct whole whole;
};

struct read_pass {
	struct lanes lanes; /* of the parts; first, because it is the lanes that call */
	struct layer *layer;
	struct cache_op *op;
	void (*done)(struct cache_op *op); /* the caller's, and the next two */
	void *user;
	bool no_touch;
	unsigned tries;
	/* The object that was missing at the last try. */
	bool has_missed;
	uint8_t missed[SHA256_BYTES];
	struct read_part *parts;
};

/* Hands the op back to its caller. */
static struct cache_op *close_pass(struct read_pass *pass)
{
	struct cache_op *op = pass->op;

	op->done = pass->done;
	op->user = pass->user;
	op->no_touch = pass->no_touch;
	op->takes_references = false;
	free(pass->parts);
	free(pass);
	return op;
}

static void release_values(struct cache_op *op)
{
	for (size_t i = 0; i < op->item_count; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
		op->items[i].stale = false;
	}
}

static void fail_op(struct read_pass *pass, enum cache_status status, const char *detail)
{
	unsigned retry_after_s = pass->lanes.retry_after_s;
	struct cache_op *op = close_pass(pass);

	release_values(op);
	op->detail = detail;
	op->retry_after_s = retry_after_s;
	cache_op_complete(op, status);
}

/* ---- After all parts ---- */

static void ask_backend(struct read_pass *pass);

static const struct read_part *find_missing(const struct read_pass *pass)
{
	for (unsigned i = 0; i < pass->lanes.count; i++)
		if (pass->parts[i].is_missing)
			return &pass->parts[i];
	return NULL;
}

/* An object was missing: asks again, unless it was missing before. */
static void go_on_without(struct read_pass *pass, const struct read_part *missing)
{
	if (pass->tries < READ_TRIES &&
	    !(pass->has_missed &&
	      memcmp(pass->missed, missing->reference.sha256, SHA256_BYTES) == 0)) {
		pass->has_missed = true;
		memcpy(pass->missed, missing->reference.sha256, SHA256_BYTES);
		release_values(pass->op);
		ask_backend(pass);
		return;
	}
	layer_count(&pass->layer->counts.missing, 1);
	fail_op(pass, CACHE_CORRUPT, SENTENCE_MISSING);
}

static void end_parts(struct lanes *lanes)
{
	struct read_pass *pass = (struct read_pass *)(void *)lanes;
	const struct read_part *missing = find_missing(pass);

	if (atomic_load(&lanes->has_failed)) {
		fail_op(pass, lanes->failure, lanes->detail);
	} else if (missing) {
		go_on_without(pass, missing);
	} else {
		struct cache_op *op = close_pass(pass);

		op->done(op);
	}
}

/* ---- One value ---- */

static void unpin(struct read_part *part)
{
	struct layer *layer = part->pass->layer;

	if (part->is_pinned)
		pins_drop(&layer->pins, &part->pin, layer->grace_us / 2);
	part->is_pinned = false;
}

static void end_part(struct read_part *part)
{
	unpin(part);
	lanes_go_on(&part->pass->lanes);
}

static void fail_part(struct read_part *part, enum cache_status status, const char *detail,
		      unsigned retry_after_s)
{
	unpin(part);
	lanes_fail(&part->pass->lanes, status, detail, retry_after_s);
}

/* Puts `value` in the place of the reference. */
static void give_value(struct read_part *part, struct cache_value *value)
{
	struct cache_value *reference = part->item->value;

	value->modified_at_us = reference->modified_at_us;
	value->expires_at_us = reference->expires_at_us;
	part->item->value = value;
	cache_value_release(reference);
	end_part(part);
}

/* `body` is the part's. */
static void give_body(struct read_part *part, struct cache_body *body)
{
	struct layer *layer = part->pass->layer;
	struct cache_body *held = NULL;

	body->flags = reference_flags(part->item->value);
	if (body->ops->file(body) < 0) {
		held = held_body_create(body, &layer->pins, layer->grace_us / 2);
		body = held ? held : body;
	}
	struct cache_value *value =
		cache_value_create_for_body(body, cache_value_head(part->item->value));
	if (value) {
		give_value(part, value);
		return;
	}
	cache_body_release(body);
	fail_part(part, CACHE_NO_MEMORY, NULL, 0);
}

static void whole_done(struct whole *whole)
{
	struct read_part *part = whole->user;
	const struct cache_value *reference = part->item->value;

	cache_body_release(whole->body);
	if (whole->status == CACHE_OK) {
		cache_value_seal_known(part->value, &reference->etag, reference_flags(reference));
		give_value(part, part->value);
		return;
	}
	cache_value_release(part->value);
	if (whole->status == CACHE_NOT_FOUND) {
		part->is_missing = true;
		end_part(part);
	} else {
		fail_part(part, whole->status, whole->detail, 0);
	}
}

static void give_bytes(struct read_part *part, struct cache_body *body)
{
	part->value =
		cache_value_create((size_t)body->len_bytes, cache_value_head(part->item->value));
	if (!part->value) {
		cache_body_release(body);
		fail_part(part, CACHE_NO_MEMORY, NULL, 0);
		return;
	}
	part->whole = (struct whole){
		.body = body,
		.value = part->value,
		.pool = part->pass->layer->pool,
		.done = whole_done,
		.user = part,
	};
	whole_read(&part->whole);
}

static void open_done(struct object_request *request)
{
	struct read_part *part = request->user;

	if (request->status == CACHE_NOT_FOUND) {
		part->is_missing = true;
		end_part(part);
	} else if (request->status != CACHE_OK) {
		fail_part(part, request->status, request->detail, request->retry_after_s);
	} else if (part->pass->op->takes_bodies) {
		give_body(part, request->body);
	} else {
		give_bytes(part, request->body);
	}
}

static void open_part(struct read_part *part)
{
	struct layer *layer = part->pass->layer;

	part->request = (struct object_request){
		.len_bytes = part->reference.len_bytes,
		.done = open_done,
		.user = part,
	};
	memcpy(part->request.sha256, part->reference.sha256, SHA256_BYTES);
	layer_count(&layer->counts.opens, 1);
	layer->store->ops->open(layer->store, &part->request);
}

static void pin_ready(struct pin *pin)
{
	open_part(pin->user);
}

static void begin_part(struct lanes *lanes, unsigned number)
{
	struct read_part *part = &((struct read_pass *)(void *)lanes)->parts[number];

	memcpy(part->pin.sha256, part->reference.sha256, SHA256_BYTES);
	part->pin.ready = pin_ready;
	part->pin.user = part;
	part->is_pinned = true;
	if (pins_take(&part->pass->layer->pins, &part->pin))
		open_part(part);
}

/* ---- The op ---- */

static unsigned count_references(const struct cache_op *op)
{
	unsigned count = 0;

	for (size_t i = 0; i < op->item_count; i++)
		count += op->items[i].value && reference_is(op->items[i].value);
	return count;
}

/* Makes a part of each reference. CACHE_OK, or why not all can be read. */
static enum cache_status make_parts(struct read_pass *pass, unsigned count)
{
	const struct cache_op *op = pass->op;

	free(pass->parts);
	pass->lanes.count = 0;
	pass->parts = calloc(count, sizeof(pass->parts[0]));
	if (!pass->parts)
		return CACHE_NO_MEMORY;
	for (size_t i = 0; i < op->item_count; i++) {
		struct read_part *part = &pass->parts[pass->lanes.count];

		if (!op->items[i].value || !reference_is(op->items[i].value))
			continue;
		part->pass = pass;
		part->item = &op->items[i];
		if (!reference_read(op->items[i].value, &part->reference)) {
			return CACHE_CORRUPT;
		}
		pass->lanes.count++;
	}
	return CACHE_OK;
}

/* Whether what would be in memory as bytes is more than may be. */
static bool is_too_large(const struct read_pass *pass)
{
	const struct cache_op *op = pass->op;
	uint64_t most = op->max_value_bytes ? op->max_value_bytes : pass->layer->whole_max_bytes;
	uint64_t sum = 0;

	if (op->takes_bodies)
		return false;
	for (size_t i = 0; i < op->item_count; i++)
		if (op->items[i].value && !reference_is(op->items[i].value))
			sum += op->items[i].value->len_bytes;
	for (unsigned i = 0; i < pass->lanes.count; i++) {
		uint64_t len_bytes = pass->parts[i].reference.len_bytes;

		sum += len_bytes;
		if (len_bytes > CACHE_VALUE_MAX_BYTES)
			return true;
	}
	return most > 0 && sum > most;
}

static void backend_done(struct cache_op *op)
{
	struct read_pass *pass = op->user;
	unsigned count = count_references(op);

	if (count == 0) {
		(void)close_pass(pass);
		op->done(op);
		return;
	}
	enum cache_status status = make_parts(pass, count);
	if (status != CACHE_OK)
		fail_op(pass, status, status == CACHE_CORRUPT ? SENTENCE_MISSING : NULL);
	else if (is_too_large(pass))
		fail_op(pass, CACHE_TOO_LARGE, SENTENCE_TOO_LARGE);
	else
		lanes_start(&pass->lanes, LAYER_LANES);
}

/* A second look is no second use. */
static void ask_backend(struct read_pass *pass)
{
	struct cache_op *op = pass->op;

	op->no_touch = pass->no_touch || pass->tries > 0;
	op->takes_references = true;
	op->done = backend_done;
	op->user = pass;
	pass->tries++;
	backend_submit(pass->layer->inner, op);
}

void layer_read_get(struct backend *backend, struct cache_op *op)
{
	struct read_pass *pass;

	if (op->takes_references) { /* a copy of the backend as it is */
		backend_submit(layer_of(backend)->inner, op);
		return;
	}
	pass = calloc(1, sizeof(*pass));
	if (!pass) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	pass->lanes.begin = begin_part;
	pass->lanes.end = end_parts;
	pass->layer = layer_of(backend);
	pass->op = op;
	pass->done = op->done;
	pass->user = op->user;
	pass->no_touch = op->no_touch;
	ask_backend(pass);
}
