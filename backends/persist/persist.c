/* Memory that persists.
 *
 *     threads of the server                the thread (loop.c)
 *
 *     GET, SET, ... ──▶ memory ──▶ done    every --persist-every, for a SYNC, at the stop:
 *                         │                  flush.c
 *                         └─ notes ────────▶   settings, clears, removed keys, entries ──▶ file
 *     GET of a head ──▶ fetch.c ◀──────────────────────────────────────────────────────────┘
 *                                          at the start:
 *                       memory ◀───────────  load.c ◀───────────────────────────────── file
 *
 * Memory (backends/memory) is the authority: it decides limits, evictions, conditions, expiry and
 * listings, at its speed, and answers. The file is a copy behind it, the very file that the SQLite
 * backend uses. It follows (sqlite_settings.follows): it applies no limit and forgets nothing by
 * itself, so that nothing is decided twice.
 *
 * With a limit for all memory (--memory-max-mb) values that the file has give up their memory, the
 * least recently used first, and are read from the file when they are asked for; entries are
 * evicted for that limit only if their heads alone exceed it.
 *
 * Invariants:
 *  1. An answer never waits for the file, but: a GET of bytes that only the file has; a SET that
 *     finds memory full of what is not saved yet; ops of keys that are not loaded yet; SYNC.
 *  2. After a crash every entry has a value that was acknowledged, with its own type, times and
 *     history. What was acknowledged before the last flush began is there. A batch may be there in
 *     part.
 *  3. A flush begins --persist-every seconds after the last one began, or as soon as that has
 * ended. Once the last flush that was written began more than --persist-every and PERSIST_SLACK_US
 *     ago, SETs wait for steps of the running flush, and are refused if the file refuses it. So
 *     hardly more than that is ever lost, and memory is not filled with what cannot be written.
 *     Removals neither wait nor are refused.
 *  4. What is being written counts as not written until its commit. What could not be written is
 *     written later, in the same order for each key.
 *  5. What was set or removed while the file is loaded wins over the file.
 *
 * Locks: `persist->lock` guards queues only and is held for no call. The thread takes locks of
 * memory's shards for some 64 entries at a time, and none while it waits for the file. */
#include "backends/persist/persist.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "backends/memory/memory.h"
#include "backends/persist/fetch.h"
#include "backends/persist/flush.h"
#include "backends/persist/load.h"
#include "backends/persist/loop.h"
#include "backends/sqlite/sqlite.h"
#include "base/clock.h"
#include "base/thread.h"

#define PERSIST_SLACK_US (30 * US_PER_S)
#define RETRY_AFTER_S    5

/* A value of fewer bytes is not worth being without: its head is not much smaller. */
#define SPILL_LEAST_BYTES 256
/* After a flush so much of the memory is free again, so that few SETs have to spill. */
#define FREE_PART 16

static struct persist *persist_of(struct backend *backend)
{
	return (struct persist *)backend;
}

static bool loads(struct persist *persist)
{
	return atomic_load_explicit(&persist->mirror.is_loading, memory_order_acquire);
}

/* ---- Ops that memory answers ---- */

static void persist_get(struct backend *backend, struct cache_op *op)
{
	struct persist *persist = persist_of(backend);

	op->progress = 0;
	if (!loads(persist) || !load_takes(persist, op))
		persist->memory->ops->get(persist->memory, op);
}

/* Any other op that needs nothing before. */
static void persist_pass_on(struct backend *backend, struct cache_op *op)
{
	struct persist *persist = persist_of(backend);

	if (!loads(persist) || !load_takes(persist, op))
		backend_submit(persist->memory, op);
}

/* Invariant 3. */
static bool is_too_far_ahead(const struct persist *persist)
{
	return monotonic_now_us() - atomic_load(&persist->saved_until_us) >
	       persist->every_us + persist->slack_us;
}

static void refuse(struct persist *persist, struct cache_op *op)
{
	(void)pthread_mutex_lock(&persist->lock);
	bool is_full = persist->failure.status == CACHE_NO_SPACE;
	(void)pthread_mutex_unlock(&persist->lock);
	op->retry_after_s = RETRY_AFTER_S;
	op->detail = is_full ? "the volume of the database is full, and what memory has would be "
			       "lost with the process: free space on it"
			     : "what memory has could not be written to the database for too long, "
			       "and would be lost with the process; look at the log";
	cache_op_complete(op, is_full ? CACHE_NO_SPACE : CACHE_UNAVAILABLE);
}

static void persist_set(struct backend *backend, struct cache_op *op)
{
	struct persist *persist = persist_of(backend);

	op->progress = 0;
	if (is_too_far_ahead(persist) && atomic_load(&persist->counts.is_failing))
		refuse(persist, op);
	else if (is_too_far_ahead(persist) && !loads(persist))
		loop_park(persist, op);
	else if (!loads(persist) || !load_takes(persist, op))
		persist->memory->ops->set(persist->memory, op);
}

static void persist_sync(struct backend *backend, struct cache_op *op)
{
	loop_sync(persist_of(backend), op);
}

static void persist_hurry(struct backend *backend)
{
	struct persist *persist = persist_of(backend);

	if (atomic_load(&persist->mirror.is_loading))
		load_refuse_waiting(persist, "the server stops before its entries are loaded");
	if (persist->file->ops->hurry)
		persist->file->ops->hurry(persist->file);
}

static void fetch(void *user, struct cache_op *op)
{
	fetch_run(user, op);
}

static void park(void *user, struct cache_op *op)
{
	loop_park(user, op);
}

/* ---- Check ---- */

/* A check of the file, for a CHECK. */
struct asked_check {
	struct cache_op op;
	struct persist *persist;
	struct cache_op *asker;
};

static void add_check(struct cache_op *op, const struct cache_health_check *check)
{
	if (op->check_count < HEALTH_CHECKS_MAX)
		op->checks[op->check_count++] = *check;
}

static void ignore(struct cache_op *op)
{
	(void)op;
}

static void add_own_check(struct persist *persist, struct cache_op *op)
{
	struct cache_health_check check = {.name = "copy", .ok = true};
	struct persist_counts *counts = &persist->counts;
	uint64_t loaded = atomic_load(&counts->loaded);
	uint64_t to_load = atomic_load(&counts->to_load);
	bool is_failing = atomic_load(&counts->is_failing);

	(void)pthread_mutex_lock(&persist->lock);
	if (is_failing) {
		check.ok = false;
		(void)snprintf(check.detail, sizeof(check.detail), "%.110s",
			       persist->failure.status != CACHE_OK
				       ? persist->failure.sentence
				       : "the entries of the database cannot be loaded");
	}
	(void)pthread_mutex_unlock(&persist->lock);
	if (check.ok && loads(persist))
		(void)snprintf(check.detail, sizeof(check.detail),
			       "%" PRIu64 " of %" PRIu64 " entries of the database are loaded",
			       loaded, to_load);
	add_check(op, &check);
}

static void finish_check(struct cache_op *op)
{
	struct asked_check *asked = op->user;
	struct cache_op *asker = asked->asker;
	enum cache_status status = op->status;

	for (size_t i = 0; i < op->check_count; i++)
		add_check(asker, &op->checks[i]);
	add_own_check(asked->persist, asker);
	free(asked);
	cache_op_complete(asker, status);
}

static void persist_check(struct backend *backend, struct cache_op *op)
{
	struct persist *persist = persist_of(backend);
	struct asked_check *asked = malloc(sizeof(*asked));
	struct cache_op of_memory;

	if (!asked) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	cache_op_init(&of_memory, CACHE_OP_CHECK);
	of_memory.done = ignore;
	persist->memory->ops->check(persist->memory, &of_memory); /* completes at once */
	op->check_count = 0;
	add_check(op, &of_memory.checks[0]);
	asked->persist = persist;
	asked->asker = op;
	cache_op_init(&asked->op, CACHE_OP_CHECK);
	asked->op.user = asked;
	asked->op.done = finish_check;
	persist->file->ops->check(persist->file, &asked->op);
}

/* ---- Gauges ---- */

static size_t persist_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	struct persist *persist = persist_of(backend);
	struct persist_counts *counts = &persist->counts;
	struct mirror_figures figures;

	mirror_figures(persist->all, &figures);
	uint64_t unsaved = figures.unsaved_entries + atomic_load(&counts->in_hand);
	int64_t age_us = monotonic_now_us() - atomic_load(&persist->saved_until_us);
	const struct backend_gauge gauges[] = {
		GAUGE_LEVEL("unpersisted", "entries", unsaved,
			    "Entries that were set or removed and that a crash would lose."),
		GAUGE_LEVEL("unpersisted", "bytes", figures.unsaved_bytes,
			    "Their keys and values."),
		GAUGE_LEVEL("unpersisted", "age_seconds",
			    unsaved > 0 ? (double)age_us / (double)US_PER_S : 0,
			    "How old the oldest of them may be."),
		GAUGE_COUNTER("persist", "flushes", atomic_load(&counts->flushes),
			      "Times that what had changed was written to the database."),
		GAUGE_COUNTER("persist", "failures", atomic_load(&counts->failures),
			      "Times that the database refused it."),
		GAUGE_LEVEL("persist", "failing", atomic_load(&counts->is_failing),
			    "1 while the database cannot be written or loaded, else 0."),
		GAUGE_COUNTER("persist", "written_entries", atomic_load(&counts->written),
			      "Entries that were written, with a value or a history."),
		GAUGE_COUNTER("persist", "removed_entries", atomic_load(&counts->removed),
			      "Entries that were removed from the database."),
		GAUGE_COUNTER("persist", "flush_us", atomic_load(&counts->busy_us),
			      "Time that this took."),
		GAUGE_LEVEL("persist", "loading", loads(persist),
			    "1 while the database is loaded, else 0."),
		GAUGE_COUNTER("persist", "loaded_entries", atomic_load(&counts->loaded),
			      "Entries that were loaded."),
		GAUGE_LEVEL("persist", "spilled_entries", figures.head_entries,
			    "Entries whose values are in the database only."),
		GAUGE_LEVEL("persist", "spilled_bytes", figures.head_bytes, "Those values."),
		GAUGE_COUNTER("persist", "fetches", atomic_load(&counts->fetches),
			      "GETs that asked the database for such values."),
		GAUGE_LEVEL("persist", "memory_bytes", figures.memory_bytes,
			    "Memory that all entries take, overhead included."),
	};
	size_t count = 0;

	for (; count < sizeof(gauges) / sizeof(gauges[0]) && count < max; count++)
		ret[count] = gauges[count];
	return count + persist->file->ops->gauges(persist->file, ret + count, max - count);
}

/* ---- Open and close ---- */

static void persist_close(struct backend *backend)
{
	struct persist *persist = persist_of(backend);

	loop_stop(persist);
	load_close(persist);
	flush_deinit(persist);
	/* The file first: its last commit saves the order of memory's clock. */
	if (persist->file)
		persist->file->ops->close(persist->file);
	if (persist->memory)
		persist->memory->ops->close(persist->memory);
	if (persist->folder_lock >= 0) {
		/* A child of fork() may have it, too. */
		(void)flock(persist->folder_lock, LOCK_UN);
		(void)close(persist->folder_lock);
	}
	(void)pthread_cond_destroy(&persist->wake);
	(void)pthread_mutex_destroy(&persist->lock);
	free(persist);
}

/* Two servers must not each take their own memory for the truth about one file. */
static bool lock_folder(struct persist *persist, char *error, size_t error_size)
{
	const char *folder = persist->config.data_dir;
	char path[4200];

	(void)snprintf(path, sizeof(path), "%s/steadycache.memory-lock", folder);
	persist->folder_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (persist->folder_lock >= 0 && flock(persist->folder_lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (persist->folder_lock >= 0 && errno == EWOULDBLOCK)
		(void)snprintf(error, error_size,
			       "another process keeps its memory in %s; name another directory",
			       folder);
	else
		(void)snprintf(error, error_size, "cannot lock %s: %s", path, strerror(errno));
	return false;
}

/* The file's defaults are memory's, so that what nobody has configured is loaded as that. */
static void default_settings(void *user, struct slice ns, struct namespace_settings *ret)
{
	const struct persist *persist = user;

	ret->policy = memory_backend_ops.default_policy;
	if (persist->config.defaults)
		persist->config.defaults(persist->config.defaults_user, ns, ret);
}

static bool open_parts(struct persist *persist, char *error, size_t error_size)
{
	struct sqlite_settings follows = {.follows = true};
	struct backend_config file_config = persist->config;

	file_config.settings = &follows;
	file_config.url = NULL;
	file_config.defaults = default_settings;
	file_config.defaults_user = persist;
	file_config.max_namespaces = 0;
	file_config.changed = NULL; /* memory tells */
	if (!lock_folder(persist, error, error_size))
		return false;
	persist->file = sqlite_backend_ops.open(&file_config, error, error_size);
	if (!persist->file)
		return false;
	persist->memory = memory_open_with(&persist->config, &persist->mirror, error, error_size);
	if (!persist->memory)
		return false;
	persist->all = memory_namespaces(persist->memory);
	if (!load_open(persist, error, error_size))
		return false;
	if (!loop_start(persist)) {
		(void)snprintf(error, error_size, "cannot start a thread");
		return false;
	}
	return true;
}

static struct backend *persist_open(const struct backend_config *config, char *error,
				    size_t error_size)
{
	const struct memory_settings *settings = config->settings;
	struct persist *persist = calloc(1, sizeof(*persist));

	if (!persist) {
		(void)snprintf(error, error_size, "memory: out of memory");
		return NULL;
	}
	persist->backend.ops = &persist_backend_ops;
	persist->config = *config;
	persist->clock = config->clock ? *config->clock : system_clock;
	persist->config.clock = &persist->clock;
	persist->every_us = settings->persist_every_us;
	persist->slack_us = settings->slack_us > 0 ? settings->slack_us : PERSIST_SLACK_US;
	persist->resident_bytes = UINT64_MAX;
	if (settings->spills_all)
		persist->resident_bytes = 0;
	else if (settings->max_bytes > 0)
		persist->resident_bytes = settings->max_bytes - settings->max_bytes / FREE_PART;
	persist->mirror.spill_least_bytes = settings->spills_all ? 1 : SPILL_LEAST_BYTES;
	persist->folder_lock = -1;
	persist->mirror.user = persist;
	persist->mirror.fetch = fetch;
	persist->mirror.park = park;
	(void)pthread_mutex_init(&persist->lock, NULL);
	thread_condition_init(&persist->wake);
	if (open_parts(persist, error, error_size))
		return &persist->backend;
	persist_close(&persist->backend);
	return NULL;
}

/* The file as it is: without what has not been written down yet. */
static struct backend *open_to_read(const struct backend_config *config, char *error,
				    size_t error_size)
{
	struct backend_config file_config = *config;

	file_config.settings = NULL; /* they are memory's */
	file_config.url = NULL;
	return sqlite_backend_ops.reading->open(&file_config, error, error_size);
}

static const struct backend_ops reading_ops = {
	.name = "memory",
	.bits = BACKEND_PERSISTS | BACKEND_WANTS_DIR | BACKEND_WHOLE,
	.default_policy = EVICT_FIFO,
	.open = open_to_read,
};

const struct backend_ops persist_backend_ops = {
	.name = "memory",
	.bits = BACKEND_PERSISTS | BACKEND_WANTS_DIR | BACKEND_WHOLE,
	.schemes = "memory",
	.url_is_dir = true,
	.options = &memory_options,
	.default_policy = EVICT_FIFO,
	.headroom_record_bytes = MEMORY_RECORD_BYTES,
	.open = persist_open,
	.reading = &reading_ops,
	.get = persist_get,
	.set = persist_set,
	.remove = persist_pass_on,
	.exists = persist_pass_on,
	.expire = persist_pass_on,
	.clear = persist_pass_on,
	.scan = persist_pass_on,
	.stats = persist_pass_on,
	.configure = persist_pass_on,
	.sync = persist_sync,
	.check = persist_check,
	.gauges = persist_gauges,
	.hurry = persist_hurry,
	.close = persist_close,
};

/* ---- Either ---- */

static const struct backend_ops *chosen_ops(const struct backend_config *config)
{
	const struct memory_settings *settings = config->settings;

	return settings && settings->persist_every_us > 0 ? &persist_backend_ops
							  : &memory_backend_ops;
}

static struct backend *open_either(const struct backend_config *config, char *error,
				   size_t error_size)
{
	return chosen_ops(config)->open(config, error, error_size);
}

const struct backend_ops persist_memory_ops = {
	.name = "memory",
	.bits = BACKEND_WHOLE,
	.schemes = "memory",
	.url_is_dir = true,
	.options = &memory_options,
	.default_policy = EVICT_FIFO,
	.headroom_record_bytes = MEMORY_RECORD_BYTES,
	.variant = chosen_ops,
	.open = open_either,
};
