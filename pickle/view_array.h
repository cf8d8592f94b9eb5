/* Arrays of numpy as text. */
#ifndef STEADYCACHE_PICKLE_VIEW_ARRAY_H
#define STEADYCACHE_PICKLE_VIEW_ARRAY_H

#include "pickle/view_numpy.h"
#include "pickle/view_out.h"

/* An array of more elements is shown by its first and last ones. */
#define VIEW_ARRAY_ELEMENTS_MAX 256

/* "array([0.5, 1.0], dtype=float32)", or "numpy.float32(0.5)". */
void view_array_print(struct view_out *out, const struct view_array *array, bool is_whole);

/* Only the elements: "[0.5, 1.0]". */
void view_array_elements(struct view_out *out, const struct view_array *array, bool is_whole);

/* "(2, 3)". */
void view_array_shape(const struct view_array *array, struct buffer *ret);

#endif
