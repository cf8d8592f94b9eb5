#include "base/body.h"

struct cache_body *cache_body_acquire(struct cache_body *body)
{
	(void)atomic_fetch_add_explicit(&body->refs, 1, memory_order_relaxed);
	return body;
}

void cache_body_release(struct cache_body *body)
{
	if (body && atomic_fetch_sub_explicit(&body->refs, 1, memory_order_acq_rel) == 1)
		body->ops->free(body);
}
