/* Open and close.
 *
 * Closing waits for what is in progress. An operation counts itself in its lane, and then looks
 * whether the store is being closed; who closes says so, and then adds the lanes up. So one of the
 * two sees the other, whichever is first. */
#include "library/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/packed/packed.h"
#include "backends/tiered/tiered.h"
#include "base/clock.h"
#include "base/thread.h"
#include "library/completion.h"
#include "library/error.h"
#include "library/settings.h"
#include "store/data_dir.h"
#include "store/find.h"
#include "store/place.h"

/* How long who closes sleeps, if nobody wakes it: an operation that began to end just before. */
#define CLOSE_LOOK_US 1000

#define ERROR_BYTES 600

/* That of version 0.1.0. */
#define SIZE_OF_FIRST_OPTIONS (offsetof(struct steadycache_options, notice_user) + sizeof(void *))

struct library_lane {
	_Alignas(64) atomic_size_t in_progress;
};

struct steadycache {
	struct library_lane lanes[LIBRARY_LANES];
	_Alignas(64) struct backend *backend;
	struct backend_place place;
	struct steadycache_options options; /* without data_dir */
	char *data_dir;                     /* the place points to it; NULL: there is none */
	unsigned forks;                     /* how many there had been when it was opened */
	atomic_bool is_closing;
	pthread_mutex_t lock; /* of the condition */
	pthread_cond_t left;
};

/* ---- Forks ---- */

/* Of this process and those from which it comes, as far as they had the library. */
static atomic_uint forks;

static void count_fork(void)
{
	(void)atomic_fetch_add(&forks, 1);
}

static void watch_forks(void)
{
	(void)pthread_atfork(NULL, NULL, count_fork);
}

static bool is_of_this_process(const struct steadycache *store)
{
	return store->forks == atomic_load_explicit(&forks, memory_order_relaxed);
}

/* ---- Operations in progress ---- */

static unsigned own_lane(void)
{
	static atomic_uint threads;
	static _Thread_local unsigned mine; /* 0: none yet */

	if (mine == 0)
		mine = atomic_fetch_add(&threads, 1) % LIBRARY_LANES + 1;
	return mine - 1;
}

struct library_lane *library_store_enter(struct steadycache *store, const char **ret_refusal)
{
	struct library_lane *lane = &store->lanes[own_lane()];

	if (!is_of_this_process(store)) {
		*ret_refusal =
			"the store was opened before fork(); fork first, and open it afterwards";
		return NULL;
	}
	(void)atomic_fetch_add(&lane->in_progress, 1);
	if (!atomic_load(&store->is_closing))
		return lane;
	library_store_leave(store, lane);
	*ret_refusal = "the store is being closed";
	return NULL;
}

void library_store_leave(struct steadycache *store, struct library_lane *lane)
{
	if (!atomic_load(&store->is_closing)) {
		(void)atomic_fetch_sub(&lane->in_progress, 1);
		return;
	}
	(void)pthread_mutex_lock(&store->lock);
	(void)atomic_fetch_sub(&lane->in_progress, 1);
	(void)pthread_cond_signal(&store->left);
	(void)pthread_mutex_unlock(&store->lock);
}

static bool is_in_use(struct steadycache *store)
{
	size_t count = 0;

	for (size_t i = 0; i < LIBRARY_LANES; i++)
		count += atomic_load(&store->lanes[i].in_progress);
	return count > 0;
}

struct backend *library_store_backend(struct steadycache *store)
{
	return store->backend;
}

/* ---- Options ---- */

void steadycache_options_init(struct steadycache_options *options, size_t size)
{
	const struct steadycache_options initial = {.size = size, .near_ttl_ms = 1000};

	memset(options, 0, size);
	memcpy(options, &initial, size < sizeof(initial) ? size : sizeof(initial));
}

/* What the program knows of the options, and defaults for the rest. NULL, or what is wrong. */
static const char *read_options(const struct steadycache_options *given,
				struct steadycache_options *ret)
{
	const char *bytes = (const char *)given;

	steadycache_options_init(ret, sizeof(*ret));
	if (!given)
		return NULL;
	if (given->size < SIZE_OF_FIRST_OPTIONS)
		return "the options were not made by steadycache_options_init()";
	memcpy(ret, given, given->size < sizeof(*ret) ? given->size : sizeof(*ret));
	for (size_t i = sizeof(*ret); i < given->size; i++)
		if (bytes[i] != 0)
			return "the options have a member that this version of the library does "
			       "not know";
	if (ret->durability > STEADYCACHE_FULL)
		return "options.durability is none of enum steadycache_durability";
	if (ret->near_ttl_ms < 0 || ret->near_stale_ms < 0 || ret->near_ttl_ms > INT32_MAX ||
	    ret->near_stale_ms > INT32_MAX)
		return "options.near_ttl_ms and near_stale_ms are 0 to 2147483647";
	if (ret->defaults.bits & STEADYCACHE_MAX_IDLE && ret->defaults.max_idle_s != 0)
		return "options.defaults has an idle time, which is for steadycache_configure()";
	return library_settings_fault(&ret->defaults);
}

static void tell_defaults(void *user, struct slice ns, struct namespace_settings *ret)
{
	const struct steadycache *store = user;

	(void)ns;
	(void)library_settings_apply(&store->options.defaults, ret);
}

static void tell_notice(void *user, enum notice_level level, const char *sentence)
{
	const struct steadycache *store = user;

	_Static_assert((int)NOTICE_DEBUG == (int)STEADYCACHE_DEBUG &&
			       (int)NOTICE_ERROR == (int)STEADYCACHE_ERROR,
		       "levels");
	store->options.notice(store->options.notice_user, (enum steadycache_notice_level)level,
			      sentence);
}

/* ---- Open ---- */

static bool read_place(struct steadycache *store, const char *url, char *error, size_t error_size)
{
	const struct steadycache_options *options = &store->options;
	const struct backend_config base = {
		.data_dir = store->data_dir,
		.durability = options->durability == STEADYCACHE_FULL ? DURABILITY_FULL
								      : DURABILITY_COMMIT,
		.max_namespaces = options->max_namespaces,
		.defaults = tell_defaults,
		.defaults_user = store,
		.notice = options->notice ? tell_notice : NULL,
		.notice_user = store,
	};

	if (!url || *url == '\0')
		url = backend_registry[0]->name;
	if (!backend_place_read(&store->place, url, &base, NULL, NULL, error, error_size) ||
	    !backend_place_check(&store->place, error, error_size))
		return false;
	if (!store->place.wants_dir || store->place.config.data_dir)
		return true;
	const char *name = store->place.ops->name;
	if (store->place.ops->url_is_dir)
		(void)snprintf(error, error_size,
			       "%s needs a directory: name it in the URL (%s:///path) or in "
			       "options.data_dir",
			       name, name);
	else
		(void)snprintf(error, error_size,
			       "%s needs a directory: name it in options.data_dir", name);
	return false;
}

/* Makes the directory, and names it from the root on: the program may change its own. */
static bool prepare_dir(struct steadycache *store, char *error, size_t error_size)
{
	struct backend_config *config = &store->place.config;

	if (!data_dir_prepare(config->data_dir, "of the URL or options", error, error_size))
		return false;
	char *whole = realpath(config->data_dir, NULL);
	if (!whole) {
		(void)snprintf(error, error_size, "%s cannot be named from the root on",
			       config->data_dir);
		return false;
	}
	free(store->data_dir);
	config->data_dir = store->data_dir = whole;
	return true;
}

static bool open_place(struct steadycache *store, char *error, size_t error_size)
{
	const struct steadycache_options *options = &store->options;
	const struct backend_place *place = &store->place;
	const struct tiered_config near = {
		.max_bytes = options->near_max_bytes,
		.ttl_us = options->near_ttl_ms * 1000,
		.stale_us = options->near_stale_ms * 1000,
	};

	if (place->wants_dir && !prepare_dir(store, error, error_size))
		return false;
	struct backend *inner = near.max_bytes > 0 ? tiered_open(place->ops, &place->config, &near,
								 error, error_size)
						   : backend_place_open(place, error, error_size);
	store->backend = inner ? packed_wrap(inner) : NULL;
	if (inner && !store->backend) {
		inner->ops->close(inner);
		(void)snprintf(error, error_size, "out of memory");
	}
	return store->backend != NULL;
}

static void destroy(struct steadycache *store)
{
	backend_place_deinit(&store->place);
	(void)pthread_mutex_destroy(&store->lock);
	(void)pthread_cond_destroy(&store->left);
	free(store->data_dir);
	free(store);
}

static struct steadycache *create(const struct steadycache_options *options)
{
	struct steadycache *store = aligned_alloc(64, sizeof(*store));

	if (!store)
		return NULL;
	*store = (struct steadycache){.options = *options, .forks = atomic_load(&forks)};
	(void)pthread_mutex_init(&store->lock, NULL);
	thread_condition_init(&store->left);
	store->options.data_dir = NULL;
	store->data_dir = options->data_dir ? strdup(options->data_dir) : NULL;
	if (!options->data_dir || store->data_dir)
		return store;
	destroy(store);
	return NULL;
}

enum steadycache_status steadycache_open(const char *url, const struct steadycache_options *options,
					 struct steadycache **ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	enum steadycache_status status = STEADYCACHE_OK;
	struct steadycache_options known;
	char error[ERROR_BYTES] = "";
	const char *fault = library_completion_is_running() ? LIBRARY_COMPLETION_REFUSAL
							    : read_options(options, &known);

	if (fault)
		return library_error_keep(STEADYCACHE_INVALID, fault);
	(void)pthread_once(&once, watch_forks);
	struct steadycache *store = create(&known);
	if (!store)
		return library_error_keep(STEADYCACHE_NO_MEMORY,
					  steadycache_status_text(STEADYCACHE_NO_MEMORY));
	if (!read_place(store, url, error, sizeof(error)))
		status = STEADYCACHE_INVALID;
	else if (!open_place(store, error, sizeof(error)))
		status = STEADYCACHE_UNAVAILABLE;
	if (status == STEADYCACHE_OK)
		*ret = store;
	else
		destroy(store);
	return library_error_keep(status, error);
}

const char *steadycache_backend_name(const struct steadycache *store)
{
	return store->backend->ops->name;
}

/* ---- Close ---- */

static void wait_for_all(struct steadycache *store)
{
	const struct backend_ops *ops = store->backend->ops;

	atomic_store(&store->is_closing, true);
	if (is_in_use(store) && ops->hurry)
		ops->hurry(store->backend);
	(void)pthread_mutex_lock(&store->lock);
	while (is_in_use(store))
		(void)thread_wait_until(&store->left, &store->lock,
					monotonic_now_us() + CLOSE_LOOK_US);
	(void)pthread_mutex_unlock(&store->lock);
}

enum steadycache_status steadycache_close(struct steadycache *store)
{
	if (!store || !is_of_this_process(store))
		return STEADYCACHE_OK;
	if (library_completion_is_running())
		return library_error_keep(STEADYCACHE_INVALID, LIBRARY_COMPLETION_REFUSAL);
	wait_for_all(store);
	store->backend->ops->close(store->backend);
	destroy(store);
	return STEADYCACHE_OK;
}
