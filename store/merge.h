/* Brings entries from elsewhere into a store that may have entries of the same keys, and other
 * writers: for tools, as each call waits.
 *
 * By default the newer of two versions stays, by the times at which they were stored
 * (cache_value.modified_at_us). An entry that was brought here counts as stored when it was
 * brought: so a second run stores only what has changed where it comes from, and never takes the
 * place of something that was written here after that. */
#ifndef STEADYCACHE_STORE_MERGE_H
#define STEADYCACHE_STORE_MERGE_H

#include "store/backend.h"

enum merge_policy {
	MERGE_NEWER,   /* an entry here stays unless it differs, and was stored before the one that
			* comes */
	MERGE_KEEP,    /* an entry here stays */
	MERGE_REPLACE, /* no entry here stays */
};

enum merge_outcome {
	MERGE_UNDECIDED,
	MERGE_STORED, /* in a dry run: would be */
	MERGE_KEPT,   /* the store's own entry stays */
	MERGE_FAILED, /* `status` and `detail` say why */
};

struct merge_entry {
	/* in: as in a SET: key, value, size, TTL, history. The value is nobody else's. */
	struct cache_item item;
	/* in: when this version was stored where it comes from; 0: unknown, which is older than
	 * whatever is here. */
	int64_t modified_us;
	/* in: NULL, or the ETag of an earlier version of it that was brought here: whatever the
	 * times are, it takes the place of that version, and of nothing else but with
	 * MERGE_REPLACE. */
	const struct etag *follows;
	enum merge_outcome outcome;
	enum cache_status status;
	const char *detail; /* as cache_op.detail */
};

/* The members above the line are in, those below out. */
struct merge {
	struct backend *backend;
	enum merge_policy policy;
	/* Nobody else writes to the store: a batch needs no conditions. */
	bool is_alone;
	bool is_dry; /* decides, and stores nothing */
	struct slice ns;
	struct merge_entry *entries; /* with distinct keys */
	size_t count;

	uint64_t history_lost; /* as cache_op.history_lost */
	const char *detail;
	unsigned retry_after_s;
};

/* Decides and stores. CACHE_OK: each entry has its outcome. Else the store failed as a whole, with
 * merge->detail; what has an outcome keeps it, and the same call may be repeated. Blocks; any
 * thread, and several at a time on one backend. */
enum cache_status merge_run(struct merge *merge);

/* Whether what the store has, `here`, stays beside `coming`, which was stored at `modified_us`
 * where it comes from. With MERGE_NEWER the same stays too: value, type and expiry. */
bool merge_keeps(enum merge_policy policy, const struct cache_value *here,
		 const struct cache_item *coming, int64_t modified_us);

#endif
