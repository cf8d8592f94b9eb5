#include "pickle/view_array.h"

#include <inttypes.h>

/* Elements at either end of an array that is too long: of one dimension; of the last and of the
 * others of several. */
#define EDGE_LONE  32
#define EDGE_LAST  8
#define EDGE_OTHER 3

struct walk {
	struct view_out *out;
	const struct view_array *array;
	bool is_cut;
	struct buffer scratch;
};

static void put(struct view_out *out, const char *text)
{
	view_out_put(out, slice_of(text));
}

static uint64_t edge_of(const struct walk *walk, unsigned dimension)
{
	unsigned count = walk->array->dimension_count;

	if (count == 1)
		return EDGE_LONE;
	return dimension + 1 == count ? EDGE_LAST : EDGE_OTHER;
}

static void put_element(struct walk *walk, const char *bytes)
{
	struct view_out *out = walk->out;

	walk->scratch.len = 0;
	view_number_put(&walk->array->dtype, bytes, view_out_room(out), &walk->scratch);
	if (walk->scratch.failed)
		out->text->failed = true;
	view_out_put(out, buffer_bytes(&walk->scratch));
}

static void put_dimension(struct walk *walk, unsigned dimension, const char *bytes);

static void put_part(struct walk *walk, unsigned dimension, const char *bytes)
{
	if (dimension == walk->array->dimension_count)
		put_element(walk, bytes);
	else
		put_dimension(walk, dimension, bytes);
}

/* The part before the `at`-th of a dimension, or what stands for those that are left out. */
static void put_at(struct walk *walk, unsigned dimension, const char *bytes, uint64_t at,
		   bool is_gap)
{
	if (is_gap) {
		put(walk->out, "...");
		walk->out->has_left_out = true;
		return;
	}
	put_part(walk, dimension + 1, bytes + at * walk->array->strides[dimension]);
}

static void put_on_line(struct walk *walk, unsigned dimension, const char *bytes, uint64_t edge)
{
	uint64_t count = walk->array->shape[dimension];
	struct view_out *out = walk->out;

	put(out, "[");
	for (uint64_t i = 0; i < count && !out->is_full; i++) {
		bool is_gap = i == edge && count > 2 * edge;

		put(out, i > 0 ? ", " : "");
		put_at(walk, dimension, bytes, i, is_gap);
		if (is_gap)
			i = count - edge - 1;
	}
	put(out, "]");
}

/* Elements on as few lines as they need; rows, and what stands for a gap, on lines of their own. */
static void put_on_lines(struct walk *walk, unsigned dimension, const char *bytes, uint64_t edge)
{
	uint64_t count = walk->array->shape[dimension];
	bool fills = dimension + 1 == walk->array->dimension_count, follows_gap = false;
	struct view_out *out = walk->out;

	put(out, "[");
	out->indent += VIEW_INDENT;
	for (uint64_t i = 0; i < count && !out->is_full; i++) {
		bool is_gap = i == edge && count > 2 * edge, is_put = false;

		if (fills && i > 0 && !is_gap && !follows_gap) {
			struct view_try before = view_out_try(out);

			put(out, " ");
			put_at(walk, dimension, bytes, i, is_gap);
			is_put = view_out_tried(out, &before);
		}
		if (!is_put) {
			view_out_line(out);
			put_at(walk, dimension, bytes, i, is_gap);
		}
		put(out, ",");
		if (is_gap)
			i = count - edge - 1;
		follows_gap = is_gap;
	}
	out->indent -= VIEW_INDENT;
	view_out_line(out);
	put(out, "]");
}

static void put_dimension(struct walk *walk, unsigned dimension, const char *bytes)
{
	uint64_t edge = walk->is_cut ? edge_of(walk, dimension) : UINT64_MAX / 2;
	struct view_out *out = walk->out;

	if (out->is_try) {
		put_on_line(walk, dimension, bytes, edge);
		return;
	}
	struct view_try before = view_out_try(out);
	put_on_line(walk, dimension, bytes, edge);
	if (!view_out_tried(out, &before))
		put_on_lines(walk, dimension, bytes, edge);
}

void view_array_elements(struct view_out *out, const struct view_array *array, bool is_whole)
{
	struct walk walk = {
		.out = out,
		.array = array,
		.is_cut = !is_whole && array->element_count > VIEW_ARRAY_ELEMENTS_MAX,
	};

	if (array->element_count > 0)
		put_part(&walk, 0, array->bytes.data);
	else
		put(out, "[]");
	buffer_deinit(&walk.scratch);
}

void view_array_shape(const struct view_array *array, struct buffer *ret)
{
	buffer_append_char(ret, '(');
	for (unsigned i = 0; i < array->dimension_count; i++)
		buffer_printf(ret, "%s%" PRIu64, i > 0 ? ", " : "", array->shape[i]);
	buffer_append(ret, slice_of(array->dimension_count == 1 ? ",)" : ")"));
}

static void put_shape(struct view_out *out, const struct view_array *array)
{
	struct buffer shape = {0};

	put(out, ", shape=");
	view_array_shape(array, &shape);
	if (shape.failed)
		out->text->failed = true;
	view_out_put(out, buffer_bytes(&shape));
	buffer_deinit(&shape);
}

void view_array_print(struct view_out *out, const struct view_array *array, bool is_whole)
{
	if (array->is_scalar) {
		put(out, "numpy.");
		put(out, array->dtype.name);
		put(out, "(");
	} else {
		put(out, "array(");
	}
	view_array_elements(out, array, is_whole);
	if (!array->is_scalar) {
		/* Of an empty one the elements do not show it. */
		if (array->element_count == 0 && array->dimension_count > 1)
			put_shape(out, array);
		put(out, ", dtype=");
		put(out, array->dtype.name);
	}
	put(out, ")");
}
