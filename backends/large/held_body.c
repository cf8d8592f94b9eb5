#include "backends/large/held_body.h"

#include <stdlib.h>
#include <string.h>

struct held_body {
	struct cache_body body;
	struct cache_body *inner;
	struct pins *pins;
	struct pin pin;
	int64_t long_us;
};

static struct cache_body *inner_of(struct cache_body *body)
{
	return ((struct held_body *)body)->inner;
}

static struct body_reader *held_open(struct cache_body *body, uint64_t offset, uint64_t len,
				     void (*wake)(void *user), void *user)
{
	struct cache_body *inner = inner_of(body);

	return inner->ops->open(inner, offset, len, wake, user);
}

static int held_file(struct cache_body *body)
{
	return inner_of(body)->ops->file(inner_of(body));
}

static void held_free(struct cache_body *body)
{
	struct held_body *held = (struct held_body *)body;

	cache_body_release(held->inner);
	pins_drop(held->pins, &held->pin, held->long_us);
	free(held);
}

static const struct cache_body_ops held_ops = {
	.open = held_open,
	.file = held_file,
	.free = held_free,
};

struct cache_body *held_body_create(struct cache_body *inner, struct pins *pins, int64_t long_us)
{
	struct held_body *held = calloc(1, sizeof(*held));

	if (!held)
		return NULL;
	held->body = (struct cache_body){
		.ops = &held_ops,
		.refs = 1,
		.len_bytes = inner->len_bytes,
		.flags = inner->flags,
	};
	memcpy(held->body.sha256, inner->sha256, SHA256_BYTES);
	memcpy(held->pin.sha256, inner->sha256, SHA256_BYTES);
	held->inner = inner;
	held->pins = pins;
	held->long_us = long_us;
	pins_hold(pins, &held->pin);
	return &held->body;
}
