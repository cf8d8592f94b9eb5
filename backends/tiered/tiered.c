/* The wrapper. A pass is one operation on its way through it: it stands between the op and its
 * caller (done, user) and remembers what the near cache has to be told afterwards. */
#include "backends/tiered/tiered.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "backends/tiered/near.h"
#include "backends/tiered/near_hits.h"

struct tiered {
	struct backend backend; /* first: the contract hands this out */
	struct backend_ops ops; /* what `inner` supports, by way of here */
	struct backend *inner;
	struct near *near;
	struct near_hits hits;
	struct tiered_config config;
	const struct cache_clock *clock;
	/* Writes of several items that have begun or ended, and that are under way. */
	_Atomic uint64_t batch_version;
	atomic_uint batch_writers;
};

struct pass_item {
	struct near_key key;
	struct near_note note;
};

struct pass {
	struct tiered *tiered;
	struct cache_op *op;
	void (*done)(struct cache_op *op); /* the caller's */
	void *user;
	int64_t began_us;
	size_t count;
	struct pass_item items[];
};

static struct tiered *tiered_of(struct backend *backend)
{
	return (struct tiered *)backend;
}

/* ---- Passes ---- */

static struct pass *open_pass(struct tiered *tiered, struct cache_op *op, size_t count)
{
	struct pass *pass = calloc(1, sizeof(*pass) + count * sizeof(pass->items[0]));

	if (!pass)
		return NULL;
	pass->tiered = tiered;
	pass->op = op;
	pass->count = count;
	pass->began_us = cache_clock_now_us(tiered->clock);
	return pass;
}

/* Hands the caller's op itself to the inner backend; `done` is called when that is done with it. */
static void forward(struct pass *pass, void (*done)(struct cache_op *op))
{
	struct cache_op *op = pass->op;

	pass->done = op->done;
	pass->user = op->user;
	op->done = done;
	op->user = pass;
	backend_submit(pass->tiered->inner, op);
}

/* Gives the op, as it is, back to its caller. */
static void close_pass(struct pass *pass)
{
	struct cache_op *op = pass->op;

	op->done = pass->done;
	op->user = pass->user;
	free(pass);
	op->done(op);
}

/* The backend is at fault, not the request. */
static bool is_outage(enum cache_status status)
{
	return cache_status_http(status) >= 500 && status != CACHE_UNSUPPORTED;
}

/* ---- Get ---- */

static void complete_get(struct cache_op *op)
{
	cache_op_complete(op, op->items == &op->one ? op->one.status : CACHE_OK);
}

/* What was read without a use is not kept: an export would drive out all that is in use. */
static void keep_answers(struct pass *pass, const struct cache_op *answered)
{
	if (answered->no_touch)
		return;
	for (size_t i = 0; i < pass->count; i++)
		if (answered->items[i].status == CACHE_OK && answered->items[i].value &&
		    !answered->items[i].stale)
			near_fill(pass->tiered->near, &pass->items[i].key, answered->items[i].value,
				  pass->began_us, &pass->items[i].note);
}

static void drop_values(struct cache_op *op)
{
	for (size_t i = 0; i < op->item_count; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
	}
}

/* Answers what was asked of the backend from what is past its time. False: not all is there, and
 * nothing was answered. */
static bool answer_stale(struct pass *pass, struct cache_op *asked)
{
	struct tiered *tiered = pass->tiered;
	int64_t now_us = cache_clock_now_us(tiered->clock);
	int64_t oldest_us = now_us - tiered->config.ttl_us - tiered->config.stale_us;
	size_t found = 0;

	drop_values(asked);
	for (; found < pass->count; found++) {
		struct cache_item *item = &asked->items[found];

		item->value = near_find(tiered->near, &pass->items[found].key, now_us, oldest_us);
		if (!item->value)
			break;
		item->status = CACHE_OK;
	}
	if (found == pass->count) {
		near_count_stale(tiered->near);
		return true;
	}
	drop_values(asked);
	return false;
}

static void get_done(struct cache_op *op)
{
	struct pass *pass = op->user;

	if (!is_outage(op->status)) {
		keep_answers(pass, op);
	} else if (answer_stale(pass, op)) {
		op->status = op->items == &op->one ? op->one.status : CACHE_OK;
		op->detail = NULL;
	}
	close_pass(pass);
}

/* Takes what is near: how many items. */
static size_t look_near(struct tiered *tiered, struct cache_op *op)
{
	int64_t now_us = cache_clock_now_us(tiered->clock);
	size_t found = 0;

	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];
		struct near_key key = near_key_of(tiered->near, op->ns, item->key);

		item->value = near_find(tiered->near, &key, now_us, now_us - tiered->config.ttl_us);
		item->status = CACHE_OK;
		found += item->value != NULL;
	}
	return found;
}

/* What near_fill wants to know: taken before the backend is asked. */
static void take_notes(struct pass *pass)
{
	for (size_t i = 0; i < pass->count; i++) {
		struct pass_item *item = &pass->items[i];

		item->key = near_key_of(pass->tiered->near, pass->op->ns, pass->op->items[i].key);
		near_note(pass->tiered->near, &item->key, &item->note);
	}
}

/* A batch is answered from memory whole or not at all, and not where a batch was written meanwhile:
 * so nobody sees a part of it before and a part after. */
static void tiered_get(struct backend *backend, struct cache_op *op)
{
	struct tiered *tiered = tiered_of(backend);
	bool is_batch = op->item_count > 1;
	uint64_t version = atomic_load(&tiered->batch_version);
	bool is_still = !is_batch || atomic_load(&tiered->batch_writers) == 0;

	if (look_near(tiered, op) == op->item_count && is_still &&
	    (!is_batch || atomic_load(&tiered->batch_version) == version)) {
		if (!op->no_touch)
			near_hits_add(&tiered->hits, op->ns, op->item_count);
		complete_get(op);
		return;
	}
	drop_values(op);
	struct pass *pass = open_pass(tiered, op, op->item_count);
	if (!pass) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	take_notes(pass);
	forward(pass, get_done);
}

/* ---- Exists ---- */

static void exists_done(struct cache_op *op)
{
	struct pass *pass = op->user;
	struct tiered *tiered = pass->tiered;
	int64_t now_us = cache_clock_now_us(tiered->clock);
	int64_t oldest_us = now_us - tiered->config.ttl_us - tiered->config.stale_us;
	size_t found = 0;

	if (!is_outage(op->status)) {
		close_pass(pass);
		return;
	}
	for (; found < op->item_count; found++) {
		struct near_key key = near_key_of(tiered->near, op->ns, op->items[found].key);
		struct cache_value *value = near_find(tiered->near, &key, now_us, oldest_us);

		if (!value)
			break;
		cache_value_release(value);
	}
	if (found == op->item_count) {
		for (size_t i = 0; i < found; i++)
			op->items[i].status = CACHE_OK;
		op->status = CACHE_OK;
		op->detail = NULL;
		near_count_stale(tiered->near);
	}
	close_pass(pass);
}

static void tiered_exists(struct backend *backend, struct cache_op *op)
{
	struct pass *pass = open_pass(tiered_of(backend), op, 0);

	if (pass)
		forward(pass, exists_done);
	else
		cache_op_complete(op, CACHE_NO_MEMORY);
}

/* ---- Writes ---- */

/* A value that was stored has the time of that; one that a namespace of capacity 0 accepted has
 * none, and the outcome of a condition is not only ours to know. */
static bool is_stored(const struct cache_op *op, const struct cache_item *item)
{
	return op->type == CACHE_OP_SET && op->status == CACHE_OK && item->status == CACHE_OK &&
	       item->value->modified_at_us != 0 &&
	       (op->item_count > 1 || item->condition.kind == CONDITION_NONE);
}

static void write_done(struct cache_op *op)
{
	struct pass *pass = op->user;

	for (size_t i = 0; i < pass->count; i++) {
		struct cache_item *item = &op->items[i];

		near_end_write(pass->tiered->near, &pass->items[i].key,
			       is_stored(op, item) ? item->value : NULL, pass->began_us,
			       &pass->items[i].note);
	}
	if (pass->count > 1) {
		(void)atomic_fetch_add(&pass->tiered->batch_version, 1);
		(void)atomic_fetch_sub(&pass->tiered->batch_writers, 1);
	}
	close_pass(pass);
}

static void tiered_write(struct backend *backend, struct cache_op *op)
{
	struct tiered *tiered = tiered_of(backend);
	struct pass *pass = open_pass(tiered, op, op->item_count);

	if (!pass) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	if (pass->count > 1) {
		(void)atomic_fetch_add(&tiered->batch_writers, 1);
		(void)atomic_fetch_add(&tiered->batch_version, 1);
	}
	for (size_t i = 0; i < pass->count; i++) {
		pass->items[i].key = near_key_of(tiered->near, op->ns, op->items[i].key);
		near_begin_write(tiered->near, &pass->items[i].key, &pass->items[i].note);
	}
	forward(pass, write_done);
}

static void clear_done(struct cache_op *op)
{
	struct pass *pass = op->user;

	near_end_clear(pass->tiered->near, op->ns,
		       op->type == CACHE_OP_CLEAR ? op->prefix : SLICE(""));
	close_pass(pass);
}

/* CLEAR; and CONFIGURE, which may evict. */
static void tiered_clear(struct backend *backend, struct cache_op *op)
{
	struct tiered *tiered = tiered_of(backend);
	struct pass *pass = open_pass(tiered, op, 0);

	if (!pass) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	near_begin_clear(tiered->near, op->ns);
	forward(pass, clear_done);
}

/* ---- The rest ---- */

static void stats_done(struct cache_op *op)
{
	struct pass *pass = op->user;

	for (size_t i = 0; i < op->stats_count; i++)
		op->stats[i].hits += near_hits_of(&pass->tiered->hits, slice_of(op->stats[i].name));
	close_pass(pass);
}

static void tiered_stats(struct backend *backend, struct cache_op *op)
{
	struct pass *pass = open_pass(tiered_of(backend), op, 0);

	if (pass)
		forward(pass, stats_done);
	else
		cache_op_complete(op, CACHE_NO_MEMORY);
}

static void tiered_pass_on(struct backend *backend, struct cache_op *op)
{
	backend_submit(tiered_of(backend)->inner, op);
}

static size_t tiered_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	struct tiered *tiered = tiered_of(backend);
	struct near_counts counts = near_counts(tiered->near);
	const struct backend_gauge gauges[] = {
		{.group = "near",
		 .name = "entries",
		 .value = (double)counts.entries,
		 .help = "Entries kept near."},
		{.group = "near",
		 .name = "bytes",
		 .value = (double)counts.bytes,
		 .help = "Memory that they take."},
		{.group = "near",
		 .name = "hits",
		 .value = (double)counts.hits,
		 .counts = true,
		 .help = "Reads answered from them."},
		{.group = "near",
		 .name = "misses",
		 .value = (double)counts.misses,
		 .counts = true,
		 .help = "Reads that went on to the backend."},
		{.group = "near",
		 .name = "stale",
		 .value = (double)counts.stale,
		 .counts = true,
		 .help = "Values given though too old, as the backend did not answer."},
		{.group = "near",
		 .name = "fills",
		 .value = (double)counts.fills,
		 .counts = true,
		 .help = "Values taken along from the backend."},
		{.group = "near",
		 .name = "evictions",
		 .value = (double)counts.evictions,
		 .counts = true,
		 .help = "Entries that gave way to others."},
	};
	const size_t own = sizeof(gauges) / sizeof(gauges[0]);
	size_t count = 0;

	if (tiered->inner->ops->gauges)
		count = tiered->inner->ops->gauges(tiered->inner, ret, max);
	for (size_t i = 0; i < own && count < max; i++)
		ret[count++] = gauges[i];
	return count;
}

/* ---- Wrapping ---- */

static void tiered_close(struct backend *backend)
{
	struct tiered *tiered = tiered_of(backend);

	tiered->inner->ops->close(tiered->inner);
	near_destroy(tiered->near);
	near_hits_deinit(&tiered->hits);
	free(tiered);
}

struct backend *tiered_wrap(struct backend *inner, const struct tiered_config *config)
{
	struct tiered *tiered = calloc(1, sizeof(*tiered));
	const struct backend_ops *ops = inner->ops;

	if (!tiered)
		return NULL;
	tiered->near = near_create(config->max_bytes);
	if (!tiered->near) {
		free(tiered);
		return NULL;
	}
	near_hits_init(&tiered->hits);
	tiered->inner = inner;
	tiered->config = *config;
	tiered->clock = config->clock ? config->clock : &system_clock;
	tiered->ops = (struct backend_ops){
		.name = ops->name,
		.default_policy = ops->default_policy,
		.is_remote = ops->is_remote,
		.get = ops->get ? tiered_get : NULL,
		.set = ops->set ? tiered_write : NULL,
		.remove = ops->remove ? tiered_write : NULL,
		.exists = ops->exists ? tiered_exists : NULL,
		.clear = ops->clear ? tiered_clear : NULL,
		.configure = ops->configure ? tiered_clear : NULL,
		.stats = ops->stats ? tiered_stats : NULL,
		.scan = ops->scan ? tiered_pass_on : NULL,
		.sync = ops->sync ? tiered_pass_on : NULL,
		.check = ops->check ? tiered_pass_on : NULL,
		.gauges = tiered_gauges,
		.close = tiered_close,
	};
	tiered->backend.ops = &tiered->ops;
	return &tiered->backend;
}
