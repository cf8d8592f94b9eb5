/* Any bytes as a pickle: read, shown, written, and what was written read again, which must be the
 * same. A fuzzer's entry: replay.c or libFuzzer has main(). */
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "pickle/python_text.h"
#include "pickle/read.h"
#include "pickle/view.h"
#include "pickle/write.h"

#define MEMORY_BYTES ((size_t)16 * 1024 * 1024)
#define TEXT_BYTES   ((size_t)32 * 1024)
#define PARTS        4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pickle_limits limits = {.memory_bytes = MEMORY_BYTES};

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "fuzz_pickle: %s\n", what);
	abort();
}

static void check_error(const struct pickle_error *error, size_t size)
{
	check(error->offset <= size, "an offset is outside of the pickle");
	check(error->text[0] != '\0', "an error has no text");
	check(utf8_is_valid(slice_of(error->text)), "an error is not UTF-8");
}

/* The text of `node` and its type. */
static struct buffer shown(const struct pickle_node *node, bool is_whole)
{
	struct pickle_view view = {
		.max_bytes = TEXT_BYTES, .is_whole = is_whole, .is_exact = is_whole};

	check(pickle_view(node, &view), "a view fails");
	check(utf8_is_valid(buffer_bytes(&view.text)), "a view is not UTF-8");
	check(view.text.len <= TEXT_BYTES + 256, "a view is too long");
	check(view.type[0] != '\0' && utf8_is_valid(slice_of(view.type)), "a type is not UTF-8");
	buffer_append_char(&view.text, '\n');
	buffer_append(&view.text, slice_of(view.type));
	return view.text;
}

static struct buffer printed(const struct pickle_node *node, size_t size)
{
	struct buffer text = {0};
	struct pickle_error error = {0};

	if (!python_str(node, PYTHON_RELEASE_DEFAULT, TEXT_BYTES, &text, &error)) {
		check_error(&error, size);
		check(text.len == 0, "a str that fails leaves something");
		buffer_append(&text, slice_of(error.text));
	}
	check(text.len <= TEXT_BYTES, "a str is too long");
	return text;
}

static void check_same(struct buffer one, struct buffer other, const char *what)
{
	check(slice_equal(buffer_bytes(&one), buffer_bytes(&other)), what);
	buffer_deinit(&one);
	buffer_deinit(&other);
}

/* Writes `node`, and compares what that is when it is read. */
static void round_trip(const struct pickle *pickle, const struct pickle_node *node, size_t size)
{
	struct buffer written = {0};
	struct pickle_error error = {0};
	size_t len = 0;

	check(pickle_write(pickle, node, SIZE_MAX, &written, &error),
	      "what was read is not written");
	struct pickle *again = pickle_read(buffer_bytes(&written), NULL, &len, &error);
	if (!again)
		(void)fprintf(stderr, "fuzz_pickle: %s\n", error.text);
	check(again, "what was written is not read");
	check(len == written.len, "something follows what was written");
	check_same(shown(node, false), shown(pickle_root(again), false), "another view");
	check_same(shown(node, true), shown(pickle_root(again), true), "another whole view");
	check_same(printed(node, size), printed(pickle_root(again), written.len), "another str");
	pickle_free(again);
	buffer_deinit(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {.data = (const char *)data, .len = size};
	struct pickle_error error = {0};
	struct pickle_view view = {.max_bytes = TEXT_BYTES};
	size_t len = 0;
	struct pickle *pickle = pickle_read(bytes, &limits, &len, &error);

	if (pickle) {
		const struct pickle_node *root = pickle_root(pickle);

		check(len > 0 && len <= size, "a length is outside of the pickle");
		round_trip(pickle, root, size);
		/* Parts, as the import takes them. */
		if (root->kind == PICKLE_DICT || root->kind == PICKLE_LIST)
			for (uint32_t i = 0; i < root->items.count && i < PARTS; i++)
				round_trip(pickle, root->items.list[i], size);
	} else {
		check_error(&error, size);
	}
	pickle_free(pickle);
	if (!pickle_view_value(bytes, &limits, &view, &error))
		check(error.text[0] != '\0', "an error has no text");
	buffer_deinit(&view.text);
	return 0;
}
