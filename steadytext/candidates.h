/* What a cache file has, before its values are read: in which order they come, and which of those
 * whose keys print the same. */
#ifndef STEADYCACHE_STEADYTEXT_CANDIDATES_H
#define STEADYCACHE_STEADYTEXT_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* What stands for a key where there may be many of them. */
#define STEADYTEXT_DIGEST_BYTES 16
void steadytext_candidate_digest(struct slice key, uint8_t ret[STEADYTEXT_DIGEST_BYTES]);

struct steadytext_candidate {
	int64_t id;           /* the file's own */
	uint64_t value_bytes; /* the file's own */
	uint64_t frequency;
	int64_t last_access_us;
	uint8_t digest[STEADYTEXT_DIGEST_BYTES]; /* of the key */
	uint8_t spelling;                        /* of the key (spelling.h) */
	bool is_outdone;                         /* a later one has the same key */
};

/* Most of one file. A cache of SteadyText's has some thousands of entries. */
#define STEADYTEXT_CANDIDATES_MAX ((size_t)1 << 24)

/* A zeroed one is empty. */
struct steadytext_candidates {
	struct steadytext_candidate *list;
	size_t count, room;
};

/* Appends the text of a candidate's key to `ret`; false: it has none. */
typedef bool steadytext_candidates_print(void *user, unsigned spelling, struct buffer *ret);

/* Adds `candidate`, once for each spelling of its key; once if it has no text. `scratch` is
 * overwritten. False: out of memory, or there are too many. */
bool steadytext_candidates_add(struct steadytext_candidates *candidates,
			       const struct steadytext_candidate *candidate,
			       steadytext_candidates_print *print, void *user,
			       struct buffer *scratch);
/* Whether `key` is that of the candidate. */
bool steadytext_candidate_has_key(const struct steadytext_candidate *candidate, struct slice key);
/* Keeps one for each `id` and `spelling`, of a file that was listed in several ways. */
void steadytext_candidates_drop_repeated(struct steadytext_candidates *candidates);
/* Finds those that are outdone, and puts all in the order in which a cache at `now_us` would evict
 * them. */
void steadytext_candidates_sort(struct steadytext_candidates *candidates, int64_t now_us);
void steadytext_candidates_deinit(struct steadytext_candidates *candidates);

#endif
