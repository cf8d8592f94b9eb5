/* What python_str() makes of nodes, by hand; tests/pickle/test_python_text.py compares with Python.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "pickle/python_text.h"

#define TEXT(string)  ((struct pickle_node){.kind = PICKLE_STR, .bytes = SLICE(string)})
#define BYTES(string) ((struct pickle_node){.kind = PICKLE_BYTES, .bytes = SLICE(string)})
#define INT(number)   ((struct pickle_node){.kind = PICKLE_INT, .integer = (number)})
#define ITEMS(of, ...)                                                                             \
	((struct pickle_node){.kind = (of),                                                        \
			      .items = {.list = (struct pickle_node *[]){__VA_ARGS__},             \
					.count = sizeof((struct pickle_node *[]){__VA_ARGS__}) /   \
						 sizeof(void *)}})

static struct buffer text;
static struct pickle_error error;

static void forget(void)
{
	buffer_deinit(&text);
}

TestSuite(python_text, .fini = forget);

static bool prints(struct pickle_node node, const char *expected)
{
	text.len = 0;
	if (!python_str(&node, PYTHON_RELEASE_DEFAULT, 1000, &text, &error))
		cr_log_error("%s", error.text);
	else if (!slice_equal(buffer_bytes(&text), slice_of(expected)))
		cr_log_error("%.*s, not %s", (int)text.len, text.data, expected);
	else
		return true;
	return false;
}

static bool refuses(struct pickle_node node, size_t max_bytes, const char *why)
{
	text.len = 0;
	buffer_append(&text, SLICE("before"));
	return !python_str(&node, PYTHON_RELEASE_DEFAULT, max_bytes, &text, &error) &&
	       strstr(error.text, why) && slice_equal(buffer_bytes(&text), SLICE("before"));
}

Test(python_text, keys_of_steadytext_caches)
{
	struct pickle_node prompt = TEXT("it's"), none = {.kind = PICKLE_NONE}, size = INT(-3);
	struct pickle_node inner = ITEMS(PICKLE_TUPLE, &size);

	cr_expect(prints(TEXT("it's a \"key\"\n"), "it's a \"key\"\n"));
	cr_expect(prints(ITEMS(PICKLE_TUPLE, &prompt), "(\"it's\",)"));
	cr_expect(prints(ITEMS(PICKLE_TUPLE, &prompt, &none, &inner), "(\"it's\", None, (-3,))"));
	cr_expect(prints(ITEMS(PICKLE_LIST, &size, &none), "[-3, None]"));
	cr_expect(prints(ITEMS(PICKLE_DICT, &size, &none, &prompt, &inner),
			 "{-3: None, \"it's\": (-3,)}"));
	cr_expect(prints((struct pickle_node){.kind = PICKLE_TUPLE}, "()"));
}

Test(python_text, quotes_and_escapes)
{
	struct pickle_node part =
		TEXT("'\"\\\t\r\n\x7f \xc2\xa0\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80");

	cr_expect(prints(ITEMS(PICKLE_TUPLE, &part),
			 "('\\'\"\\\\\\t\\r\\n\\x7f \\xa0\xc3\xa9\\u2028\xf0\x9f\x98\x80',)"));
	cr_expect(prints(BYTES("'\0\xff\\"), "b\"'\\x00\\xff\\\\\""));
	/* lone surrogates, and what is no UTF-8 at all */
	part = TEXT("\xed\xa0\x80\xc3");
	cr_expect(prints(ITEMS(PICKLE_TUPLE, &part), "('\\ud800\\xc3',)"));
	cr_expect(refuses(part, 1000, "surrogate"));
}

Test(python_text, a_later_python_knows_more_characters)
{
	/* melting face, of Unicode 14; shaking face, of 15 */
	struct slice faces = SLICE("\xf0\x9f\xab\xa0\xf0\x9f\xab\xa8");

	python_repr_of_str(&text, faces, PYTHON_3_10);
	cr_expect(slice_equal(buffer_bytes(&text), SLICE("'\\U0001fae0\\U0001fae8'")));
	text.len = 0;
	python_repr_of_str(&text, faces, PYTHON_3_11);
	cr_expect(slice_equal(buffer_bytes(&text), SLICE("'\xf0\x9f\xab\xa0\\U0001fae8'")));
	text.len = 0;
	python_repr_of_str(&text, faces, PYTHON_3_12);
	cr_expect(slice_equal(buffer_bytes(&text), SLICE("'\xf0\x9f\xab\xa0\xf0\x9f\xab\xa8'")));
}

Test(python_text, numbers)
{
	static const struct {
		double real;
		const char *text;
	} reals[] = {
		{0, "0.0"},
		{-0.0, "-0.0"},
		{0.1, "0.1"},
		{100, "100.0"},
		{1e16, "1e+16"},
		{123456789012345680.0, "1.2345678901234568e+17"},
		{0.0001, "0.0001"},
		{1e-5, "1e-05"},
		{INFINITY, "inf"},
		{-INFINITY, "-inf"},
		{NAN, "nan"},
		{5e-324, "5e-324"},
		{0x1p-44, "5.684341886080802e-14"},
		{1e22, "1e+22"},
		{-1.5, "-1.5"},
	};
	for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++)
		cr_expect(prints((struct pickle_node){.kind = PICKLE_FLOAT, .real = reals[i].real},
				 reals[i].text));

	struct pickle_node large = {.kind = PICKLE_LONG, .bytes = SLICE("\0\0\0\0\0\0\0\0\1")};
	cr_expect(prints(large, "18446744073709551616"));
	large.bytes = SLICE("\0\0\0\0\0\0\0\0\xff\xff");
	cr_expect(prints(large, "-18446744073709551616"));
	cr_expect(prints(INT(INT64_MIN), "-9223372036854775808"));
	cr_expect(prints((struct pickle_node){.kind = PICKLE_BOOL, .integer = 1}, "True"));

	static char digits[2000] = {[1999] = 1};
	large.bytes = (struct slice){.data = digits, .len = sizeof(digits)};
	cr_expect(refuses(large, SIZE_MAX, "4300 digits"));
}

Test(python_text, refuses_what_has_no_fixed_text)
{
	struct pickle_global class = {.module = SLICE("decimal"), .name = SLICE("Decimal")};
	struct pickle_node global = {.kind = PICKLE_GLOBAL, .global = &class};
	struct pickle_node none = {.kind = PICKLE_TUPLE};
	struct pickle_call call = {.callable = &global, .arguments = &none};
	struct pickle_node object = {.kind = PICKLE_CALL, .call = &call};
	struct pickle_node set = {.kind = PICKLE_FROZENSET};
	struct pickle_node list = {.kind = PICKLE_LIST}, *itself = &list;

	cr_expect(refuses(ITEMS(PICKLE_TUPLE, &object), 1000, "an object of decimal.Decimal"));
	cr_expect(refuses(ITEMS(PICKLE_TUPLE, &global), 1000, "decimal.Decimal"));
	cr_expect(refuses(ITEMS(PICKLE_TUPLE, &set), 1000, "a frozenset"));
	list.items = (struct pickle_items){.list = &itself, .count = 1};
	cr_expect(refuses(list, SIZE_MAX, "1000 levels"));
}

/* Thirty levels of two references each are a thousand million strings. */
Test(python_text, a_bomb_ends_at_the_longest_text)
{
	struct pickle_node leaf = TEXT("x"), level[30], *pairs[30][2];
	struct pickle_node one = ITEMS(PICKLE_TUPLE, &leaf);

	for (int i = 0; i < 30; i++) {
		pairs[i][0] = pairs[i][1] = i ? &level[i - 1] : &leaf;
		level[i] = (struct pickle_node){.kind = PICKLE_TUPLE,
						.items = {.list = pairs[i], .count = 2}};
	}
	cr_expect(refuses(level[29], 100000, "too long"));
	cr_expect(refuses(TEXT("xx"), 1, "too long"));
	cr_expect(refuses(one, 5, "too long"));
	text.len = 0;
	cr_expect(python_str(&one, PYTHON_3_10, 6, &text, &error));
}
