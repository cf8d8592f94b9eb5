/* The d1 backend: operations, open and close.
 *
 *   settings.c   what it was told, checked
 *   job.c        an operation on its way; a call: operations that share a request
 *   plan.c       what waits, and what of it goes together; locks.c: what must not
 *   engine.c     the I/O thread; calls.c: requests, answers, retries
 *   breaker.c, backoff.c, verdict.c    when to ask, when to ask again, what a failure means
 *   transport.c  HTTP by libcurl
 *   ops.c, api.c                       the two protocols; wire.c: their JSON
 *   tally.c      what is counted */
#include "backends/d1/d1.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/d1/api.h"
#include "backends/d1/ops.h"
#include "backends/d1/settings.h"
#include "backends/remote/engine.h"

/* Our Worker, POST /ops; the original one, POST /api. */
static const struct remote_dialect *const dialects[] = {&d1_ops_dialect, &d1_api_dialect, NULL};

struct d1_backend {
	struct backend backend; /* first: the contract hands this out */
	struct backend_config config;
	struct remote_settings settings;
	struct remote_tally tally;
	struct remote_engine engine;
};

static struct d1_backend *d1_of(struct backend *backend)
{
	return (struct d1_backend *)backend;
}

static void d1_submit(struct backend *backend, struct cache_op *op)
{
	struct d1_backend *d1 = d1_of(backend);
	struct remote_job *job = remote_job_create(op, d1->settings.timeout_us);

	if (job)
		remote_engine_submit(&d1->engine, job);
	else
		cache_op_complete(op, CACHE_NO_MEMORY);
}

/* A write is done when the upstream has it: there is nothing left to flush. */
static void d1_sync(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	cache_op_complete(op, CACHE_OK);
}

static size_t d1_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	return remote_tally_gauges(&d1_of(backend)->tally, ret, max);
}

static struct backend *d1_open(const struct backend_config *config, char *error, size_t error_size)
{
	struct d1_backend *d1;

	if (!d1_settings_check(config, error, error_size))
		return NULL;
	d1 = calloc(1, sizeof(*d1));
	if (!d1 || !d1_settings_init(&d1->settings, &config->d1)) {
		(void)snprintf(error, error_size, "d1: out of memory");
		free(d1);
		return NULL;
	}
	d1->backend.ops = &d1_backend_ops;
	d1->config = *config;
	d1->tally.max_namespaces = config->max_namespaces;
	struct remote_context context = {
		.settings = &d1->settings,
		.config = &d1->config,
		.tally = &d1->tally,
		.dialects = dialects,
	};
	if (!remote_engine_start(&d1->engine, &context)) {
		(void)snprintf(error, error_size, "d1: no thread could be started");
		remote_settings_deinit(&d1->settings);
		free(d1);
		return NULL;
	}
	return &d1->backend;
}

static void d1_close(struct backend *backend)
{
	struct d1_backend *d1 = d1_of(backend);

	remote_engine_stop(&d1->engine);
	remote_tally_deinit(&d1->tally);
	remote_settings_deinit(&d1->settings);
	free(d1);
}

const struct backend_ops d1_backend_ops = {
	.name = "d1",
	.default_policy = D1_DEFAULT_POLICY,
	.is_remote = true,
	.check_config = d1_settings_check,
	.open = d1_open,
	.get = d1_submit,
	.set = d1_submit,
	.remove = d1_submit,
	.exists = d1_submit,
	.clear = d1_submit,
	.scan = d1_submit,
	.stats = d1_submit,
	.configure = d1_submit,
	.sync = d1_sync,
	.check = d1_submit,
	.gauges = d1_gauges,
	.close = d1_close,
};
