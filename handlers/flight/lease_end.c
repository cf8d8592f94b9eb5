#include "handlers/flight/lease_end.h"

#include <stdlib.h>
#include <string.h>

static struct slice put(char **at, struct slice text)
{
	char *start = *at;

	if (text.len > 0)
		memcpy(start, text.data, text.len);
	*at += text.len;
	return (struct slice){.data = start, .len = text.len};
}

struct lease_end *lease_end_create(struct slice ns, struct slice key, struct slice token)
{
	struct lease_end *end = malloc(sizeof(*end) + ns.len + key.len + token.len);

	if (!end)
		return NULL;
	*end = (struct lease_end){0};
	char *at = end->bytes;
	cache_op_init(&end->op, CACHE_OP_LEASE_END);
	end->op.ns = put(&at, ns);
	end->op.one.key = put(&at, key);
	end->op.lease.token = put(&at, token);
	return end;
}

void lease_end_free(struct lease_end *end)
{
	free(end);
}

static void op_done(struct cache_op *op)
{
	struct lease_end *end = op->user;
	void (*wake)(void *user) = end->wake;
	void *wake_user = end->wake_user;

	end->done(end);
	cache_op_deinit(&end->op);
	free(end);
	if (wake)
		wake(wake_user);
}

void lease_end_submit(struct lease_end *end, struct backend *backend)
{
	end->op.done = op_done;
	end->op.user = end;
	backend_submit(backend, &end->op);
}
