/* Values in readable form, for people. */
#ifndef STEADYCACHE_PICKLE_VIEW_H
#define STEADYCACHE_PICKLE_VIEW_H

#include "base/buffer.h"
#include "pickle/graph.h"

struct pickle_view {
	size_t max_bytes;   /* in: longest text; it then ends with what is left out in words */
	char type[64];      /* out: "str", "tuple", "numpy.ndarray float32 (1024,)",
			       "collections.OrderedDict" */
	struct buffer text; /* out, appended: UTF-8; the caller's */
	bool is_cut;        /* out */
};

/* Shows `node` as Python would (a str as itself, containers one item a line where they are long, an
 * array of numpy with its numbers, other objects as the calls that make them). False: out of
 * memory. */
bool pickle_view(const struct pickle_node *node, struct pickle_view *view);

/* The same for the value of an entry: a pickle, or base64 of one as SteadyText's D1 client stores
 * it. False with `error` (offset in the pickle): it is neither. */
bool pickle_view_value(struct slice value, struct pickle_view *view, struct pickle_error *error);

#endif
