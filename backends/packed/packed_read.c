/* Reads: the backend gives values as it keeps them, and those that are compressed are decoded
 * before the op is done. */
#include "backends/packed/packed_read.h"

#include <stdlib.h>

#include "backends/packed/packed_work.h"
#include "base/value_zstd.h"

/* More bytes of one op than these are decoded by the threads of the layer. */
#define HERE_MAX_BYTES 65536

struct read_pass {
	struct pool_job job;
	struct packed *packed;
	struct cache_op *op;
};

static void fail(struct cache_op *op, enum cache_status status, const char *detail)
{
	for (size_t i = 0; i < op->item_count; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
	}
	op->detail = detail;
	cache_op_complete(op, status);
}

static const char *detail_of(enum cache_status status)
{
	return status == CACHE_CORRUPT ? VALUE_ZSTD_DAMAGED : NULL;
}

static void decode(struct cache_op *op)
{
	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];
		struct cache_value *decoded;

		if (!item->value || !(item->value->flags & CACHE_VALUE_ZSTD))
			continue;
		enum cache_status status = value_zstd_decode(item->value, &decoded);
		if (status != CACHE_OK) {
			fail(op, status, detail_of(status));
			return;
		}
		cache_value_release(item->value);
		item->value = decoded;
	}
	op->done(op);
}

static void run(struct pool_job *job)
{
	struct read_pass *pass = job->user;
	struct cache_op *op = pass->op;
	struct packed_work *work = pass->packed->work;

	free(pass);
	decode(op);
	packed_work_ended(work);
}

/* What the compressed values have, and all of them, when they are decoded. False: one is damaged.
 */
static bool measure(const struct cache_op *op, uint64_t *ret_decoded, uint64_t *ret_all)
{
	*ret_decoded = 0;
	*ret_all = 0;
	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_value *value = op->items[i].value;
		uint32_t len;

		if (!value)
			continue;
		if (!(value->flags & CACHE_VALUE_ZSTD)) {
			*ret_all += cache_value_whole_len(value);
			continue;
		}
		if (!value_zstd_len(value, &len))
			return false;
		*ret_decoded += len;
		*ret_all += len;
	}
	return true;
}

static void decode_somewhere(struct packed *packed, struct cache_op *op)
{
	uint64_t bytes, all;

	if (!measure(op, &bytes, &all)) {
		fail(op, CACHE_CORRUPT, VALUE_ZSTD_DAMAGED);
		return;
	}
	if (op->max_value_bytes > 0 && all > op->max_value_bytes) {
		fail(op, CACHE_TOO_LARGE, NULL);
		return;
	}
	struct read_pass *pass = bytes > HERE_MAX_BYTES ? malloc(sizeof(*pass)) : NULL;
	if (pass) {
		*pass = (struct read_pass){
			.job = {.run = run, .user = pass}, .packed = packed, .op = op};
		if (packed_work_submit(packed->work, &pass->job))
			return;
		free(pass);
	}
	decode(op);
}

static void got(struct cache_op *op)
{
	struct packed *packed = packed_return(op);
	unsigned flags = 0;

	op->takes_encoded = false;
	for (size_t i = 0; i < op->item_count; i++)
		if (op->items[i].value)
			flags |= op->items[i].value->flags;
	if (flags & CACHE_VALUE_ZSTD)
		decode_somewhere(packed, op);
	else
		op->done(op);
}

void packed_get(struct backend *backend, struct cache_op *op)
{
	struct packed *packed = packed_of(backend);

	if (!op->takes_encoded) {
		op->takes_encoded = true;
		packed_intercept(packed, op, got);
	}
	packed->inner->ops->get(packed->inner, op);
}
