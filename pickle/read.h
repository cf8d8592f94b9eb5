/* Reads pickles of the protocols 0 to 5 without executing anything. */
#ifndef STEADYCACHE_PICKLE_READ_H
#define STEADYCACHE_PICKLE_READ_H

#include "pickle/graph.h"

/* What a pickle may cost, whatever it says. 0: the default. */
struct pickle_limits {
	size_t memory_bytes; /* of the graph, the stack and the memo; default: 64 MiB and 64 times
			      * the length of the pickle */
};

/* Reads the pickle at the start of `bytes`; what follows its STOP is ignored, as Python does, and
 * *ret_len (may be NULL) is the length up to there. `bytes` must stay as long as the graph. NULL
 * with `error`: cut off, an unknown opcode, operands that Python would refuse, too large; also what
 * needs more than the pickle: persistent ids, extension codes, out-of-band buffers. Any thread. */
struct pickle *pickle_read(struct slice bytes, const struct pickle_limits *limits, size_t *ret_len,
			   struct pickle_error *error);

#endif
