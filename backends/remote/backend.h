/* A backend that asks another server: a protocol, and the engine under it. backend_ops of such a
 * backend are mostly these functions. */
#ifndef STEADYCACHE_REMOTE_BACKEND_H
#define STEADYCACHE_REMOTE_BACKEND_H

#include "backends/remote/protocol.h"
#include "backends/remote/settings.h"

/* Opens a backend with the operations `ops` over `protocol`. Takes over `settings`, even if it
 * fails; `user` becomes context->user and must outlive the backend. On failure NULL, with a
 * sentence in `error`. */
struct backend *remote_backend_open(const struct backend_ops *ops,
				    const struct remote_protocol *protocol,
				    const struct backend_config *config,
				    struct remote_settings *settings, void *user, char *error,
				    size_t error_size);

/* What open was given as `user`. */
void *remote_backend_user(struct backend *backend);

/* backend_ops.get, set, ... : all operations that ask the upstream. */
void remote_backend_submit(struct backend *backend, struct cache_op *op);
/* backend_ops.sync: a write is done once the upstream has it, so there is nothing left to flush. */
void remote_backend_sync(struct backend *backend, struct cache_op *op);
/* backend_ops.gauges */
size_t remote_backend_gauges(struct backend *backend, struct backend_gauge *ret, size_t max);
/* backend_ops.hurry */
void remote_backend_hurry(struct backend *backend);
/* backend_ops.close */
void remote_backend_close(struct backend *backend);

#endif
