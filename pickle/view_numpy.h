/* Which nodes are arrays and numbers of numpy, and what they hold. */
#ifndef STEADYCACHE_PICKLE_VIEW_NUMPY_H
#define STEADYCACHE_PICKLE_VIEW_NUMPY_H

#include "pickle/graph.h"
#include "pickle/view_number.h"

/* As numpy has. */
#define VIEW_DIMENSIONS_MAX 64

struct view_array {
	struct pickle_global class; /* of an array */
	bool is_scalar;             /* a number that is no array */
	struct view_dtype dtype;
	struct slice bytes; /* exactly the elements */
	unsigned dimension_count;
	uint64_t shape[VIEW_DIMENSIONS_MAX];
	uint64_t strides[VIEW_DIMENSIONS_MAX]; /* bytes from an element to the next */
	uint64_t element_count;
};

/* Whether `node` makes an array of a simple data type, by _reconstruct and its state (protocols 0
 * to 4) or by _frombuffer (protocol 5), of numpy 1 or 2; or a number such as numpy.float32(0.5). */
bool view_numpy_read(const struct pickle_node *node, struct view_array *ret);

#endif
