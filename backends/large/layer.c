#include "backends/large/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/large/dir.h"
#include "backends/large/layer_read.h"
#include "backends/large/layer_state.h"
#include "backends/large/layer_write.h"
#include "backends/large/s3/s3.h"
#include "backends/large/spool.h"

#define LAYER_THREADS    4
#define ROOM_PATIENCE_US (10 * US_PER_S)
/* How long a SET of this process may take if nobody else has part in it. */
#define ALONE_GRACE_US (60 * US_PER_S)
#define MB             (UINT64_C(1) << 20)

/* ---- What is passed on ---- */

static void layer_pass_on(struct backend *backend, struct cache_op *op)
{
	backend_submit(layer_of(backend)->inner, op);
}

static size_t layer_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	struct layer *layer = layer_of(backend);
	struct sweep_counts swept = sweep_counts(layer->sweep);
	const struct backend_gauge gauges[] = {
		GAUGE_LEVEL("large", "objects", swept.objects,
			    "Large values in their store, as of the last sweep."),
		GAUGE_LEVEL("large", "bytes", swept.bytes, "The bytes that they have."),
		GAUGE_LEVEL("large", "unnamed", swept.unnamed,
			    "Those that no entry names, but that must wait for their removal."),
		GAUGE_LEVEL("large", "pinned", pins_count(&layer->pins),
			    "Those that operations in progress hold."),
		GAUGE_COUNTER("large", "puts", atomic_load(&layer->counts.puts),
			      "Large values put into their store."),
		GAUGE_COUNTER("large", "put_bytes", atomic_load(&layer->counts.put_bytes),
			      "The bytes that they had."),
		GAUGE_COUNTER("large", "put_failures", atomic_load(&layer->counts.put_failures),
			      "Writes that failed because their large values could not be stored."),
		GAUGE_COUNTER("large", "opens", atomic_load(&layer->counts.opens),
			      "Large values that were read."),
		GAUGE_COUNTER("large", "missing", atomic_load(&layer->counts.missing),
			      "Reads of entries whose large value is not in the store."),
		GAUGE_COUNTER("large", "sweeps", swept.sweeps,
			      "Searches for large values that no entry names."),
		GAUGE_COUNTER("large", "sweep_failures", swept.failures,
			      "Those that ended early because something did not answer."),
		GAUGE_COUNTER("large", "removed", swept.removed,
			      "Large values removed because no entry named them."),
		GAUGE_COUNTER("large", "removed_bytes", swept.removed_bytes,
			      "The bytes that they had."),
		GAUGE_COUNTER("large", "removal_failures", swept.removal_failures,
			      "Removals that failed; the next sweep tries again."),
	};
	size_t count = backend_gauges_and_own(layer->inner, gauges,
					      sizeof(gauges) / sizeof(gauges[0]), ret, max);

	if (layer->store->ops->gauges)
		count += layer->store->ops->gauges(layer->store, ret + count, max - count);
	return count;
}

/* ---- Operations that concern the objects, too ---- */

/* An op that is asked of the store, then of the backend. */
struct double_pass {
	struct layer *layer;
	struct cache_op *op;
	void (*done)(struct cache_op *op); /* the caller's */
	void *user;
	struct object_request request;
};

static struct double_pass *open_double(struct layer *layer, struct cache_op *op,
				       void (*done)(struct object_request *request))
{
	struct double_pass *pass = calloc(1, sizeof(*pass));

	if (!pass) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return NULL;
	}
	pass->layer = layer;
	pass->op = op;
	pass->done = op->done;
	pass->user = op->user;
	pass->request.done = done;
	pass->request.user = pass;
	return pass;
}

static void add_check(struct cache_op *op, const struct object_request *request)
{
	struct cache_health_check *check = &op->checks[op->check_count];
	const char *detail = request->detail ? request->detail : cache_status_text(request->status);

	if (op->check_count == HEALTH_CHECKS_MAX)
		return;
	*check = (struct cache_health_check){
		.name = "large_values",
		.ok = request->status == CACHE_OK,
	};
	if (!check->ok)
		(void)snprintf(check->detail, sizeof(check->detail), "%s", detail);
	op->check_count++;
}

static void backend_checked(struct cache_op *op)
{
	struct double_pass *pass = op->user;

	if (op->status == CACHE_OK)
		add_check(op, &pass->request);
	op->done = pass->done;
	op->user = pass->user;
	free(pass);
	op->done(op);
}

static void store_checked(struct object_request *request)
{
	struct double_pass *pass = request->user;

	pass->op->done = backend_checked;
	pass->op->user = pass;
	backend_submit(pass->layer->inner, pass->op);
}

static void layer_check(struct backend *backend, struct cache_op *op)
{
	struct layer *layer = layer_of(backend);
	struct double_pass *pass = open_double(layer, op, store_checked);

	if (pass)
		layer->store->ops->check(layer->store, &pass->request);
}

static void store_synced(struct object_request *request)
{
	struct double_pass *pass = request->user;
	struct cache_op *op = pass->op;
	struct backend *inner = pass->layer->inner;
	enum cache_status status = request->status;

	op->detail = request->detail;
	free(pass);
	if (status == CACHE_OK)
		backend_submit(inner, op);
	else
		cache_op_complete(op, status);
}

/* The objects first: an entry that survives names one that does. */
static void layer_sync(struct backend *backend, struct cache_op *op)
{
	struct layer *layer = layer_of(backend);

	if (!layer->store->ops->sync) {
		backend_submit(layer->inner, op);
		return;
	}
	struct double_pass *pass = open_double(layer, op, store_synced);
	if (pass)
		layer->store->ops->sync(layer->store, &pass->request);
}

/* ---- Spools ---- */

static struct backend_intake layer_intake(struct backend *backend)
{
	const struct layer *layer = layer_of(backend);

	return (struct backend_intake){
		.from_bytes = layer_from_bytes(layer, (struct slice){0}),
		.max_bytes = layer->max_bytes,
	};
}

static struct body_spool *layer_spool(struct backend *backend)
{
	return spool_create(&layer_of(backend)->place);
}

static bool make_room(void *user)
{
	struct layer *layer = user;

	return layer->sweep && sweep_now(layer->sweep, ROOM_PATIENCE_US);
}

/* ---- Opening and closing ---- */

static void layer_hurry(struct backend *backend)
{
	struct layer *layer = layer_of(backend);

	if (layer->inner->ops->hurry)
		layer->inner->ops->hurry(layer->inner);
	if (layer->store->ops->hurry)
		layer->store->ops->hurry(layer->store);
}

/* Frees the layer, as far as it was made, but not what is inside. */
static void destroy(struct layer *layer)
{
	sweep_stop(layer->sweep);
	pool_destroy(layer->pool);
	spool_place_close(&layer->place);
	if (layer->store)
		layer->store->ops->close(layer->store);
	pins_deinit(&layer->pins);
	free(layer);
}

static void layer_close(struct backend *backend)
{
	struct backend *inner = layer_of(backend)->inner;

	destroy(layer_of(backend));
	inner->ops->close(inner);
}

static void layer_traits(const struct backend *backend, struct slice ns, struct backend_traits *ret)
{
	*ret = backend_traits_of(((const struct layer *)backend)->inner, ns);
	ret->bits |= BACKEND_BODIES;
	ret->value_max_bytes = 0;
}

static struct backend_ops ops_around(const struct backend_ops *ops)
{
	return (struct backend_ops){
		.name = ops->name,
		.default_policy = ops->default_policy,
		.bits = ops->bits | BACKEND_BODIES,
		.headroom_record_bytes = ops->headroom_record_bytes,
		.set_max_items = ops->set_max_items,
		.branch_count = ops->branch_count,
		.traits = ops->traits ? layer_traits : NULL,
		.get = ops->get ? layer_read_get : NULL,
		.set = ops->set ? layer_write_set : NULL,
		.remove = ops->remove ? layer_pass_on : NULL,
		.exists = ops->exists ? layer_pass_on : NULL,
		.expire = ops->expire ? layer_pass_on : NULL,
		.clear = ops->clear ? layer_pass_on : NULL,
		.scan = ops->scan ? layer_pass_on : NULL,
		.stats = ops->stats ? layer_pass_on : NULL,
		.configure = ops->configure ? layer_pass_on : NULL,
		.sync = ops->sync ? layer_sync : NULL,
		.check = ops->check ? layer_check : NULL,
		.lease = ops->lease ? layer_pass_on : NULL,
		.gauges = layer_gauges,
		.intake = layer_intake,
		.spool = layer_spool,
		.hurry = layer_hurry,
		.close = layer_close,
	};
}

static bool is_dir(const struct large_config *config)
{
	return strncmp(config->url, "dir:", 4) == 0;
}

static struct s3_config s3_settings(const struct large_config *config)
{
	return (struct s3_config){
		.url = config->url,
		.access_key = config->access_key,
		.secret_key = config->secret_key,
		.ca_file = config->ca_file,
		.timeout_us = config->timeout_us,
	};
}

static struct object_store *open_store(const struct large_config *large,
				       const struct backend_config *config, char *error,
				       size_t error_size)
{
	const struct s3_config s3 = s3_settings(large);

	return is_dir(large) ? dir_open(large->url, config, error, error_size)
			     : s3_store_open(&s3, error, error_size);
}

bool large_layer_check(const struct large_config *config, char *error, size_t error_size)
{
	const struct s3_config s3 = s3_settings(config);

	if (is_dir(config))
		return dir_check_url(config->url, error, error_size);
	if (strncmp(config->url, "s3://", 5) == 0)
		return s3_config_check(&s3, error, error_size);
	(void)snprintf(error, error_size,
		       "--large-values must be dir:/path or s3://bucket/prefix?endpoint=URL");
	return false;
}

bool large_layer_wants_dir(const struct large_config *config)
{
	return !is_dir(config);
}

static bool claim_store(struct layer *layer, const struct large_config *large, char *error,
			size_t error_size)
{
	struct object_store *store = layer->store;
	char owner[PATH_MAX + 64];

	if (!store->ops->claim || !large->owner)
		return true;
	size_t len = strcspn(large->owner, store->is_shared ? " " : "");
	(void)snprintf(owner, sizeof(owner), "%.*s", (int)len, large->owner);
	return store->ops->claim(store, owner, error, error_size);
}

/* Where values are written down first. */
static bool open_place(struct layer *layer, const struct backend_config *config, char *error,
		       size_t error_size)
{
	char folder[PATH_MAX];
	const char *parent = layer->store->spool_folder;

	if (!parent)
		(void)snprintf(folder, sizeof(folder), "%s/large-spool", config->data_dir);
	layer->place.pool = layer->pool;
	layer->place.make_room = make_room;
	layer->place.user = layer;
	return spool_place_open(&layer->place, parent ? parent : folder, error, error_size);
}

static void set_limits(struct layer *layer, const struct large_config *large)
{
	layer->value_bytes = (uint64_t)large->value_bytes;
	layer->max_bytes = (uint64_t)large->value_max_mb * MB;
	layer->whole_max_bytes = large->whole_max_bytes;
	layer->grace_us = large->grace_us;
}

static bool start_sweep(struct layer *layer, const struct large_config *large,
			const struct backend_config *config, char *error, size_t error_size)
{
	bool is_alone = !layer->store->is_shared && !(layer->inner->ops->bits & BACKEND_REMOTE);
	struct sweep_config sweep = {
		.backend = layer->inner,
		.store = layer->store,
		.pins = &layer->pins,
		.owner = config,
		.every_us = large->sweep_us,
		.grace_us = large->grace_us,
		.is_alone = is_alone,
	};

	if (is_alone)
		sweep.grace_us = earlier_us(large->grace_us, ALONE_GRACE_US);
	layer->grace_us = sweep.grace_us;
	if (large->never_sweeps)
		return true;
	layer->sweep = sweep_start(&sweep, error, error_size);
	return layer->sweep != NULL;
}

struct backend *large_layer_open(struct backend *inner, const struct large_config *large,
				 const struct backend_config *config, char *error,
				 size_t error_size)
{
	struct layer *layer = calloc(1, sizeof(*layer));

	if (!layer) {
		(void)snprintf(error, error_size, "out of memory for --large-values");
		return NULL;
	}
	pins_init(&layer->pins);
	layer->place.lock = -1;
	layer->inner = inner;
	layer->config = *config;
	layer->ops = ops_around(inner->ops);
	layer->backend.ops = &layer->ops;
	set_limits(layer, large);
	layer->pool = pool_create("large", LAYER_THREADS);
	layer->store = layer->pool ? open_store(large, config, error, error_size) : NULL;
	if (!layer->pool)
		(void)snprintf(error, error_size, "cannot start threads for --large-values");
	if (layer->store && claim_store(layer, large, error, error_size) &&
	    open_place(layer, config, error, error_size) &&
	    start_sweep(layer, large, &layer->config, error, error_size))
		return &layer->backend;
	destroy(layer);
	return NULL;
}

#define OPTION_SETTINGS struct large_config
static const struct option rows[] = {
	ROW_TEXT(url, "large-values", "STEADYCACHE_LARGE_VALUES", NULL,
		 "Where large values are kept, beside the backend: dir:/path, or "
		 "s3://bucket/prefix?endpoint=URL."),
	ROW_WHOLE(value_bytes, "large-value-bytes", "STEADYCACHE_LARGE_VALUE_BYTES", "1048576", 0,
		  OPTION_LARGE, "Values of so many bytes, or more, are kept there; 0: all values."),
	ROW_WHOLE(value_max_mb, "large-value-max-mb", "STEADYCACHE_LARGE_VALUE_MAX_MB", "5120", 1,
		  1048576, "Largest value in MB that /cache takes with --large-values."),
	ROW_SECONDS(sweep_us, "large-sweep", "STEADYCACHE_LARGE_SWEEP", "3600", 0, OPTION_LARGE,
		    "Seconds between two searches for large values that no entry names any more, "
		    "which are removed; 0: only at the start and if the volume is full."),
	ROW_SECONDS(grace_us, "large-grace", "STEADYCACHE_LARGE_GRACE", "3600", 0.001, OPTION_LARGE,
		    "Seconds for which a large value stays though no entry names it, where other "
		    "servers may be about to name it; longer than any write takes."),
	ROW_TEXT(access_key, NULL, "STEADYCACHE_LARGE_ACCESS_KEY", NULL,
		 "Access key of the S3 store; without it AWS's own variables and files are used."),
	ROW_TEXT(secret_key, NULL, "STEADYCACHE_LARGE_SECRET_KEY", NULL, "Its secret key."),
	ROW_TEXT(ca_file, "large-ca-file", "STEADYCACHE_LARGE_CA_FILE", NULL,
		 "PEM bundle to trust for the S3 store; default: the system's."),
	ROW_SECONDS(timeout_us, "large-timeout", "STEADYCACHE_LARGE_TIMEOUT", "30", 0.1, 3600,
		    "Seconds for which the S3 store may be silent."),
};

const struct option_table large_options = {
	.after = "near-stale",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.settings_size = sizeof(OPTION_SETTINGS),
};
