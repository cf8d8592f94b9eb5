/* Values in readable form, for people. */
#ifndef STEADYCACHE_PICKLE_VIEW_H
#define STEADYCACHE_PICKLE_VIEW_H

#include "base/buffer.h"
#include "pickle/read.h"

struct pickle_view {
	/* in */
	size_t max_bytes; /* longest text, without the note at the end of one that is cut */
	bool is_whole;    /* long arrays with all their numbers, not the first and last ones */
	bool is_exact;    /* a str as it is; else what controls a terminal or changes the direction
			     of writing in it is escaped as repr() does ("\x1b", "\u202e"), except
			     newlines and tabs */

	/* out */
	char type[96];      /* "str", "tuple", "numpy.ndarray float32 (1024,)",
			       "collections.OrderedDict"; UTF-8 without control characters */
	struct buffer text; /* appended; UTF-8; the caller's, who frees it in every case */
	bool is_cut;        /* something is left out, and the text says so */

	/* out, of pickle_view_value */
	size_t pickle_len; /* bytes of the pickle */
	bool is_base64;    /* the value is base64 of it */
};

/* Shows `node` as Python would: a str as itself, containers one item a line where they are long, an
 * array of numpy with its numbers, other objects as the calls that make them. Takes time in
 * proportion to the text and the graph, whatever is shared in it. False: out of memory. Any
 * thread. */
bool pickle_view(const struct pickle_node *node, struct pickle_view *view);

/* The same for the value of an entry: a pickle, or base64 of one as SteadyText's D1 client stores
 * it. `limits` as for pickle_read. False with `error` (offset in the pickle): it is neither, costs
 * more than the limits, or out of memory. */
bool pickle_view_value(struct slice value, const struct pickle_limits *limits,
		       struct pickle_view *view, struct pickle_error *error);

#endif
