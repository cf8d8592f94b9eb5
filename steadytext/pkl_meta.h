/* How often and when the entries of a .pkl were used: its dict "meta", {key: (frequency, counter)},
 * and "counter", the last count. Keys are the same if they print the same. */
#ifndef STEADYCACHE_STEADYTEXT_PKL_META_H
#define STEADYCACHE_STEADYTEXT_PKL_META_H

#include "steadytext/pkl_key.h"

struct steadytext_pkl_meta;

/* `meta` is a DICT; `counter` may be NULL. Keys are printed within `budget`. NULL: out of memory.
 */
struct steadytext_pkl_meta *steadytext_pkl_meta_read(const struct pickle_node *meta,
						     const struct pickle_node *counter,
						     struct steadytext_pkl_budget *budget);
/* Of the key that is printed as `key`. `last_us` is when the last count was. An entry of which
 * nothing is known was used once, at last. */
void steadytext_pkl_meta_find(const struct steadytext_pkl_meta *meta, struct slice key,
			      int64_t last_us, uint64_t *ret_frequency,
			      int64_t *ret_last_access_us);
/* NULL is allowed. */
void steadytext_pkl_meta_free(struct steadytext_pkl_meta *meta);

#endif
