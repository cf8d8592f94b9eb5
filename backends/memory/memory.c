/* The memory backend: operations, open and close.
 *
 * A get takes one lock, of a sixteenth of its namespace, and copies nothing: it acquires a
 * reference to the value. */
#include "backends/memory/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/memory/clear.h"
#include "backends/memory/configure.h"
#include "backends/memory/drop.h"
#include "backends/memory/expire.h"
#include "backends/memory/listing/hash_scan.h"
#include "backends/memory/listing/listing.h"
#include "backends/memory/mirror/mirror.h"
#include "backends/memory/set.h"
#include "backends/memory/visit.h"
#include "backends/memory/worker.h"
#include "store/rules.h"

_Static_assert(MEMORY_RECORD_BYTES == ENTRY_RECORD_BYTES, "the record of an entry");

#define LINE_BYTES         64
#define PREFETCH_MAX_BYTES 1024

struct memory_backend {
	struct backend backend; /* first, because callers of the contract get a pointer to it */
	struct backend_config config;
	struct namespaces namespaces;
	struct worker worker;
};

static struct memory_backend *memory_of(struct backend *backend)
{
	return (struct memory_backend *)backend;
}

static int64_t now_of(const struct memory_backend *memory)
{
	return cache_clock_now_us(memory->config.clock);
}

/* ---- Get, exists, delete ---- */

/* Shards and, as far as they fit, hashes of an op's keys. */
struct touched {
	unsigned shards;
	uint64_t hashes[32];
};
#define TOUCHED_HASHES (sizeof(((struct touched *)0)->hashes) / sizeof(uint64_t))

static void touched_init(struct touched *touched, const struct cache_op *op)
{
	touched->shards = op->item_count > TOUCHED_HASHES ? ALL_SHARDS : 0;
	for (size_t i = 0; i < op->item_count && i < TOUCHED_HASHES; i++) {
		touched->hashes[i] = entry_hash(op->items[i].key);
		touched->shards |= 1U << shard_index(touched->hashes[i]);
	}
}

static uint64_t touched_hash(const struct touched *touched, const struct cache_op *op, size_t i)
{
	return i < TOUCHED_HASHES ? touched->hashes[i] : entry_hash(op->items[i].key);
}

/* The caller is about to send the bytes: this loads them while the head is written. The processor
 * itself prefetches what follows the first lines. */
static void prefetch_bytes(struct cache_value *value)
{
	const char *bytes = cache_value_data(value);
	size_t len = value->len_bytes < PREFETCH_MAX_BYTES ? value->len_bytes : PREFETCH_MAX_BYTES;

	for (size_t at = 0; at < len; at += LINE_BYTES)
		__builtin_prefetch(bytes + at);
}

static void get_entry(bool counts, struct shard *shard, uint64_t hash, struct entry *entry,
		      struct cache_item *item, int64_t order_us)
{
	item->value = entry ? cache_value_acquire(entry_value(entry)) : NULL;
	if (!counts)
		return;
	if (entry) {
		prefetch_bytes(item->value);
		shard->counters.hits++;
		shard->counters.stale_hits += item->stale;
		order_use(&shard->order, &entry->order, order_us);
		if (shard->changes.are_noted)
			noted_use(&shard->changes, hash, entry);
	} else {
		shard->counters.misses++;
	}
}

static void delete_entry(const struct cache_op *op, struct shard *shard, struct entry *entry,
			 bool stale, struct cache_item *item, struct entry **trash)
{
	if (!entry_condition_holds(op, stale ? NULL : entry)) {
		item->status = CACHE_PRECONDITION_FAILED;
	} else if (stale) {
		shard_drop_expired(shard, entry, trash);
	} else if (entry) {
		shard_tell(shard, CHANGE_DELETE, item->key);
		shard_remove(shard, entry, trash);
		shard->counters.deletes++;
	}
}

/* Without a namespace there are no entries. */
static void miss_items(struct cache_op *op)
{
	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];

		item->value = NULL;
		item->status = CACHE_NOT_FOUND;
	}
	if (op->type != CACHE_OP_GET && op->type != CACHE_OP_EXISTS &&
	    !entry_condition_holds(op, NULL))
		op->items[0].status = CACHE_PRECONDITION_FAILED;
}

/* Returns how many values a GET has found that are elsewhere (mirror.h): it has the heads. */
static size_t visit_items(struct namespace *ns, struct cache_op *op, bool counts, int64_t now_us)
{
	struct entry *trash = NULL;
	struct touched touched;
	int64_t order_us = order_clock_at(ns->order_clock, now_us);
	struct shard_time time = {now_us, order_us};
	size_t heads = 0;

	touched_init(&touched, op);
	if (counts)
		order_clock_pass(ns->order_clock, order_us, op->item_count);
	namespace_lock(ns, touched.shards);
	if (namespace_is_dropped(ns)) {
		namespace_unlock(ns, touched.shards);
		miss_items(op);
		return 0;
	}
	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];
		uint64_t hash = touched_hash(&touched, op, i);
		struct shard *shard = namespace_shard(ns, hash);
		bool stale;
		struct entry *entry = shard_find(shard, hash, item->key, time, &stale, &trash);
		bool found = entry && (!stale || op->serve_stale);

		item->status = found ? CACHE_OK : CACHE_NOT_FOUND;
		item->stale = stale && found;
		if (op->type == CACHE_OP_GET) {
			get_entry(counts, shard, hash, found ? entry : NULL, item,
				  order_us + (int64_t)i);
			heads += found && entry_has(entry, ENTRY_IS_HEAD);
		} else if (op->type == CACHE_OP_DELETE)
			delete_entry(op, shard, entry, stale, item, &trash);
	}
	namespace_unlock(ns, touched.shards);
	entry_free_list(trash);
	return heads;
}

static void run_items(struct memory_backend *memory, struct cache_op *op, bool counts)
{
	struct namespace *ns = namespace_find(&memory->namespaces, op->ns);
	const struct memory_mirror *mirror = memory->namespaces.mirror;
	size_t heads = 0;

	if (ns)
		heads = visit_items(ns, op, counts, now_of(memory));
	else
		miss_items(op);
	if (heads > 0)
		mirror->fetch(mirror->user, op);
	else
		rules_complete_items(op);
}

/* GET, EXISTS and DELETE, of one item or many. */
static void memory_visit(struct backend *backend, struct cache_op *op)
{
	run_items(memory_of(backend), op, op->type == CACHE_OP_GET && !op->no_touch);
}

void memory_get_again(struct backend *backend, struct cache_op *op)
{
	run_items(memory_of(backend), op, false);
}

/* ---- Set ---- */

static void memory_set(struct backend *backend, struct cache_op *op)
{
	struct memory_backend *memory = memory_of(backend);
	struct namespace *ns = NULL;
	const struct memory_mirror *mirror = memory->namespaces.mirror;
	struct set_outcome outcome;
	enum cache_status status;

	do {
		outcome = (struct set_outcome){0};
		status = namespace_find_or_create(&memory->namespaces, op->ns, &ns);
		if (status == CACHE_OK)
			status = set_items(&memory->namespaces, ns, op, now_of(memory), &outcome);
	} while (outcome.is_gone);
	if (outcome.wakes)
		worker_wake(&memory->worker);
	if (outcome.waits)
		mirror->park(mirror->user, op);
	else
		cache_op_complete(op, status);
}

/* ---- Expire ---- */

static void memory_expire(struct backend *backend, struct cache_op *op)
{
	struct memory_backend *memory = memory_of(backend);
	struct namespace *ns = namespace_find(&memory->namespaces, op->ns);
	enum cache_status status;
	bool wakes = false;

	if (ns) {
		status = expire_items(ns, op, now_of(memory), &wakes);
	} else {
		miss_items(op);
		status = rules_status_of_items(op);
	}
	if (wakes)
		worker_wake(&memory->worker);
	cache_op_complete(op, status);
}

/* ---- What may visit all entries ---- */

/* Runs `op` to its end, on the caller's thread. */
static void run_visit(struct namespaces *all, struct cache_op *op, int64_t now_us)
{
	struct namespace *ns = NULL;
	enum cache_status status = CACHE_OK;

	if (op->type == CACHE_OP_CONFIGURE)
		status = namespace_find_or_create(all, op->ns, &ns);
	else
		ns = namespace_find(all, op->ns);
	/* It may have been dropped while the op waited. */
	if (!ns)
		op->complete = true;
	else if (op->type == CACHE_OP_SCAN)
		status = op->any_order ? hash_scan(ns, op, now_us) : listing_page(ns, op, now_us);
	else if (op->type == CACHE_OP_CLEAR)
		clear_prefix(ns, op->prefix, now_us);
	else
		status = configure_namespace(all, ns, op, now_us);
	cache_op_complete(op, status);
}

/* What takes long, on the worker. */
static void run_long_visit(struct walks *walks, struct cache_op *op, int64_t now_us)
{
	struct namespaces *all = walks->namespaces;
	struct namespace *ns = namespace_find(all, op->ns);

	if (op->type == CACHE_OP_CLEAR && op->drop)
		drop_run(all, op);
	else if (op->type == CACHE_OP_SCAN && !op->any_order && ns)
		cache_op_complete(op, walk_page(walks, ns, op, now_us));
	else
		run_visit(all, op, now_us);
}

static void start_visit(struct memory_backend *memory, const struct namespace *ns,
			struct cache_op *op)
{
	if (usage_read(&ns->usage.entry_count) > VISIT_INLINE_ENTRIES_MAX)
		worker_submit(&memory->worker, op);
	else
		run_visit(&memory->namespaces, op, now_of(memory));
}

static void memory_scan(struct backend *backend, struct cache_op *op)
{
	struct memory_backend *memory = memory_of(backend);
	struct namespace *ns = namespace_find(&memory->namespaces, op->ns);

	op->complete = true;
	if (ns && !op->has_after && !op->any_order)
		namespace_forbid_runs(ns);
	if (!ns)
		cache_op_complete(op, CACHE_OK);
	else if (op->any_order && op->prefix.len == 0)
		run_visit(&memory->namespaces, op, now_of(memory));
	else
		start_visit(memory, ns, op);
}

static void memory_configure(struct backend *backend, struct cache_op *op)
{
	struct memory_backend *memory = memory_of(backend);
	struct namespace *ns = NULL;
	enum cache_status status = namespace_find_or_create(&memory->namespaces, op->ns, &ns);
	bool idles = (op->settings_mask & SETTING_MAX_IDLE) && op->settings.max_idle_s > 0;

	if (status == CACHE_OK)
		start_visit(memory, ns, op);
	else
		cache_op_complete(op, status);
	if (idles)
		worker_wake(&memory->worker);
}

static void memory_clear(struct backend *backend, struct cache_op *op)
{
	struct memory_backend *memory = memory_of(backend);
	struct namespace *ns = namespace_find(&memory->namespaces, op->ns);
	struct cleared *cleared = NULL;

	if (!ns) {
		cache_op_complete(op, op->drop ? CACHE_NOT_FOUND : CACHE_OK);
		return;
	}
	if (op->drop) {
		drop_start(&memory->namespaces, &memory->worker, ns, op);
		return;
	}
	if (op->prefix.len == 0)
		cleared = malloc(sizeof(*cleared));
	if (!cleared) {
		start_visit(memory, ns, op);
		return;
	}
	clear_take(&memory->namespaces, ns, cleared);
	worker_free(&memory->worker, cleared);
	cache_op_complete(op, CACHE_OK);
}

/* ---- Statistics, sync, check ---- */

static enum cache_status stats_of_all(struct memory_backend *memory, struct cache_op *op)
{
	struct namespace *first =
		atomic_load_explicit(&memory->namespaces.first, memory_order_acquire);
	size_t count = 0;

	for (const struct namespace *ns = first; ns; ns = ns->next)
		count++;
	if (count == 0)
		return CACHE_OK;
	op->stats = calloc(count, sizeof(*op->stats));
	if (!op->stats)
		return CACHE_NO_MEMORY;
	for (struct namespace *ns = first; ns; ns = ns->next)
		op->stats_count += namespace_stats(ns, now_of(memory), &op->stats[op->stats_count]);
	rules_sort_stats(op);
	return CACHE_OK;
}

static enum cache_status stats_of_one(struct memory_backend *memory, struct cache_op *op)
{
	struct namespace *ns = namespace_find(&memory->namespaces, op->ns);

	op->stats = calloc(1, sizeof(*op->stats));
	if (!op->stats)
		return CACHE_NO_MEMORY;
	op->stats_count = 1;
	if (!ns || !namespace_stats(ns, now_of(memory), op->stats)) {
		*op->stats = (struct namespace_stats){0};
		memcpy(op->stats->name, op->ns.data, op->ns.len);
		namespace_default_settings(&memory->namespaces, op->ns, &op->stats->settings);
	}
	return CACHE_OK;
}

static void memory_stats(struct backend *backend, struct cache_op *op)
{
	struct memory_backend *memory = memory_of(backend);

	cache_op_complete(op, op->ns.len > 0 ? stats_of_one(memory, op) : stats_of_all(memory, op));
}

static void memory_sync(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	cache_op_complete(op, CACHE_OK); /* there is nothing to flush to */
}

static void memory_check(struct backend *backend, struct cache_op *op)
{
	struct memory_backend *memory = memory_of(backend);
	uint64_t max = memory->namespaces.max_memory_bytes;
	uint64_t used = usage_read(&memory->namespaces.total.memory_bytes);
	struct cache_health_check *check = &op->checks[0];

	/* A full cache evicts and is well; the sentence explains the hit rate. */
	*check = (struct cache_health_check){.name = "memory", .ok = true};
	if (max > 0 && used > max / 10 * 9)
		(void)snprintf(check->detail, sizeof(check->detail),
			       "%" PRIu64 " of %" PRIu64 " bytes are in use", used, max);
	op->check_count = 1;
	cache_op_complete(op, CACHE_OK);
}

/* ---- Open and close ---- */

struct backend *memory_open_with(const struct backend_config *config,
				 const struct memory_mirror *mirror, char *error, size_t error_size)
{
	struct memory_backend *memory = calloc(1, sizeof(*memory));
	const struct memory_settings *settings = config->settings;

	if (!memory) {
		(void)snprintf(error, error_size, "memory: out of memory");
		return NULL;
	}
	entry_hash_init();
	memory->backend.ops = &memory_backend_ops;
	memory->config = *config;
	if (!config->clock)
		memory->config.clock = &system_clock;
	namespaces_init(&memory->namespaces, &memory->config, settings ? settings->max_bytes : 0,
			mirror);
	if (!worker_start(&memory->worker, &memory->namespaces, memory->config.clock,
			  run_long_visit)) {
		(void)snprintf(error, error_size, "memory: no thread could be started");
		namespaces_deinit(&memory->namespaces);
		free(memory);
		return NULL;
	}
	return &memory->backend;
}

static struct backend *memory_open(const struct backend_config *config, char *error,
				   size_t error_size)
{
	return memory_open_with(config, NULL, error, error_size);
}

struct namespaces *memory_namespaces(struct backend *backend)
{
	return &memory_of(backend)->namespaces;
}

void memory_note_expiring(struct backend *backend)
{
	worker_wake(&memory_of(backend)->worker);
}

static void memory_close(struct backend *backend)
{
	struct memory_backend *memory = memory_of(backend);

	worker_stop(&memory->worker);
	namespaces_deinit(&memory->namespaces);
	free(memory);
}

#define OPTION_SETTINGS struct memory_settings
static const struct option rows[] = {
	ROW_MEGABYTES(
		max_bytes, "memory-max-mb", "STEADYCACHE_MEMORY_MAX_MB", "0", 0, OPTION_LARGE,
		"All that the memory backend may use in MB, overhead included; 0 sets no limit."),
	ROW_SECONDS(persist_every_us, "persist-every", "STEADYCACHE_PERSIST_EVERY", "0", 0, 3600,
		    "Seconds after which the memory backend has written what changed to the "
		    "database, from which it loads at the start; 0: never."),
};
const struct option_table memory_options = {
	.after = "request-timeout",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.settings_size = sizeof(OPTION_SETTINGS),
};

const struct backend_ops memory_backend_ops = {
	.name = "memory",
	.bits = BACKEND_WHOLE,
	.options = &memory_options,
	.schemes = "memory",
	.url_is_dir = true,
	.default_policy = MEMORY_DEFAULT_POLICY,
	.headroom_record_bytes = MEMORY_RECORD_BYTES,
	.open = memory_open,
	.get = memory_visit,
	.set = memory_set,
	.remove = memory_visit,
	.exists = memory_visit,
	.expire = memory_expire,
	.clear = memory_clear,
	.scan = memory_scan,
	.stats = memory_stats,
	.configure = memory_configure,
	.sync = memory_sync,
	.check = memory_check,
	.close = memory_close,
};
