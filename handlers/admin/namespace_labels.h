/* Which namespaces have a label of their own in /metrics: the first ones, up to a number, because
 * clients may create any number of them. A namespace keeps its label until the process ends, so no
 * counter ever moves from one label to another. */
#ifndef STEADYCACHE_HANDLERS_NAMESPACE_LABELS_H
#define STEADYCACHE_HANDLERS_NAMESPACE_LABELS_H

#include <pthread.h>

#include "store/backend.h"

#define NAMESPACE_LABELS_MAX 100
/* The label of all others together, and of a namespace of that name, which is always one of
 * them. */
#define NAMESPACE_LABEL_OTHERS "other"

struct namespace_labels {
	pthread_mutex_t lock;
	size_t count;
	char names[NAMESPACE_LABELS_MAX][NAMESPACE_MAX_LEN + 1]; /* in order */
};

#define NAMESPACE_LABELS_INITIALIZER                                                               \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}

/* Gives labels to the namespaces of `stats`, in their order, as long as there are some left, and
 * sets ret_shown[i] to whether the i-th has one. Any thread. */
void namespace_labels_give(struct namespace_labels *labels, const struct namespace_stats *stats,
			   size_t count, bool *ret_shown);

#endif
