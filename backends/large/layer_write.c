/* The way of a SET: each large value is written to a file (those with a body are), pinned, and put;
 * then the backend is given the op with references in their place; when it is done the op gets its
 * values back, and the pins end.
 *
 * Several values of an op are put at a time, by lanes: a lane takes the next value when it is done
 * with one. The first failure ends the op, and the backend does not see it. */
#include "backends/large/layer_write.h"

#include <stdlib.h>
#include <unistd.h>

#include "backends/large/body_copy.h"
#include "backends/large/file_body.h"
#include "backends/large/lanes.h"
#include "backends/large/layer_state.h"
#include "backends/large/reference.h"
#include "backends/large/spool.h"

#define ROOM_PATIENCE_US (10 * US_PER_S)

struct write_pass;

/* A large value of the op. */
struct write_part {
	struct write_pass *pass;
	struct cache_item *item;
	struct cache_value *whole; /* the caller's */
	struct cache_value *reference;
	struct cache_body *body; /* a reference, to its file */
	struct pin pin;
	bool is_pinned, has_made_room;
	struct object_request request;
	struct pool_job job;
};

struct write_pass {
	struct lanes lanes; /* of the parts; first, because it is the lanes that call */
	struct layer *layer;
	struct cache_op *op;
	void (*done)(struct cache_op *op); /* the caller's */
	void *user;
	struct write_part parts[];
};

static void free_pass(struct write_pass *pass)
{
	for (unsigned i = 0; i < pass->lanes.count; i++) {
		struct write_part *part = &pass->parts[i];

		if (part->is_pinned)
			pins_drop(&pass->layer->pins, &part->pin, pass->layer->grace_us / 2);
		cache_value_release(part->reference);
		cache_body_release(part->body);
	}
	free(pass);
}

static struct cache_op *give_back_op(struct write_pass *pass)
{
	struct cache_op *op = pass->op;

	for (unsigned i = 0; i < pass->lanes.count; i++)
		pass->parts[i].item->value = pass->parts[i].whole;
	op->done = pass->done;
	op->user = pass->user;
	return op;
}

/* ---- The backend's part ---- */

static void set_done(struct cache_op *op)
{
	struct write_pass *pass = op->user;

	for (unsigned i = 0; i < pass->lanes.count; i++) {
		struct write_part *part = &pass->parts[i];

		part->whole->modified_at_us = part->reference->modified_at_us;
		part->whole->expires_at_us = part->reference->expires_at_us;
	}
	(void)give_back_op(pass);
	free_pass(pass);
	op->done(op);
}

static bool make_references(struct write_pass *pass)
{
	for (unsigned i = 0; i < pass->lanes.count; i++) {
		struct write_part *part = &pass->parts[i];

		part->reference = reference_create(
			part->whole, part->body,
			backend_headroom(pass->layer->inner, pass->op->ns, part->item->key.len));
		if (!part->reference)
			return false;
	}
	return true;
}

static void fail_op(struct write_pass *pass, enum cache_status status)
{
	struct cache_op *op = give_back_op(pass);

	op->detail = pass->lanes.detail;
	op->retry_after_s = pass->lanes.retry_after_s;
	layer_count(&pass->layer->counts.put_failures, 1);
	free_pass(pass);
	cache_op_complete(op, status);
}

static void end_parts(struct lanes *lanes)
{
	struct write_pass *pass = (struct write_pass *)(void *)lanes;
	struct backend *inner = pass->layer->inner;
	struct cache_op *op = pass->op;

	if (atomic_load(&lanes->has_failed)) {
		fail_op(pass, lanes->failure);
		return;
	}
	if (!make_references(pass)) {
		fail_op(pass, CACHE_NO_MEMORY);
		return;
	}
	for (unsigned i = 0; i < pass->lanes.count; i++)
		pass->parts[i].item->value = pass->parts[i].reference;
	backend_submit(inner, op);
}

/* ---- One value ---- */

static void fail_part(struct write_part *part, enum cache_status status, const char *detail,
		      unsigned retry_after_s)
{
	lanes_fail(&part->pass->lanes, status, detail, retry_after_s);
}

static void put_part(struct write_part *part);

static void make_room(struct pool_job *job)
{
	struct write_part *part = job->user;

	if (part->pass->layer->sweep && sweep_now(part->pass->layer->sweep, ROOM_PATIENCE_US))
		put_part(part);
	else
		fail_part(part, CACHE_NO_SPACE, part->request.detail, 0);
}

static void put_done(struct object_request *request)
{
	struct write_part *part = request->user;
	struct layer *layer = part->pass->layer;

	if (request->status == CACHE_OK) {
		layer_count(&layer->counts.puts, 1);
		layer_count(&layer->counts.put_bytes, request->len_bytes);
		lanes_go_on(&part->pass->lanes);
	} else if (request->status == CACHE_NO_SPACE && !part->has_made_room) {
		part->has_made_room = true;
		part->job = (struct pool_job){.run = make_room, .user = part};
		pool_submit(layer->pool, &part->job);
	} else {
		fail_part(part, request->status, request->detail, request->retry_after_s);
	}
}

static void put_part(struct write_part *part)
{
	struct object_store *store = part->pass->layer->store;
	const char *path = part->request.path;

	part->request = (struct object_request){
		.file = part->body->ops->file(part->body),
		.path = path,
		.len_bytes = part->body->len_bytes,
		.done = put_done,
		.user = part,
	};
	memcpy(part->request.sha256, part->body->sha256, SHA256_BYTES);
	store->ops->put(store, &part->request);
}

static void pin_ready(struct pin *pin)
{
	put_part(pin->user);
}

static void pin_part(struct write_part *part)
{
	memcpy(part->pin.sha256, part->body->sha256, SHA256_BYTES);
	part->pin.ready = pin_ready;
	part->pin.user = part;
	part->is_pinned = true;
	if (pins_take(&part->pass->layer->pins, &part->pin))
		put_part(part);
}

/* Writes the value to a file. */
static void write_down(struct pool_job *job)
{
	struct write_part *part = job->user;
	struct cache_body *body = cache_value_body(part->whole);
	struct body_spool *spool = spool_create(&part->pass->layer->place);

	if (!spool) {
		fail_part(part, CACHE_NO_MEMORY, NULL, 0);
		return;
	}
	bool is_written = body ? body_copy(body, spool)
			       : spool->ops->write(spool, cache_value_bytes(part->whole));
	part->body = is_written ? spool->ops->end(spool) : NULL;
	enum cache_status failure = spool->failure;
	const char *detail = spool->detail;
	spool->ops->close(spool);
	if (!part->body) {
		fail_part(part, failure, detail, 0);
		return;
	}
	part->request.path = file_body_take_path(part->body);
	pin_part(part);
}

static void begin_part(struct lanes *lanes, unsigned number)
{
	struct write_part *part = &((struct write_pass *)(void *)lanes)->parts[number];
	struct cache_body *body = cache_value_body(part->whole);

	part->request.path = body ? file_body_take_path(body) : NULL;
	if (part->request.path) {
		part->body = cache_body_acquire(body);
		pin_part(part);
	} else {
		part->job = (struct pool_job){.run = write_down, .user = part};
		pool_submit(part->pass->layer->pool, &part->job);
	}
}

/* ---- The op ---- */

/* A compressed value stays in the backend: the sweep knows by the ETags of entries which objects
 * they need, and its ETag is not of its bytes. */
static bool is_large(const struct cache_value *value, uint64_t from_bytes)
{
	return cache_value_body(value) ||
	       (value->len_bytes >= from_bytes && !(value->flags & CACHE_VALUE_ZSTD));
}

/* The number of large values; *ret_longest is the length of the longest. */
static unsigned count_large(const struct cache_op *op, uint64_t from_bytes, uint64_t *ret_longest)
{
	unsigned count = 0;

	*ret_longest = 0;
	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_value *value = op->items[i].value;

		if (!is_large(value, from_bytes))
			continue;
		count++;
		if (cache_value_whole_len(value) > *ret_longest)
			*ret_longest = cache_value_whole_len(value);
	}
	return count;
}

static struct write_pass *open_pass(struct layer *layer, struct cache_op *op, uint64_t from_bytes,
				    unsigned count)
{
	struct write_pass *pass = calloc(1, sizeof(*pass) + count * sizeof(pass->parts[0]));

	if (!pass)
		return NULL;
	pass->lanes.begin = begin_part;
	pass->lanes.end = end_parts;
	pass->layer = layer;
	pass->op = op;
	pass->done = op->done;
	pass->user = op->user;
	for (size_t i = 0; i < op->item_count; i++) {
		struct write_part *part = &pass->parts[pass->lanes.count];

		if (!is_large(op->items[i].value, from_bytes))
			continue;
		part->pass = pass;
		part->item = &op->items[i];
		part->whole = op->items[i].value;
		pass->lanes.count++;
	}
	op->done = set_done;
	op->user = pass;
	return pass;
}

void layer_write_set(struct backend *backend, struct cache_op *op)
{
	struct layer *layer = layer_of(backend);
	uint64_t from_bytes = layer_from_bytes(layer, op->ns), longest;
	unsigned count = count_large(op, from_bytes, &longest);

	if (count == 0) {
		backend_submit(layer->inner, op);
		return;
	}
	if (longest > layer->max_bytes) {
		op->detail = "the value is longer than the server takes (--large-value-max-mb)";
		cache_op_complete(op, CACHE_TOO_LARGE);
		return;
	}
	struct write_pass *pass = open_pass(layer, op, from_bytes, count);
	if (!pass) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	lanes_start(&pass->lanes, LAYER_LANES);
}
