/* What pickle_write() writes, by the byte; tests/pickle/test_write.py lets Python judge what it
 * means. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "pickle/read.h"
#include "pickle/write.h"

static struct pickle *read_bytes(struct slice bytes)
{
	struct pickle_error error = {0};
	struct pickle *pickle = pickle_read(bytes, NULL, NULL, &error);

	cr_assert(pickle, "%s", error.text);
	return pickle;
}

static struct buffer write_node(const struct pickle *pickle, const struct pickle_node *node)
{
	struct pickle_error error = {0};
	struct buffer ret = {0};

	cr_assert(pickle_write(pickle, node, SIZE_MAX, &ret, &error), "%s", error.text);
	return ret;
}

/* What is written of the pickle `from`. */
static struct buffer rewritten(struct slice from)
{
	struct pickle *pickle = read_bytes(from);
	struct buffer ret = write_node(pickle, pickle_root(pickle));

	pickle_free(pickle);
	return ret;
}

#define EXPECT(from, to)                                                                           \
	do {                                                                                       \
		struct buffer written = rewritten(SLICE(from));                                    \
		cr_expect(slice_equal(buffer_bytes(&written), SLICE(to)), "%s", #from);            \
		buffer_deinit(&written);                                                           \
	} while (0)

Test(pickle_write, numbers_are_short)
{
	EXPECT("I255\n.", "\x80\4K\xff.");
	EXPECT("I256\n.", "\x80\4M\0\1.");
	EXPECT("I-1\n.", "\x80\4J\xff\xff\xff\xff.");
	EXPECT("I2147483647\n.", "\x80\4J\xff\xff\xff\x7f.");
	EXPECT("I2147483648\n.", "\x80\4\x8a\5\0\0\0\x80\0.");
	EXPECT("I-2147483649\n.", "\x80\4\x8a\5\xff\xff\xff\x7f\xff.");
	EXPECT("L18446744073709551616L\n.", "\x80\4\x8a\t\0\0\0\0\0\0\0\0\1.");
	EXPECT("F1.5\n.", "\x80\4G\x3f\xf8\0\0\0\0\0\0.");
	EXPECT("I01\n.", "\x80\4\x88.");
	EXPECT("N.", "\x80\4N.");
}

Test(pickle_write, nothing_that_is_used_once_is_in_the_memo)
{
	EXPECT("\x80\5\x95\6\0\0\0\0\0\0\0\x8c\2hi\x94.", "\x80\4\x8c\2hi.");
	EXPECT("(Va\np0\nVb\np1\nd.", "\x80\4}\x8c\1a\x8c\1bs.");
	EXPECT("(lp0\nI1\naI2\na.", "\x80\4](K\1K\2e.");
	EXPECT("(Va\np0\ng0\nt.", "\x80\4\x8c\1a\x94h\0\x86.");
	EXPECT("(I1\nI2\nI3\nI4\nt.", "\x80\4(K\1K\2K\3K\4t.");
	EXPECT("c__builtin__\nset\n((ltR.", "\x80\4\x8f.");
}

Test(pickle_write, names_of_python_2_keep_their_protocol)
{
	EXPECT("c__builtin__\nlen\n.", "\x80\2\x8c\x0b__builtin__\x8c\3len\x93.");
	EXPECT("\x80\3"
	       "cbuiltins\nlen\n.",
	       "\x80\4\x8c\x08"
	       "builtins\x8c\3len\x93.");
	EXPECT("c__builtin__\nbytearray\n(tR.", "\x80\5\x96\0\0\0\0\0\0\0\0.");
}

Test(pickle_write, a_state_is_set_as_it_was)
{
	EXPECT("\x80\4"
	       "cm\nC\n)R\x94"
	       "cm\nf\nh\0K\1\x86R0.",
	       "\x80\4\x8c\1m\x8c\1C\x93)R\x94\x8c\1m\x8c\1f\x93h\0K\1\x86R0.");
}

/* Each entry of a cache is written on its own, with what it shares with others. */
Test(pickle_write, a_part_has_what_it_needs)
{
	struct pickle *pickle = read_bytes(SLICE("\x80\4](\x8c\6shared\x94h\0h\0\x86h\0\x85"
						 "e."));
	const struct pickle_items *items = &pickle_root(pickle)->items;
	struct buffer twice = write_node(pickle, items->list[1]);
	struct buffer once = write_node(pickle, items->list[2]);

	cr_expect(slice_equal(buffer_bytes(&twice), SLICE("\x80\4\x8c\6shared\x94h\0\x86.")));
	cr_expect(slice_equal(buffer_bytes(&once), SLICE("\x80\4\x8c\6shared\x85.")));
	buffer_deinit(&twice);
	buffer_deinit(&once);
	pickle_free(pickle);
}

/* Sixty lists, each twice in the next. */
Test(pickle_write, what_is_shared_is_written_once)
{
	struct buffer from = {0};

	buffer_append(&from, SLICE("\x80\4]\x94"));
	for (int i = 0; i < 60; i++)
		buffer_printf(&from, "](h%ch%ce\x94", i, i);
	buffer_append_char(&from, '.');

	struct buffer written = rewritten(buffer_bytes(&from));
	cr_expect_lt(written.len, 60 * 8);
	buffer_deinit(&written);
	buffer_deinit(&from);
}

Test(pickle_write, any_depth)
{
	struct buffer from = {0};

	for (int i = 0; i < 100000; i++)
		buffer_append_char(&from, ']');
	for (int i = 1; i < 100000; i++)
		buffer_append_char(&from, 'a');
	buffer_append_char(&from, '.');

	struct buffer written = rewritten(buffer_bytes(&from));
	struct pickle *again = read_bytes(buffer_bytes(&written));
	const struct pickle_node *node = pickle_root(again);
	int depth = 1;
	for (; node->kind == PICKLE_LIST && node->items.count == 1; depth++)
		node = node->items.list[0];
	cr_expect_eq(depth, 100000);
	pickle_free(again);
	buffer_deinit(&written);
	buffer_deinit(&from);
}

/* t = ([],); t[0].append(t) */
Test(pickle_write, a_tuple_that_contains_itself)
{
	struct buffer written = rewritten(SLICE("\x80\4]\x94h\0\x85\x94"
						"a0h\1."));
	struct pickle *again = read_bytes(buffer_bytes(&written));
	const struct pickle_node *tuple = pickle_root(again);

	cr_assert(tuple->kind == PICKLE_TUPLE && tuple->items.count == 1);
	const struct pickle_node *list = tuple->items.list[0];
	cr_assert(list->kind == PICKLE_LIST && list->items.count == 1);
	cr_expect_eq(list->items.list[0], tuple);
	pickle_free(again);
	buffer_deinit(&written);
}
