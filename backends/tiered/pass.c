#include "backends/tiered/pass.h"

#include <stdlib.h>

struct pass *pass_open(struct tiered *tiered, struct cache_op *op, size_t count)
{
	struct pass *pass = calloc(1, sizeof(*pass) + count * sizeof(pass->items[0]));

	if (!pass)
		return NULL;
	pass->tiered = tiered;
	pass->op = op;
	pass->count = count;
	pass->began_us = cache_clock_now_us(tiered->clock);
	return pass;
}

void pass_forward(struct pass *pass, void (*done)(struct cache_op *op))
{
	struct cache_op *op = pass->op;

	pass->done = op->done;
	pass->user = op->user;
	op->done = done;
	op->user = pass;
	backend_submit(pass->tiered->inner, op);
}

void pass_close(struct pass *pass)
{
	struct cache_op *op = pass->op;

	op->done = pass->done;
	op->user = pass->user;
	free(pass);
	op->done(op);
}
