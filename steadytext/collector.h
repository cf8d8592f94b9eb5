/* Gathers entries for the batches of a sink. */
#ifndef STEADYCACHE_STEADYTEXT_COLLECTOR_H
#define STEADYCACHE_STEADYTEXT_COLLECTOR_H

#include "steadytext/sink.h"

struct steadytext_collector {
	struct steadytext_batch batch; /* complete after steadytext_collector_batch */
	struct steadytext_entry entries[STEADYTEXT_BATCH_ENTRIES];
	struct buffer bytes; /* keys and values, which may move until then */
};

/* NULL: out of memory. `ns` is borrowed. */
struct steadytext_collector *steadytext_collector_create(const char *ns, bool is_dry);
/* Copies the entry. False: out of memory. There must be room. */
bool steadytext_collector_add(struct steadytext_collector *collector,
			      const struct steadytext_entry *entry);
/* Whether it should be emptied before another entry comes. */
bool steadytext_collector_is_full(const struct steadytext_collector *collector);
/* What was gathered, until the next call. */
struct steadytext_batch *steadytext_collector_batch(struct steadytext_collector *collector);
void steadytext_collector_empty(struct steadytext_collector *collector);
/* NULL is allowed. */
void steadytext_collector_free(struct steadytext_collector *collector);

#endif
