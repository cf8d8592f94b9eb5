/* Prints keys of a .pkl, within bounds for all of them together: one node may be named by many. */
#ifndef STEADYCACHE_STEADYTEXT_PKL_KEY_H
#define STEADYCACHE_STEADYTEXT_PKL_KEY_H

#include <stdint.h>

#include "base/buffer.h"
#include "pickle/graph.h"

struct steadytext_pkl_budget {
	size_t key_max_bytes;    /* of one key */
	uint64_t left_bytes;     /* of values that may still be written */
	uint64_t left_key_bytes; /* of keys that may still be printed */
};

/* Lowers what is left. */
void steadytext_pkl_budget_use(uint64_t *left_bytes, uint64_t bytes);
/* Appends str(key) in that spelling (spelling.h); false with `error`, as python_str. */
bool steadytext_pkl_key_print(const struct pickle_node *key, unsigned spelling,
			      struct steadytext_pkl_budget *budget, struct buffer *ret,
			      struct pickle_error *error);

#endif
