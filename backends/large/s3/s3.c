#include "backends/large/s3/s3.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/large/s3/call.h"
#include "backends/large/s3/download.h"
#include "backends/large/s3/figures.h"
#include "backends/large/s3/health.h"
#include "backends/large/s3/list.h"
#include "backends/large/s3/multipart.h"
#include "backends/large/s3/put.h"
#include "backends/large/s3/small.h"

#define TIMEOUT_US         (30 * US_PER_S)
#define CONNECT_TIMEOUT_US (5 * US_PER_S)
/* Limits of waiting once the process is about to end, and of what is left when it does. */
#define HURRY_US      (6 * US_PER_S)
#define HURRY_IDLE_US (3 * US_PER_S)
#define END_US        (2 * US_PER_S)
#define LOOK_US       (US_PER_S / 50)

static struct s3_store *s3_of(struct object_store *store)
{
	return (struct s3_store *)store;
}

/* object_store_ops.put */
static void put(struct object_store *store, struct object_request *request)
{
	if (request->len_bytes > s3_of(store)->url.part_bytes)
		s3_multipart_put(s3_of(store), request);
	else
		s3_put(s3_of(store), request);
}

static void on_hurry(struct s3_post *post)
{
	struct s3_store *store =
		(struct s3_store *)((char *)post - offsetof(struct s3_store, hurry));

	if (store->hurry_until_us < INT64_MAX)
		return;
	store->hurry_until_us = store->io.now_us + HURRY_US;
	store->io.line.idle_max_us = HURRY_IDLE_US;
}

/* object_store_ops.hurry */
static void hurry(struct object_store *store)
{
	s3_io_post(&s3_of(store)->io, &s3_of(store)->hurry);
}

/* ---- Closing ---- */

static void free_store(struct s3_store *store)
{
	remote_details_deinit(&store->details);
	aws_credentials_close(store->credentials);
	free(store->ca_file);
	free(store);
	curl_global_cleanup();
}

/* Uploads that are being aborted, and the like, get a moment. */
static void on_end_timer(struct s3_timer *timer)
{
	struct s3_store *store =
		(struct s3_store *)((char *)timer - offsetof(struct s3_store, end_timer));

	if (store->first_call && !store->breaker.is_open &&
	    store->io.now_us < store->end_until_us) {
		s3_timer_set(&store->io, timer, store->io.now_us + LOOK_US);
		return;
	}
	store->hurry_until_us = store->io.now_us;
	s3_call_end_all(store);
	s3_io_end(&store->io);
}

static void on_end(struct s3_post *post)
{
	struct s3_store *store = (struct s3_store *)((char *)post - offsetof(struct s3_store, end));

	store->end_until_us = store->io.now_us + END_US;
	on_end_timer(&store->end_timer);
}

/* object_store_ops.close */
static void close_store(struct object_store *of)
{
	struct s3_store *store = s3_of(of);

	s3_io_post(&store->io, &store->end);
	s3_io_close(&store->io);
	free_store(store);
}

static const struct object_store_ops ops = {
	.put = put,
	.open = s3_download_open,
	.remove = s3_small_remove,
	.list = s3_list,
	.check = s3_small_check,
	.gauges = s3_figures,
	.hurry = hurry,
	.close = close_store,
};

/* ---- Opening ---- */

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "%s", sentence);
	return false;
}

static bool has_keys(const struct s3_config *config)
{
	return config->access_key || config->secret_key;
}

static bool check_keys(const struct s3_config *config, char *error, size_t error_size)
{
	struct aws_credentials *keys;

	if (!has_keys(config))
		return true;
	if (!config->access_key || !config->secret_key)
		return refuse(error, error_size,
			      "STEADYCACHE_LARGE_ACCESS_KEY and STEADYCACHE_LARGE_SECRET_KEY go "
			      "together");
	keys = aws_credentials_open_static(config->access_key, config->secret_key, NULL, error,
					   error_size);
	aws_credentials_close(keys);
	return keys != NULL;
}

bool s3_config_check(const struct s3_config *config, char *error, size_t error_size)
{
	struct s3_url url;

	if (config->ca_file && access(config->ca_file, R_OK) != 0) {
		(void)snprintf(error, error_size, "--large-ca-file: %s cannot be read",
			       config->ca_file);
		return false;
	}
	return s3_url_read(&url, config->url, error, error_size) &&
	       check_keys(config, error, error_size);
}

static bool fill(struct s3_store *store, const struct s3_config *config, char *error,
		 size_t error_size)
{
	if (!s3_config_check(config, error, error_size) ||
	    !s3_url_read(&store->url, config->url, error, error_size))
		return false;
	if (config->ca_file && !(store->ca_file = strdup(config->ca_file)))
		return refuse(error, error_size, "the object store: out of memory");
	store->timeout_us = config->timeout_us > 0 ? config->timeout_us : TIMEOUT_US;
	store->io.line.ca_file = store->ca_file;
	store->io.line.connections = store->url.connections;
	store->io.line.connect_timeout_us = earlier_us(CONNECT_TIMEOUT_US, store->timeout_us);
	store->credentials = has_keys(config) ? aws_credentials_open_static(config->access_key,
									    config->secret_key,
									    NULL, error, error_size)
					      : aws_credentials_open(error, error_size);
	return store->credentials != NULL;
}

struct object_store *s3_store_open(const struct s3_config *config, char *error, size_t error_size)
{
	struct s3_store *store = calloc(1, sizeof(*store));

	if (!store) {
		(void)refuse(error, error_size, "the object store: out of memory");
		return NULL;
	}
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	store->store.ops = &ops;
	store->store.is_shared = true;
	store->hurry_until_us = INT64_MAX;
	store->hurry.run = on_hurry;
	store->end.run = on_end;
	store->end_timer.run = on_end_timer;
	s3_health_init(store);
	if (!fill(store, config, error, error_size)) {
		free_store(store);
		return NULL;
	}
	if (!s3_io_open(&store->io)) {
		(void)refuse(error, error_size, "the object store: no memory or no thread");
		free_store(store);
		return NULL;
	}
	return &store->store;
}
