/* A queue of operations, linked by op->next while the backend holds them. A zeroed one is empty; it
 * may be copied. It has no lock of its own. */
#ifndef STEADYCACHE_STORE_OP_QUEUE_H
#define STEADYCACHE_STORE_OP_QUEUE_H

#include "store/backend.h"

struct op_queue {
	struct cache_op *first, *last; /* NULL if it is empty */
	size_t length;
};

/* Appends `op`, which must be in no queue. */
static inline void op_queue_push(struct op_queue *queue, struct cache_op *op)
{
	op->next = NULL;
	if (queue->first)
		queue->last->next = op;
	else
		queue->first = op;
	queue->last = op;
	queue->length++;
}

/* Removes and returns the first one; NULL if it is empty. */
static inline struct cache_op *op_queue_pop(struct op_queue *queue)
{
	struct cache_op *op = queue->first;

	if (op) {
		queue->first = op->next;
		queue->length--;
	}
	return op;
}

/* Removes and returns all. */
static inline struct op_queue op_queue_take(struct op_queue *queue)
{
	struct op_queue all = *queue;

	*queue = (struct op_queue){0};
	return all;
}

#endif
