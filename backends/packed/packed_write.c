/* Writes: the backend is given the op with compressed values in the place of those that become
 * shorter; when it is done the op gets its own values back, with the times of what was stored. */
#include "backends/packed/packed_write.h"

#include <stdlib.h>

#include "backends/packed/packed_learn.h"
#include "backends/packed/packed_work.h"
#include "base/value_zstd.h"

/* More bytes of one op than these are compressed by the threads of the layer: compressing them
 * takes longer than waking one, and others on an event loop would wait for it. */
#define HERE_MAX_BYTES 16384

/* A value of the op that is kept compressed. */
struct write_part {
	struct cache_item *item;
	struct cache_value *whole; /* the caller's */
	uint64_t size_bytes;       /* the caller's */
	struct cache_value *encoded;
};

struct write_pass {
	struct pool_job job;
	struct packed *packed;
	struct cache_op *op;
	void (*done)(struct cache_op *op); /* the caller's */
	void *user;
	size_t count;
	struct write_part parts[];
};

static void count(atomic_ullong *counter, uint64_t more)
{
	(void)atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static bool is_candidate(const struct cache_value *value)
{
	return value->len_bytes >= VALUE_ZSTD_MIN_BYTES &&
	       !(value->flags & (CACHE_VALUE_BODY | CACHE_VALUE_REFERENCE | CACHE_VALUE_ZSTD)) &&
	       !(cache_value_has_headers(value) &&
		 value_head_find(cache_value_head(value), SLICE("Content-Encoding")).data);
}

/* How many values could be compressed, and their bytes together. */
static size_t find_candidates(const struct cache_op *op, uint64_t *ret_bytes)
{
	size_t found = 0;

	*ret_bytes = 0;
	for (size_t i = 0; i < op->item_count; i++)
		if (is_candidate(op->items[i].value)) {
			found++;
			*ret_bytes += op->items[i].value->len_bytes;
		}
	return found;
}

static void write_done(struct cache_op *op)
{
	struct write_pass *pass = op->user;

	for (size_t i = 0; i < pass->count; i++) {
		struct write_part *part = &pass->parts[i];

		part->whole->modified_at_us = part->encoded->modified_at_us;
		part->whole->expires_at_us = part->encoded->expires_at_us;
		part->item->value = part->whole;
		part->item->size_bytes = part->size_bytes;
		if (op->status == CACHE_OK) {
			count(&pass->packed->counts.values, 1);
			count(&pass->packed->counts.bytes, part->whole->len_bytes);
			count(&pass->packed->counts.kept_bytes, part->encoded->len_bytes);
		}
		cache_value_release(part->encoded);
	}
	op->done = pass->done;
	op->user = pass->user;
	free(pass);
	op->done(op);
}

static struct cache_value *encode(const struct packed *packed, const struct cache_op *op,
				  const struct cache_item *item)
{
	struct cache_value *encoded = value_zstd_encode(
		item->value, backend_headroom(packed->inner, op->ns, item->key.len));

	/* What becomes an object elsewhere is kept there as it is. */
	if (encoded && packed->whole_max_bytes > 0 &&
	    encoded->len_bytes > packed->whole_max_bytes) {
		cache_value_release(encoded);
		return NULL;
	}
	return encoded;
}

/* Compresses what becomes shorter, and goes on. */
static void encode_and_set(struct write_pass *pass)
{
	struct packed *packed = pass->packed;
	struct cache_op *op = pass->op;

	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];
		struct cache_value *encoded =
			is_candidate(item->value) ? encode(packed, op, item) : NULL;

		if (!encoded) {
			count(&packed->counts.left, is_candidate(item->value));
			continue;
		}
		pass->parts[pass->count++] = (struct write_part){
			.item = item,
			.whole = item->value,
			.size_bytes = item->size_bytes,
			.encoded = encoded,
		};
		/* A size that its owner declares stays. */
		if (item->size_bytes == item->value->len_bytes)
			item->size_bytes = encoded->len_bytes;
		item->value = encoded;
	}
	op->done = write_done;
	op->user = pass;
	packed->inner->ops->set(packed->inner, op);
}

static void run(struct pool_job *job)
{
	struct write_pass *pass = job->user;
	struct packed_work *work = pass->packed->work;

	encode_and_set(pass);
	packed_work_ended(work);
}

static void write_known(struct packed *packed, struct cache_op *op, unsigned state)
{
	uint64_t bytes = 0;
	size_t found = state & SPACE_ZSTD ? find_candidates(op, &bytes) : 0;
	struct write_pass *pass =
		found > 0 ? malloc(sizeof(*pass) + found * sizeof(pass->parts[0])) : NULL;

	op->put_status = state >> SPACE_PUT_SHIFT;
	if (!pass) { /* it is stored as it is */
		packed->inner->ops->set(packed->inner, op);
		return;
	}
	*pass = (struct write_pass){
		.job = {.run = run, .user = pass},
		.packed = packed,
		.op = op,
		.done = op->done,
		.user = op->user,
	};
	if (bytes <= HERE_MAX_BYTES) {
		encode_and_set(pass);
	} else if (!packed_work_try(packed->work, &pass->job)) {
		free(pass);
		packed->inner->ops->set(packed->inner, op);
	}
}

void packed_set(struct backend *backend, struct cache_op *op)
{
	struct packed *packed = packed_of(backend);
	struct space *space = spaces_find(&packed->spaces, op->ns);
	unsigned state = space ? atomic_load_explicit(&space->state, memory_order_acquire) : 0;

	if (state & SPACE_KNOWN) {
		if ((state & SPACE_PASSES) && packed_learn_is_due(space))
			packed_learn_settings(packed, space, NULL, write_known);
		write_known(packed, op, state);
		return;
	}
	if (!packed->inner->ops->stats) {
		write_known(packed, op, 0);
		return;
	}
	space = spaces_find_or_add(&packed->spaces, op->ns);
	if (space)
		packed_learn_settings(packed, space, op, write_known);
	else
		write_known(packed, op, 0);
}
