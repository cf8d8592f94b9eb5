/* Writes a node of a graph as a pickle of its own. */
#ifndef STEADYCACHE_PICKLE_WRITE_H
#define STEADYCACHE_PICKLE_WRITE_H

#include "base/buffer.h"
#include "pickle/graph.h"

/* Appends a pickle from which Python's pickle.loads (3.8 and later) makes an equal value of the
 * same type, with the same sharing and cycles. What it costs grows with what `node` contains, not
 * with the graph. False with `error`: out of memory, or longer than `max_bytes` (a short pickle may
 * copy a long part many times over); `ret` then has a part. `pickle` is the graph of `node`. */
bool pickle_write(const struct pickle *pickle, const struct pickle_node *node, size_t max_bytes,
		  struct buffer *ret, struct pickle_error *error);

#endif
