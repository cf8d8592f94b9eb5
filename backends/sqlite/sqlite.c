#include "backends/sqlite/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/sqlite/background.h"
#include "backends/sqlite/file/folder_lock.h"
#include "backends/sqlite/file/open_files.h"
#include "backends/sqlite/file/prepare.h"
#include "backends/sqlite/file/row_settings.h"
#include "backends/sqlite/gauges.h"
#include "backends/sqlite/read/reader.h"
#include "backends/sqlite/read/readers.h"
#include "backends/sqlite/store.h"
#include "backends/sqlite/write/writer.h"
#include "store/notice.h"

static void sqlite_close(struct backend *backend)
{
	struct sqlite_store *store = (struct sqlite_store *)backend;

	background_close(store);
	large_close(&store->large);
	/* Before the writer, whose last connection copies the log back into the file. */
	readers_disconnect(store->readers);
	writer_close(store);
	readers_close(store->readers);
	space_close(&store->file);
	space_deinit(&store->file);
	mapping_close(&store->file.mapping);
	uses_deinit(&store->uses);
	values_deinit(&store->values);
	counters_deinit(&store->counters);
	inbox_deinit(&store->to_writer);
	inbox_deinit(&store->to_background);
	(void)pthread_mutex_destroy(&store->uses_order);
	if (store->file.is_alone)
		(void)close(store->file.lock);
	free(store);
}

/* Of space_init(). */
static void release_readers(void *user)
{
	readers_release(((struct sqlite_store *)user)->readers);
}

static bool map_file(struct sqlite_store *store, int *ret_refused, char *error, size_t error_size)
{
	int failure = mapping_map(&store->file.mapping, store->file.path, ret_refused);

	if (failure != 0)
		(void)snprintf(error, error_size, "cannot open %s: %s", store->file.path,
			       strerror(failure));
	return failure == 0;
}

/* From here on no connection creates a file. */
static bool watch_files(struct sqlite_store *store, char *error, size_t error_size)
{
	const char *missing = NULL;

	if (!file_watch_begin(&store->file.watch, store->file.path, &missing)) {
		(void)snprintf(error, error_size, "cannot find %s: %s", missing, strerror(errno));
		return false;
	}
	atomic_store(&store->file.mapping.watch, &store->file.watch);
	return true;
}

static bool open_files(struct sqlite_store *store, bool reads_only, char *error, size_t error_size)
{
	int refused = 0;
	int length = snprintf(store->file.path, sizeof(store->file.path), "%s/" DATABASE_NAME,
			      store->config.data_dir);

	if (length < 0 || (size_t)length >= sizeof(store->file.path) - 64) {
		(void)snprintf(error, error_size, "the data directory's path is too long");
		return false;
	}
	if (open_files_are_of_parent(store->file.path)) {
		(void)snprintf(
			error, error_size,
			"%s was open when this process was made by fork(), and SQLite cannot "
			"open it here: open it after the fork only, or close it before",
			store->file.path);
		return false;
	}
	space_init(&store->file, release_readers, store);
	if (!mapping_open(&store->file.mapping, store->settings.vfs)) {
		(void)snprintf(error, error_size, "cannot register with SQLite: out of memory");
		return false;
	}
	if (store->config.is_alone && !reads_only) {
		store->file.lock = folder_lock_take_alone(&store->file, error, error_size);
		store->file.is_alone = store->file.lock >= 0;
		if (!store->file.is_alone)
			return false;
	}
	store->file.is_read_only = reads_only;
	/* The first reader opens the log and its index; all others find them. */
	if (!(reads_only ? prepare_to_read : prepare_file)(&store->file, error, error_size) ||
	    !map_file(store, &refused, error, error_size) ||
	    !(store->readers = readers_open(&store->file, error, error_size)) ||
	    !watch_files(store, error, error_size) ||
	    (!reads_only && !writer_open(store, error, error_size)))
		return false;
	/* Before the background thread, which tidies it. */
	if (!large_open(&store->large, reader_get_large, store)) {
		(void)snprintf(error, error_size, "cannot start a thread");
		return false;
	}
	if (!background_open(store, error, error_size))
		return false;
	if (refused != 0)
		notice_send(&store->config, NOTICE_WARN,
			    "%s cannot be mapped into memory: %s; reads of what is not cached are "
			    "slower",
			    store->file.path, strerror(refused));
	return true;
}

static struct backend *open_store(const struct backend_ops *ops,
				  const struct backend_config *config, char *error,
				  size_t error_size)
{
	/* Its accounting is a lock that all connections share, and nobody reads it. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);

	struct sqlite_store *store = calloc(1, sizeof(*store));
	if (!store) {
		(void)snprintf(error, error_size, "cannot open the database: out of memory");
		return NULL;
	}
	store->backend.ops = ops;
	store->config = *config;
	if (config->settings)
		store->settings = *(const struct sqlite_settings *)config->settings;
	store->clock = config->clock ? *config->clock : system_clock;
	store->config.clock = &store->clock;
	store->file.config = &store->config;
	uses_init(&store->uses);
	values_init(&store->values, store->settings.cache_bytes);
	(void)pthread_mutex_init(&store->uses_order, NULL);
	counters_init(&store->counters);
	inbox_init(&store->to_writer);
	inbox_init(&store->to_background);

	if (open_files(store, ops != &sqlite_backend_ops, error, error_size))
		return &store->backend;
	sqlite_close(&store->backend);
	return NULL;
}

static struct backend *sqlite_open(const struct backend_config *config, char *error,
				   size_t error_size)
{
	return open_store(&sqlite_backend_ops, config, error, error_size);
}

static const struct backend_ops reading_ops;

static struct backend *sqlite_open_to_read(const struct backend_config *config, char *error,
					   size_t error_size)
{
	return open_store(&reading_ops, config, error, error_size);
}

#define OPTION_SETTINGS struct sqlite_settings
static const struct option rows[] = {
	ROW_MEGABYTES(cache_bytes, "sqlite-cache-mb", "STEADYCACHE_SQLITE_CACHE_MB", "128", 0,
		      OPTION_LARGE,
		      "Values that the sqlite backend keeps in memory, in MB, overhead included; "
		      "filled on demand; 0: none."),
};
static const struct option_table options = {
	.after = "request-timeout",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.settings_size = sizeof(OPTION_SETTINGS),
};

static const struct backend_ops reading_ops = {
	.name = "sqlite",
	.bits = BACKEND_PERSISTS | BACKEND_WANTS_DIR | BACKEND_WHOLE,
	.default_policy = SQLITE_DEFAULT_POLICY,
	.open = sqlite_open_to_read,
	.get = reader_get,
	.exists = reader_exists,
	.scan = background_submit,
	.stats = background_submit,
	.close = sqlite_close,
};

const struct backend_ops sqlite_backend_ops = {
	.name = "sqlite",
	.bits = BACKEND_PERSISTS | BACKEND_WANTS_DIR | BACKEND_WHOLE,
	.options = &options,
	.schemes = "sqlite",
	.url_is_dir = true,
	.default_policy = SQLITE_DEFAULT_POLICY,
	.open = sqlite_open,
	.reading = &reading_ops,
	.get = reader_get,
	.exists = reader_exists,
	.set = writer_submit,
	.remove = writer_submit,
	.expire = writer_submit,
	.clear = writer_submit,
	.configure = writer_submit,
	.sync = writer_submit,
	.check = writer_submit,
	.scan = background_submit,
	.stats = background_submit,
	.gauges = sqlite_gauges,
	.hurry = writer_hurry,
	.close = sqlite_close,
};
