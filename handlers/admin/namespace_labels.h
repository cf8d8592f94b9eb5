/* Which namespaces have a label of their own in /metrics: those that came first, up to a number, as
 * clients may make any number of them. Who has one keeps it until the process ends, so that no
 * counter ever moves from one label to another. */
#ifndef STEADYCACHE_HANDLERS_NAMESPACE_LABELS_H
#define STEADYCACHE_HANDLERS_NAMESPACE_LABELS_H

#include <pthread.h>

#include "store/backend.h"

#define NAMESPACE_LABELS_MAX 100
/* The label of all others together, and of a namespace of that name, which is always among them. */
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

/* Gives labels to the namespaces of `stats`, in their order, as long as there are some, and tells
 * in ret_shown[i] whether the i-th has one. Thread: any. */
void namespace_labels_give(struct namespace_labels *labels, const struct namespace_stats *stats,
			   size_t count, bool *ret_shown);

#endif
