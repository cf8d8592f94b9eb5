/* How the layer is put around a backend, and what it passes on. */
#include "backends/packed/packed.h"

#include <stdlib.h>

#include "backends/packed/packed_learn.h"
#include "backends/packed/packed_read.h"
#include "backends/packed/packed_work.h"
#include "backends/packed/packed_write.h"
#include "base/value_zstd.h"

/* ---- What is passed on ---- */

/* The dispatcher has checked the op for this layer, which has the bits of the backend. */
#define PASS_ON(name)                                                                              \
	static void pass_##name(struct backend *backend, struct cache_op *op)                      \
	{                                                                                          \
		struct backend *inner = packed_of(backend)->inner;                                 \
                                                                                                   \
		inner->ops->name(inner, op);                                                       \
	}

PASS_ON(remove)
PASS_ON(exists)
PASS_ON(expire)
PASS_ON(scan)
PASS_ON(stats)
PASS_ON(sync)
PASS_ON(check)
PASS_ON(lease)

/* ---- Changes of settings ---- */

static void settings_changed(struct cache_op *op)
{
	struct packed *packed = packed_return(op);

	/* After a failure, too: parts of it may have been done. */
	spaces_forget(&packed->spaces, op->ns);
	op->done(op);
}

static void packed_configure(struct backend *backend, struct cache_op *op)
{
	struct packed *packed = packed_of(backend);

	packed_intercept(packed, op, settings_changed);
	packed->inner->ops->configure(packed->inner, op);
}

static void packed_clear(struct backend *backend, struct cache_op *op)
{
	struct packed *packed = packed_of(backend);

	if (op->drop)
		packed_intercept(packed, op, settings_changed);
	packed->inner->ops->clear(packed->inner, op);
}

/* ---- Gauges, traits, bodies ---- */

static size_t packed_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	struct packed *packed = packed_of(backend);
	uint64_t bytes = atomic_load(&packed->counts.bytes);
	uint64_t kept = atomic_load(&packed->counts.kept_bytes);
	const struct backend_gauge gauges[] = {
		GAUGE_COUNTER("compression", "values", atomic_load(&packed->counts.values),
			      "Values written that are kept compressed."),
		GAUGE_COUNTER("compression", "value_bytes", bytes, "The bytes that they had."),
		GAUGE_COUNTER("compression", "kept_bytes", kept,
			      "The bytes that are kept of them."),
		GAUGE_LEVEL("compression", "ratio", kept > 0 ? (double)bytes / (double)kept : 1,
			    "How many bytes each of these stands for."),
		GAUGE_COUNTER("compression", "left", atomic_load(&packed->counts.left),
			      "Values written as they are, as they do not become shorter."),
		GAUGE_COUNTER("compression", "decoded", value_zstd_decoded_count(),
			      "Values decoded for reads."),
	};

	return backend_gauges_and_own(packed->inner, gauges, sizeof(gauges) / sizeof(gauges[0]),
				      ret, max);
}

static void packed_traits(const struct backend *backend, struct slice ns,
			  struct backend_traits *ret)
{
	*ret = backend_traits_of(((const struct packed *)backend)->inner, ns);
}

static struct backend_intake packed_intake(struct backend *backend)
{
	struct backend *inner = packed_of(backend)->inner;

	return inner->ops->intake(inner);
}

static struct body_spool *packed_spool(struct backend *backend)
{
	struct backend *inner = packed_of(backend)->inner;

	return inner->ops->spool(inner);
}

/* ---- Wrapping ---- */

static void packed_hurry(struct backend *backend)
{
	struct backend *inner = packed_of(backend)->inner;

	if (inner->ops->hurry)
		inner->ops->hurry(inner);
}

static void destroy(struct packed *packed)
{
	packed_work_destroy(packed->work);
	spaces_deinit(&packed->spaces);
	free(packed);
}

static void packed_close(struct backend *backend)
{
	struct packed *packed = packed_of(backend);
	struct backend *inner = packed->inner;

	packed_learn_end(packed);
	destroy(packed);
	inner->ops->close(inner);
}

static struct backend_ops ops_around(const struct backend_ops *ops)
{
	return (struct backend_ops){
		.name = ops->name,
		.bits = ops->bits,
		.default_policy = ops->default_policy,
		.headroom_record_bytes = ops->headroom_record_bytes,
		.value_max_bytes = ops->value_max_bytes,
		.set_max_items = ops->set_max_items,
		.branch_count = ops->branch_count,
		.traits = ops->traits ? packed_traits : NULL,
		.get = ops->get ? packed_get : NULL,
		.set = ops->set ? packed_set : NULL,
		.remove = ops->remove ? pass_remove : NULL,
		.exists = ops->exists ? pass_exists : NULL,
		.expire = ops->expire ? pass_expire : NULL,
		.clear = ops->clear ? packed_clear : NULL,
		.configure = ops->configure ? packed_configure : NULL,
		.scan = ops->scan ? pass_scan : NULL,
		.stats = ops->stats ? pass_stats : NULL,
		.sync = ops->sync ? pass_sync : NULL,
		.check = ops->check ? pass_check : NULL,
		.lease = ops->lease ? pass_lease : NULL,
		.gauges = packed_gauges,
		.intake = ops->intake ? packed_intake : NULL,
		.spool = ops->spool ? packed_spool : NULL,
		.hurry = packed_hurry,
		.close = packed_close,
	};
}

struct backend *packed_wrap(struct backend *inner)
{
	struct packed *packed = calloc(1, sizeof(*packed));

	if (!packed)
		return NULL;
	packed->inner = inner;
	spaces_init(&packed->spaces);
	packed->ops = ops_around(inner->ops);
	packed->backend.ops = &packed->ops;
	if (inner->ops->intake) {
		uint64_t from_bytes = inner->ops->intake(inner).from_bytes;

		packed->whole_max_bytes = from_bytes > 1 ? from_bytes - 1 : 1;
	}
	packed->work = packed_work_create();
	if (packed->work)
		return &packed->backend;
	destroy(packed);
	return NULL;
}
