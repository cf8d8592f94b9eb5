/* Where the entries of SteadyText's caches go. backend_sink.h is one over a backend; the command
 * has one over a running server.
 *
 * All calls block, and come from one thread. A false result is a failure of the store as a whole,
 * with a sentence in `reason`: the import of the file ends, and a later import completes it. */
#ifndef STEADYCACHE_STEADYTEXT_SINK_H
#define STEADYCACHE_STEADYTEXT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "steadytext/cache_file.h"

/* The namespace of marks (import.h). */
#define STEADYTEXT_MARKS "steadytext_imports"

/* Most entries of a batch, and about their bytes: an entry is never divided. */
#define STEADYTEXT_BATCH_ENTRIES 256
#define STEADYTEXT_BATCH_BYTES   (4 << 20)

enum steadytext_outcome { STEADYTEXT_STORED, STEADYTEXT_KEPT, STEADYTEXT_REFUSED };

/* Entries of one namespace, with distinct keys. */
struct steadytext_batch {
	const char *ns;
	const struct steadytext_entry *entries;
	size_t count;
	bool is_dry; /* decides, and stores nothing */

	/* out, of each entry: STORED (in a dry run: would be), KEPT: the store has an entry of this
	 * key, which stays, REFUSED: reasons[i] is a sentence without the key. A sink that knows
	 * only how many were kept may say it of any. */
	enum steadytext_outcome outcomes[STEADYTEXT_BATCH_ENTRIES];
	char reasons[STEADYTEXT_BATCH_ENTRIES][STEADYTEXT_REASON_SIZE];
	/* out: entries stored without frequency and last access, which the store does not keep. */
	uint64_t history_lost;
};

/* What is known of a namespace's entries after settle. */
struct steadytext_settled {
	bool survives; /* they survive the end of the store's process */
};

struct steadytext_sink;

struct steadytext_sink_ops {
	/* Stores those that are not there yet, with the namespace's time to live, content type text
	 * and the size of the value, as /api/set does. */
	bool (*put)(struct steadytext_sink *sink, struct steadytext_batch *batch, char *reason,
		    size_t reason_size);
	/* How many entries the namespace has evicted so far, since whenever; asked before the first
	 * put of a file and after its last. NULL: unknown. */
	bool (*evicted)(struct steadytext_sink *sink, const char *ns, uint64_t *ret, char *reason,
			size_t reason_size);
	/* Everything put before is safe as far as the store can make it so; false only if it
	 * failed. */
	bool (*settle)(struct steadytext_sink *sink, const char *ns, struct steadytext_settled *ret,
		       char *reason, size_t reason_size);
	/* Looks up the mark `key` (of the namespace STEADYTEXT_MARKS) and appends its text to
	 * `ret`; *ret_found is whether there is one. */
	bool (*get_mark)(struct steadytext_sink *sink, const char *key, bool *ret_found,
			 struct buffer *ret, char *reason, size_t reason_size);
	/* Stores it with `text` (JSON), without a time to live, in place of an earlier one. */
	bool (*set_mark)(struct steadytext_sink *sink, const char *key, struct slice text,
			 char *reason, size_t reason_size);
};

/* Each sink has a struct of its own, of which this is the first member. */
struct steadytext_sink {
	const struct steadytext_sink_ops *ops;
	struct steadytext_limits limits; /* what the store takes */
};

#endif
