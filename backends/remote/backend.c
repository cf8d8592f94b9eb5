/* The parts of a backend that asks another server, below its protocol:
 *
 *   backend.c        the backend: open, submit, close
 *   settings.c       its settings
 *   engine.c         the turns of the I/O thread; send.c: requests; receive.c: answers, retries;
 *                    settle.c: the end of calls
 *   job.c            an operation on its way
 *   call.c           jobs that share requests
 *   plan.c           what waits, and what of it goes together
 *   locks.c          what must not go together
 *   breaker.c        whether to ask
 *   backoff.c        when to ask again
 *   verdict.c        what a failure means
 *   request.c        a request and its answer
 *   transport_curl.c HTTP by libcurl; retry_after.c: a header of it
 *   wire.c           pieces of JSON
 *   tally.c          counters
 *   namespaces.c     counters of each namespace
 *   details.c        sentences that the upstream sent */
#include "backends/remote/backend.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/remote/details.h"
#include "backends/remote/engine.h"
#include "backends/remote/namespaces.h"
#include "backends/remote/tally.h"

struct remote_backend {
	struct backend backend; /* first, because callers of the contract get a pointer to it */
	struct backend_config config;
	struct remote_settings settings;
	struct remote_tally tally;
	struct remote_namespaces namespaces;
	struct remote_details details;
	struct remote_engine engine;
};

static struct remote_backend *remote_of(struct backend *backend)
{
	return (struct remote_backend *)backend;
}

static void free_remote(struct remote_backend *remote)
{
	remote_details_deinit(&remote->details);
	remote_namespaces_deinit(&remote->namespaces);
	remote_settings_deinit(&remote->settings);
	free(remote);
}

struct backend *remote_backend_open(const struct backend_ops *ops,
				    const struct remote_protocol *protocol,
				    const struct backend_config *config,
				    struct remote_settings *settings, void *user, char *error,
				    size_t error_size)
{
	struct remote_backend *remote = calloc(1, sizeof(*remote));

	if (!remote) {
		(void)snprintf(error, error_size, "%s: out of memory", protocol->name);
		remote_settings_deinit(settings);
		return NULL;
	}
	remote->backend.ops = ops;
	remote->config = *config;
	remote->settings = *settings;
	*settings = (struct remote_settings){0};
	remote->namespaces.max = config->max_namespaces;
	struct remote_context context = {
		.protocol = protocol,
		.settings = &remote->settings,
		.config = &remote->config,
		.tally = &remote->tally,
		.namespaces = &remote->namespaces,
		.details = &remote->details,
		.user = user,
	};
	struct remote_transport *transport =
		protocol->open_transport(&remote->settings, protocol, user);
	if (transport) {
		remote_engine_init(&remote->engine, &context, transport, &monotonic_clock);
		if (remote_engine_start(&remote->engine))
			return &remote->backend;
		remote_engine_stop(&remote->engine);
	}
	(void)snprintf(error, error_size, "%s: no thread could be started", protocol->name);
	free_remote(remote);
	return NULL;
}

void *remote_backend_user(struct backend *backend)
{
	return remote_of(backend)->engine.context.user;
}

void remote_backend_submit(struct backend *backend, struct cache_op *op)
{
	remote_engine_submit(&remote_of(backend)->engine, op);
}

void remote_backend_sync(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	cache_op_complete(op, CACHE_OK);
}

size_t remote_backend_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	return remote_tally_gauges(&remote_of(backend)->tally, ret, max);
}

void remote_backend_hurry(struct backend *backend)
{
	remote_engine_hurry(&remote_of(backend)->engine);
}

void remote_backend_close(struct backend *backend)
{
	struct remote_backend *remote = remote_of(backend);

	remote_engine_stop(&remote->engine);
	free_remote(remote);
}
