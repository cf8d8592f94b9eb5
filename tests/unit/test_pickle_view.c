/* Values in readable form (pickle/view.h). tests/pickle/test_view.py compares more of them with
 * what Python and numpy print. */
#include <criterion/criterion.h>
#include <string.h>

#include "pickle/view.h"

/* Whoever looks at it sees the type and the text. */
static void expect_view(const char *name, struct slice value, const char *type, const char *text)
{
	struct pickle_view view = {.max_bytes = 65536};
	struct pickle_error error;

	cr_assert(pickle_view_value(value, NULL, &view, &error), "%s: %s", name, error.text);
	cr_expect_str_eq(view.type, type, "%s", name);
	cr_expect(slice_equal(buffer_bytes(&view.text), slice_of(text)), "%s: %.*s", name,
		  (int)view.text.len, view.text.data);
	cr_expect_not(view.is_cut, "%s", name);
	buffer_deinit(&view.text);
}

#define EXPECT_VIEW(pickle, type, text) expect_view(#pickle, SLICE(pickle), type, text)

Test(pickle_view, values_are_shown_as_python_prints_them)
{
	EXPECT_VIEW("N.", "NoneType", "None");
	EXPECT_VIEW("\x80\x04\x88.", "bool", "True");
	EXPECT_VIEW("I42\n.", "int", "42");
	EXPECT_VIEW("F0.1\n.", "float", "0.1");
	EXPECT_VIEW("\x80\x04\x8a\x09\0\0\0\0\0\0\0\0\x01.", "int", "18446744073709551616");
	EXPECT_VIEW("\x80\x04"
		    "C\x03"
		    "a'\xff.",
		    "bytes", "b\"a'\\xff\"");
	EXPECT_VIEW("\x80\x04).", "tuple", "()");
	EXPECT_VIEW("\x80\x04K\x01\x85.", "tuple", "(1,)");
	EXPECT_VIEW("\x80\x04(K\x01\x8c\x01"
		    "at.",
		    "tuple", "(1, 'a')");
	EXPECT_VIEW("\x80\x04\x8f.", "set", "set()");
	EXPECT_VIEW("\x80\x04(K\x01K\x02\x91.", "frozenset", "frozenset({1, 2})");
	EXPECT_VIEW("\x80\x04}\x8c\x01"
		    "aNs.",
		    "dict", "{'a': None}");
	EXPECT_VIEW("\x80\x04]\x94h\0a.", "list", "[[...]]");
	EXPECT_VIEW("cos\nsystem\n.", "name", "os.system");
	EXPECT_VIEW("cos\nsystem\n(S'ls'\ntR.", "os.system", "os.system('ls')");
	EXPECT_VIEW("ccollections\nOrderedDict\n)R(S'a'\nI1\nu.", "collections.OrderedDict",
		    "collections.OrderedDict({'a': 1})");
	EXPECT_VIEW("\x80\x04\x8c\x01m\x8c\x01"
		    "C\x93)\x81}\x8c\x01x"
		    "K\x01sb.",
		    "m.C", "m.C() with state {'x': 1}");
}

Test(pickle_view, a_str_is_its_text_without_what_acts_on_a_terminal)
{
	EXPECT_VIEW("\x80\x04\x8c\x0ctwo\n'lines'\t.", "str", "two\n'lines'\t");
	EXPECT_VIEW("\x80\x04\x8c\x06\x1b[2J\r!.", "str", "\\x1b[2J\\r!");
	EXPECT_VIEW("\x80\x04\x8c\x04"
		    "a\r\nb.",
		    "str", "a\r\nb");
	EXPECT_VIEW("\x80\x04\x8c\x04\xe2\x80\xaex.", "str", "\\u202ex");
	EXPECT_VIEW("\x80\x04\x8c\x06\xe2\x81\xa7\xe2\x80\x8f.", "str", "\\u2067\\u200f");
	EXPECT_VIEW("\x80\x04\x8c\x05\xc2\x9b"
		    "3\xc3\xa9.",
		    "str", "\\x9b3\xc3\xa9");
	/* Half of a surrogate pair is no text at all. */
	EXPECT_VIEW("\x80\x04\x8c\x04\xed\xb2\x80x.", "str", "\\udc80x");
	/* In a container as in a list of Python's. */
	EXPECT_VIEW("\x80\x04\x8c\x02\n\x1b\x85.", "tuple", "('\\n\\x1b',)");
	/* A name is no place for it either. */
	EXPECT_VIEW("\x80\x04\x8c\x01\x1b\x8c\x01x\x93.", "name", "\\x1b.x");
}

Test(pickle_view, a_str_is_exact_if_asked)
{
	struct pickle_view view = {.max_bytes = 100, .is_exact = true};
	struct pickle_error error;

	cr_assert(pickle_view_value(SLICE("\x80\x04\x8c\x05\x1b[2J\r."), NULL, &view, &error));
	cr_expect(slice_equal(buffer_bytes(&view.text), SLICE("\x1b[2J\r")));
	buffer_deinit(&view.text);
}

Test(pickle_view, long_containers_have_lines)
{
	EXPECT_VIEW("\x80\x04(\x8c\x32"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "}\x8c\x01k\x8c\x32"
		    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbst.",
		    "tuple",
		    "(\n"
		    "    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',\n"
		    "    {'k': 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'},\n"
		    ")");
}

/* float32 [0.1, -2.5] as numpy 1 writes it in protocol 4. */
#define DTYPE_F4                                                                                   \
	"\x8c\x05numpy\x8c\x05"                                                                    \
	"dtype\x93\x8c\x02"                                                                        \
	"f4\x89\x88\x87R(K\x03\x8c\x01<NNNJ\xff\xff\xff\xff"                                       \
	"J\xff\xff\xff\xffK\0tb"
#define NUMBERS "\xcd\xcc\xcc\x3d\0\0\x20\xc0"

Test(pickle_view, arrays_have_their_numbers)
{
	EXPECT_VIEW(
		"\x80\x04\x8c\x15numpy.core.multiarray\x8c\x0c_reconstruct\x93(\x8c\x05numpy\x8c"
		"\x07ndarray\x93K\0\x85"
		"C\x01"
		"btR(K\x01K\x02\x85" DTYPE_F4 "\x89"
		"C\x08" NUMBERS "tb.",
		"numpy.ndarray float32 (2,)", "[0.1, -2.5]");
	/* As numpy 2 writes it in protocol 5, in a tuple. */
	EXPECT_VIEW(
		"\x80\x05\x8c\x13numpy._core.numeric\x8c\x0b_frombuffer\x93(\x96\x08\0\0\0\0\0\0"
		"\0" NUMBERS DTYPE_F4 "K\x02\x85\x8c\x01"
		"CtR\x85.",
		"tuple", "(array([0.1, -2.5], dtype=float32),)");
	EXPECT_VIEW("\x80\x04\x8c\x16numpy._core.multiarray\x8c\x06scalar\x93" DTYPE_F4
		    "C\x04\0\0\0\x3f\x86R.",
		    "numpy.float32", "0.5");
}

/* One whose bytes are not as many as its shape says is shown as what it is: calls. */
Test(pickle_view, a_lying_array_is_shown_by_its_calls)
{
	struct pickle_view view = {.max_bytes = 65536};
	struct pickle_error error;
	struct slice value = SLICE(
		"\x80\x05\x8c\x13numpy._core.numeric\x8c\x0b_frombuffer\x93(\x96\x08\0\0\0\0\0\0"
		"\0" NUMBERS DTYPE_F4 "J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86\x8c\x01"
		"CtR.");

	cr_assert(pickle_view_value(value, NULL, &view, &error), "%s", error.text);
	cr_expect(slice_starts_with(buffer_bytes(&view.text),
				    SLICE("numpy._core.numeric._frombuffer(")));
	buffer_deinit(&view.text);
}

Test(pickle_view, base64_is_decoded)
{
	EXPECT_VIEW("gASVCQAAAAAAAACMBWhlbGxvlC4=", "str", "hello");
	EXPECT_VIEW("gASVCQAAAAAAAACMBWhl\nbGxvlC4=\n", "str", "hello");
}

static void expect_error(struct slice value, uint64_t offset)
{
	struct pickle_view view = {.max_bytes = 100};
	struct pickle_error error = {0};

	cr_expect_not(pickle_view_value(value, NULL, &view, &error), "%s", value.data);
	cr_expect_eq(error.offset, offset, "%s: %llu %s", value.data,
		     (unsigned long long)error.offset, error.text);
	cr_expect_gt(strlen(error.text), 0, "%s", value.data);
	buffer_deinit(&view.text);
}

Test(pickle_view, what_is_no_pickle_is_told_with_the_offset)
{
	expect_error(SLICE(""), 0);
	expect_error(SLICE("\x80\x04\xff."), 2);
	expect_error(SLICE("gAT/Lg=="), 2);
	/* A text that begins like a pickle. */
	expect_error(SLICE("N. Yes."), 2);
}

/* ---- Bounds ---- */

static void expect_cut(struct slice value, size_t max_bytes)
{
	struct pickle_view view = {.max_bytes = max_bytes};
	struct pickle_error error;

	cr_assert(pickle_view_value(value, NULL, &view, &error), "%s", error.text);
	cr_expect(view.is_cut);
	cr_expect_leq(view.text.len, max_bytes + 100);
	cr_expect_not_null(memmem(view.text.data, view.text.len, "the rest is not shown", 21));
	buffer_deinit(&view.text);
}

Test(pickle_view, a_text_is_cut_between_characters)
{
	struct pickle_view view = {.max_bytes = 2};
	struct pickle_error error;

	cr_assert(pickle_view_value(SLICE("\x80\x04\x8c\x04"
					  "a\xe2\x82\xac."),
				    NULL, &view, &error));
	cr_expect(slice_starts_with(buffer_bytes(&view.text), SLICE("a\n\xe2\x80\xa6 (the rest")));
	buffer_deinit(&view.text);
}

/* Sixty lists, each of which has the one before ten times: 10 to the 60th leaves. */
Test(pickle_view, a_bomb_of_sharing_costs_its_text, .timeout = 20)
{
	struct buffer bomb = {0};

	buffer_append(&bomb, SLICE("\x80\x04]\x94"));
	for (int level = 0; level < 60; level++) {
		buffer_append(&bomb, SLICE("]\x94("));
		for (int i = 0; i < 10; i++) {
			buffer_append_char(&bomb, 'h');
			buffer_append_char(&bomb, (char)level);
		}
		buffer_append_char(&bomb, 'e');
	}
	buffer_append_char(&bomb, '.');
	expect_cut(buffer_bytes(&bomb), 100000);
	buffer_deinit(&bomb);
}

/* 100,000 references to a text, an int or an object that is too long for a line. */
Test(pickle_view, what_is_shared_and_long_is_not_read_again_and_again, .timeout = 20)
{
	static const char *const heads[] = {"X\x40\x42\x0f\0", "\x8b\x40\x42\x0f\0",
					    "B\x40\x42\x0f\0"};

	for (int kind = 0; kind < 3; kind++) {
		struct buffer bomb = {0};

		buffer_append(&bomb, SLICE("\x80\x04"));
		buffer_append(&bomb, (struct slice){.data = heads[kind], .len = 5});
		for (int i = 0; i < 1000000; i++)
			buffer_append_char(&bomb, 'x');
		buffer_append(&bomb, SLICE("\x94("));
		for (int i = 0; i < 100000; i++)
			buffer_append(&bomb, SLICE("h\0\x85"));
		buffer_append(&bomb, SLICE("t."));
		expect_cut(buffer_bytes(&bomb), 10000);
		buffer_deinit(&bomb);
	}
}

Test(pickle_view, deep_nesting_is_left_out)
{
	struct pickle_view view = {.max_bytes = 1000000};
	struct pickle_error error;
	struct buffer nest = {0};

	buffer_append(&nest, SLICE("\x80\x04"));
	for (int i = 0; i < 900; i++)
		buffer_append_char(&nest, ']');
	for (int i = 0; i < 899; i++)
		buffer_append_char(&nest, 'a');
	buffer_append_char(&nest, '.');
	cr_assert(pickle_view_value(buffer_bytes(&nest), NULL, &view, &error), "%s", error.text);
	cr_expect(view.is_cut);
	cr_expect_not_null(memmem(view.text.data, view.text.len, "[...]", 5));
	buffer_deinit(&view.text);
	buffer_deinit(&nest);
}
