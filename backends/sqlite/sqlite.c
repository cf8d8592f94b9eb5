#include "backends/sqlite/sqlite.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "backends/sqlite/store.h"

void queue_init(struct op_queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

void queue_push(struct op_queue *queue, struct cache_op *op)
{
	op->next = NULL;
	*queue->last = op;
	queue->last = &op->next;
	queue->length++;
}

struct cache_op *queue_pop(struct op_queue *queue)
{
	struct cache_op *op = queue->first;

	if (op) {
		queue->first = op->next;
		if (!queue->first)
			queue->last = &queue->first;
		queue->length--;
	}
	return op;
}

void cond_init_monotonic(pthread_cond_t *ret)
{
	pthread_condattr_t monotonic;

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(ret, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
}

void wait_on_clock(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us)
{
	struct timespec until = {
		.tv_sec = until_us / US_PER_S,
		.tv_nsec = until_us % US_PER_S * 1000,
	};

	(void)pthread_cond_timedwait(condition, lock, &until);
}

void store_notice(const struct sqlite_store *store, enum notice_level level, const char *format,
		  ...)
{
	char sentence[512];
	va_list args;

	if (!store->config.notice)
		return;
	va_start(args, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	store->config.notice(store->config.notice_user, level, sentence);
}

struct counters *store_counters(struct sqlite_store *store, struct slice name)
{
	struct counters **bucket = &store->counters[XXH3_64bits(name.data, name.len) % 256];
	struct counters *found;

	(void)pthread_mutex_lock(&store->counters_lock);
	for (found = *bucket; found; found = found->next)
		if (slice_equal(slice_of(found->name), name))
			break;
	if (!found && (found = calloc(1, sizeof(*found)))) {
		memcpy(found->name, name.data, name.len);
		found->next = *bucket;
		*bucket = found;
	}
	(void)pthread_mutex_unlock(&store->counters_lock);
	return found;
}

void store_default_settings(const struct sqlite_store *store, struct slice name,
			    struct namespace_settings *ret)
{
	rules_default_settings(&store->config, store->backend.ops->default_policy, name, ret);
}

int64_t store_hash(const struct sqlite_store *store, struct slice key)
{
	return (int64_t)XXH3_64bits_withSeed(key.data, key.len, store->hash_seed);
}

void store_bind_key(const struct sqlite_store *store, sqlite3_stmt *statement, int parameter,
		    int64_t namespace_id, struct slice key)
{
	const char *data = key.len ? key.data : ""; /* no data would be NULL */

	(void)sqlite3_bind_int64(statement, parameter, namespace_id);
	(void)sqlite3_bind_blob64(statement, parameter + 1, data, store_indexed_len(key),
				  SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, parameter + 2, store_hash(store, key));
	(void)sqlite3_bind_blob64(statement, parameter + 3, data, key.len, SQLITE_STATIC);
}

size_t store_indexed_len(struct slice key)
{
	return key.len < INDEXED_KEY_BYTES ? key.len : INDEXED_KEY_BYTES;
}

size_t store_prefix_bound(struct slice prefix, char bound[static KEY_BOUND_BYTES])
{
	size_t len = store_indexed_len(prefix);

	if (len > 0)
		memcpy(bound, prefix.data, len);
	while (len > 0 && bound[len - 1] == '\xFF')
		len--;
	if (len == 0) {
		memset(bound, 0xFF, KEY_BOUND_BYTES);
		return KEY_BOUND_BYTES;
	}
	bound[len - 1]++;
	return len;
}

static void sqlite_close(struct backend *backend)
{
	struct sqlite_store *store = (struct sqlite_store *)backend;

	background_close(store);
	large_close(&store->large);
	/* Before the writer, whose last connection folds the log back into the file. */
	readers_close(store);
	writer_close(store);
	space_close(store);
	space_deinit(store);
	mapping_close(&store->mapping);
	uses_deinit(&store->uses);
	values_deinit(&store->values);
	for (size_t i = 0; i < 256; i++) {
		while (store->counters[i]) {
			struct counters *next = store->counters[i]->next;

			free(store->counters[i]);
			store->counters[i] = next;
		}
	}
	(void)pthread_mutex_destroy(&store->uses_order);
	(void)pthread_mutex_destroy(&store->counters_lock);
	free(store);
}

static bool map_file(struct sqlite_store *store, int *ret_refused, char *error, size_t error_size)
{
	int failure = mapping_map(&store->mapping, store->path, ret_refused);

	if (failure != 0)
		(void)snprintf(error, error_size, "cannot open %s: %s", store->path,
			       strerror(failure));
	return failure == 0;
}

/* From here on no connection makes a file. */
static bool watch_files(struct sqlite_store *store, char *error, size_t error_size)
{
	const char *missing = NULL;

	if (!file_watch_begin(&store->watch, store->path, &missing)) {
		(void)snprintf(error, error_size, "cannot find %s: %s", missing, strerror(errno));
		return false;
	}
	atomic_store(&store->mapping.watch, &store->watch);
	return true;
}

static bool open_files(struct sqlite_store *store, char *error, size_t error_size)
{
	int refused = 0;
	int length = snprintf(store->path, sizeof(store->path), "%s/" DATABASE_NAME,
			      store->config.data_dir);

	if (length < 0 || (size_t)length >= sizeof(store->path) - 64) {
		(void)snprintf(error, error_size, "the data directory's path is too long");
		return false;
	}
	space_init(store);
	if (!mapping_open(&store->mapping, store->config.sqlite_vfs)) {
		(void)snprintf(error, error_size, "cannot register with SQLite: out of memory");
		return false;
	}
	/* The first reader opens the log and its index; all others find them. */
	if (!database_prepare(store, error, error_size) ||
	    !map_file(store, &refused, error, error_size) ||
	    !readers_open(store, error, error_size) || !watch_files(store, error, error_size) ||
	    !writer_open(store, error, error_size))
		return false;
	/* Before the background, which tidies it. */
	if (!large_open(&store->large, reader_get_large, store)) {
		(void)snprintf(error, error_size, "cannot start a thread");
		return false;
	}
	if (!background_open(store, error, error_size))
		return false;
	if (refused != 0)
		store_notice(store, NOTICE_WARN,
			     "%s cannot be mapped into memory: %s; reads of what is not cached are "
			     "slower",
			     store->path, strerror(refused));
	return true;
}

static struct backend *sqlite_open(const struct backend_config *config, char *error,
				   size_t error_size)
{
	/* Its accounting is a lock that all connections share, and nobody reads it. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);

	struct sqlite_store *store = calloc(1, sizeof(*store));
	if (!store) {
		(void)snprintf(error, error_size, "cannot open the database: out of memory");
		return NULL;
	}
	store->backend.ops = &sqlite_backend_ops;
	store->config = *config;
	store->clock = config->clock ? *config->clock : system_clock;
	uses_init(&store->uses);
	values_init(&store->values, config->sqlite_cache_bytes);
	(void)pthread_mutex_init(&store->uses_order, NULL);
	(void)pthread_mutex_init(&store->counters_lock, NULL);

	if (open_files(store, error, error_size))
		return &store->backend;
	sqlite_close(&store->backend);
	return NULL;
}

const struct backend_ops sqlite_backend_ops = {
	.name = "sqlite",
	.default_policy = EVICT_FRECENCY,
	.open = sqlite_open,
	.get = reader_get,
	.exists = reader_exists,
	.set = writer_submit,
	.remove = writer_submit,
	.clear = writer_submit,
	.configure = writer_submit,
	.sync = writer_submit,
	.check = writer_submit,
	.scan = background_submit,
	.stats = background_submit,
	.gauges = sqlite_gauges,
	.hurry = sqlite_hurry,
	.close = sqlite_close,
};
