/* pickle/read.h on pickles made by hand: what each opcode makes, what is refused and where, and
 * what a pickle may cost. tests/pickle has those that Python makes. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "pickle/read.h"
#include "tests/support/random.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SEEN_MAX     64

/* ---- a graph as text: @N is the N-th container or object once more ---- */

struct dump {
	struct buffer text;
	const struct pickle_node *seen[SEEN_MAX];
	size_t seen_count;
};

static void dump_node(struct dump *dump, const struct pickle_node *node);

static void dump_items(struct dump *dump, const char *open, const struct pickle_items *items,
		       const char *close, bool is_dict)
{
	buffer_printf(&dump->text, "%s", open);
	for (uint32_t i = 0; i < items->count; i++) {
		if (i > 0)
			buffer_printf(&dump->text, is_dict && i % 2 ? ": " : ", ");
		dump_node(dump, items->list[i]);
	}
	buffer_printf(&dump->text, "%s", close);
}

static void dump_call(struct dump *dump, const struct pickle_call *call)
{
	static const char *const kinds[] = {"call ", "new ", "new_ex "};
	static const char *const steps[] = {"append", "set_item", "add", "build", "set_state"};

	buffer_printf(&dump->text, "%s", kinds[call->kind]);
	dump_node(dump, call->callable);
	dump_node(dump, call->arguments);
	if (call->keywords)
		dump_node(dump, call->keywords);
	for (uint32_t i = 0; i < call->step_count; i++) {
		buffer_printf(&dump->text, ".%s(", steps[call->steps[i].kind]);
		dump_node(dump, call->steps[i].first);
		if (call->steps[i].second) {
			buffer_printf(&dump->text, ", ");
			dump_node(dump, call->steps[i].second);
		}
		buffer_printf(&dump->text, ")");
	}
}

static void dump_bytes(struct dump *dump, const char *prefix, struct slice bytes)
{
	buffer_printf(&dump->text, "%s'", prefix);
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t c = (uint8_t)bytes.data[i];

		buffer_printf(&dump->text, c >= ' ' && c < 0x7F ? "%c" : "\\x%02x", c);
	}
	buffer_printf(&dump->text, "'");
}

static bool dump_again(struct dump *dump, const struct pickle_node *node)
{
	for (size_t i = 0; i < dump->seen_count; i++)
		if (dump->seen[i] == node) {
			buffer_printf(&dump->text, "@%zu", i);
			return true;
		}
	cr_assert_lt(dump->seen_count, SEEN_MAX);
	dump->seen[dump->seen_count++] = node;
	return false;
}

static void dump_node(struct dump *dump, const struct pickle_node *node)
{
	struct buffer *text = &dump->text;

	if (((node->kind >= PICKLE_TUPLE && node->kind <= PICKLE_DICT && node->items.count > 0) ||
	     node->kind == PICKLE_CALL) &&
	    dump_again(dump, node))
		return;
	switch (node->kind) {
	case PICKLE_NONE:
		buffer_printf(text, "None");
		return;
	case PICKLE_BOOL:
		buffer_printf(text, node->integer ? "True" : "False");
		return;
	case PICKLE_INT:
		buffer_printf(text, "%" PRId64, node->integer);
		return;
	case PICKLE_LONG:
		dump_bytes(dump, "long", node->bytes);
		return;
	case PICKLE_FLOAT:
		buffer_printf(text, "%.17g", node->real);
		return;
	case PICKLE_STR:
		dump_bytes(dump, "", node->bytes);
		return;
	case PICKLE_BYTES:
		dump_bytes(dump, "b", node->bytes);
		return;
	case PICKLE_BYTEARRAY:
		dump_bytes(dump, "bytearray", node->bytes);
		return;
	case PICKLE_TUPLE:
		dump_items(dump, "(", &node->items, ")", false);
		return;
	case PICKLE_FROZENSET:
		dump_items(dump, "frozenset{", &node->items, "}", false);
		return;
	case PICKLE_LIST:
		dump_items(dump, "[", &node->items, "]", false);
		return;
	case PICKLE_SET:
		dump_items(dump, "set{", &node->items, "}", false);
		return;
	case PICKLE_DICT:
		dump_items(dump, "{", &node->items, "}", true);
		return;
	case PICKLE_GLOBAL:
		buffer_printf(text, "%.*s.%.*s", (int)node->global->module.len,
			      node->global->module.data, (int)node->global->name.len,
			      node->global->name.data);
		return;
	case PICKLE_CALL:
		dump_call(dump, node->call);
		return;
	}
}

/* From a copy, so that ASan sees reads beyond the end. */
static struct pickle *read_copy(struct slice bytes, char **ret_copy, size_t limit, size_t *ret_len,
				struct pickle_error *error)
{
	char *copy = malloc(bytes.len ? bytes.len : 1);

	memcpy(copy, bytes.data, bytes.len);
	*ret_copy = copy;
	return pickle_read((struct slice){.data = copy, .len = bytes.len},
			   &(struct pickle_limits){.memory_bytes = limit}, ret_len, error);
}

/* ---- what is read ---- */

struct sample {
	struct slice bytes;
	const char *expected;
};

static void expect_all(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct pickle_error error;
		struct dump dump = {0};
		size_t len = 0;
		char *copy;
		struct pickle *pickle = read_copy(samples[i].bytes, &copy, 0, &len, &error);

		cr_assert(pickle, "%s: %s", samples[i].expected, error.text);
		cr_expect_eq(len, samples[i].bytes.len);
		dump_node(&dump, pickle_root(pickle));
		buffer_append_char(&dump.text, '\0');
		cr_expect_str_eq(dump.text.data, samples[i].expected);
		buffer_deinit(&dump.text);
		pickle_free(pickle);
		free(copy);
	}
}

#define NINES18 "999999999999999999"

Test(pickle_read, numbers)
{
	static const struct sample samples[] = {
		{SLICE("N."), "None"},
		{SLICE("\x88."), "True"},
		{SLICE("\x89."), "False"},
		{SLICE("I00\n."), "False"},
		{SLICE("I01\n."), "True"},
		{SLICE("I0\n."), "0"},
		{SLICE("I1\n."), "1"},
		{SLICE("I-42\n."), "-42"},
		{SLICE("L5\n."), "5"},
		{SLICE("L-5L\n."), "-5"},
		{SLICE("L9223372036854775807L\n."), "9223372036854775807"},
		{SLICE("L-9223372036854775808L\n."), "-9223372036854775808"},
		{SLICE("L9223372036854775808L\n."),
		 "long'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x00'"},
		{SLICE("L-9223372036854775809L\n."),
		 "long'\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x7f\\xff'"},
		{SLICE("I" NINES18 NINES18 "\n."),
		 "long'\\xff\\xff\\xff\\xff\\x0f\\x9fK\\xb3\\x15\\x07\\xc9{\\xce\\x97\\xc0\\x00'"},
		{SLICE("K\xff."), "255"},
		{SLICE("M\xff\xff."), "65535"},
		{SLICE("J\xff\xff\xff\xff."), "-1"},
		{SLICE("J\xff\xff\xff\x7f."), "2147483647"},
		{SLICE("\x8a\x00."), "0"},
		{SLICE("\x8a\x01\xff."), "-1"},
		{SLICE("\x8a\x09\xff\x00\x00\x00\x00\x00\x00\x00\x00."), "255"},
		{SLICE("\x8a\x0a\x00\x00\x00\x00\x00\x00\x00\x80\xff\xff."),
		 "-9223372036854775808"},
		{SLICE("\x8a\x0a\x00\x00\x00\x00\x00\x00\x00\x80\x00\x00."),
		 "long'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x00'"},
		{SLICE("\x8b\x02\x00\x00\x00\x00\x80."), "-32768"},
		{SLICE("F1.5\n."), "1.5"},
		{SLICE("F-inf\n."), "-inf"},
		{SLICE("F1e-400\n."), "0"},
		{SLICE("G\xc0\x00\x00\x00\x00\x00\x00\x00."), "-2"},
	};

	expect_all(samples, COUNT(samples));
}

Test(pickle_read, text_and_bytes)
{
	static const struct sample samples[] = {
		{SLICE("S''\n."), "''"},
		{SLICE("S'a\\'\\\\\\n\\x41\\102\\q'\n."), "'a'\\\\x0aAB\\q'"},
		{SLICE("S\"it's\"\n."), "'it's'"},
		{SLICE("T\x02\x00\x00\x00hi."), "'hi'"},
		{SLICE("U\x02hi."), "'hi'"},
		{SLICE("V\n."), "''"},
		{SLICE("Vab\xe9\n."), "'ab\\xc3\\xa9'"},
		{SLICE("V\\u00e9\\ud800\\U0001f600\n."),
		 "'\\xc3\\xa9\\xed\\xa0\\x80\\xf0\\x9f\\x98\\x80'"},
		{SLICE("V\\\\u0041\\n\\\n."), "'\\\\u0041\\n\\'"},
		{SLICE("X\x02\x00\x00\x00\xc3\xa9."), "'\\xc3\\xa9'"},
		{SLICE("\x8c\x03\xed\xb2\x80."), "'\\xed\\xb2\\x80'"},
		{SLICE("\x8d\x01\x00\x00\x00\x00\x00\x00\x00z."), "'z'"},
		{SLICE("B\x01\x00\x00\x00\xff."), "b'\\xff'"},
		{SLICE("C\x00."), "b''"},
		{SLICE("\x8e\x01\x00\x00\x00\x00\x00\x00\x00z."), "b'z'"},
		{SLICE("\x96\x01\x00\x00\x00\x00\x00\x00\x00z."), "bytearray'z'"},
	};

	expect_all(samples, COUNT(samples));
}

Test(pickle_read, containers_sharing_and_cycles)
{
	static const struct sample samples[] = {
		{SLICE(")."), "()"},
		{SLICE("(t."), "()"},
		{SLICE("(NNNNt."), "(None, None, None, None)"},
		{SLICE("NK\x01K\x02\x87."), "(None, 1, 2)"},
		{SLICE("(lK\x01"
		       "a."),
		 "[1]"},
		{SLICE("(NNl."), "[None, None]"},
		{SLICE("](K\x01K\x02"
		       "e(K\x03"
		       "e."),
		 "[1, 2, 3]"},
		{SLICE("(dNK\x01s."), "{None: 1}"},
		{SLICE("(K\x01K\x02"
		       "d."),
		 "{1: 2}"},
		{SLICE("}(K\x01K\x02K\x03K\x04u."), "{1: 2, 3: 4}"},
		{SLICE("\x8f(K\x01K\x02\x90."), "set{1, 2}"},
		{SLICE("(K\x01\x91."), "frozenset{1}"},
		{SLICE("]2\x86."), "([], [])"},
		{SLICE("]N"
		       "a2\x86."),
		 "([None], @1)"},
		{SLICE("]q\x07h\x07"
		       "a."),
		 "[@0]"},
		{SLICE("]r\xff\xff\xff\xff"
		       "j\xff\xff\xff\xff"
		       "a."),
		 "[@0]"},
		{SLICE("]p18446744073\ng18446744073\na."), "[@0]"},
		{SLICE("]\x94(h\x00"
		       "e."),
		 "[@0]"},
		{SLICE("]\x94N\x94"
		       "0K\x05\x94h\x02\x86."),
		 "(5, 5)"},
		{SLICE("(NN1K\x01."), "1"},
		{SLICE("(0K\x01."), "1"},
		{SLICE("NNNK\x02."), "2"},
		{SLICE("\x80\x05\x95\x02\x00\x00\x00\x00\x00\x00\x00"
		       "N."),
		 "None"},
	};

	expect_all(samples, COUNT(samples));
}

Test(pickle_read, objects_as_calls)
{
	static const struct sample samples[] = {
		{SLICE("cm\nA.B\n."), "m.A.B"},
		{SLICE("\x8c\x01m\x8c\x01"
		       "f\x93."),
		 "m.f"},
		{SLICE("cm\nf\n(K\x01tR."), "call m.f(1)"},
		{SLICE("cm\nC\n)\x81}b."), "new m.C().build({})"},
		{SLICE("cm\nC\n)}\x92."), "new_ex m.C(){}"},
		{SLICE("(im\nC\n."), "new m.C()"},
		{SLICE("(K\x01im\nC\n."), "call m.C(1)"},
		{SLICE("(cm\nC\no."), "new m.C()"},
		{SLICE("(cm\nC\nK\x01o."), "call m.C(1)"},
		{SLICE("cm\nC\n)RK\x01"
		       "a(K\x02K\x03"
		       "e."),
		 "call m.C().append(1).append(2).append(3)"},
		{SLICE("cm\nC\n)R(K\x01K\x02u."), "call m.C().set_item(1, 2)"},
		{SLICE("cm\nC\n)R(K\x01\x90."), "call m.C().add(1)"},
		{SLICE("cm\nC\n)R\x94h\x00"
		       "b."),
		 "call m.C().build(@0)"},
		/* A function that sets the state, and a call that is dropped for another reason. */
		{SLICE("cm\nC\n)R\x94"
		       "cm\nf\nh\x00K\x01\x86R0."),
		 "call m.C().set_state(m.f, 1)"},
		{SLICE("cm\nC\n)R\x94"
		       "cm\nf\nK\x01K\x02\x86R0."),
		 "call m.C()"},
		{SLICE("cm\nf\n)R)R."), "call call m.f()()"},
	};

	expect_all(samples, COUNT(samples));
}

Test(pickle_read, what_older_protocols_write_as_calls)
{
	static const struct sample samples[] = {
		{SLICE("c_codecs\nencode\n(Va\xff\nVlatin1\ntR."), "b'a\\xff'"},
		{SLICE("c_codecs\nencode\n(Va\xff\nVutf-8\ntR."),
		 "call _codecs.encode('a\\xc3\\xbf', 'utf-8')"},
		{SLICE("c__builtin__\nbytes\n)R."), "b''"},
		{SLICE("\x80\x03"
		       "c__builtin__\nbytes\n)R."),
		 "call __builtin__.bytes()"},
		{SLICE("\x80\x03"
		       "cbuiltins\nbytes\n)R."),
		 "b''"},
		{SLICE("cbuiltins\nset\n]\x85R."), "set{}"},
		{SLICE("c__builtin__\nset\n](K\x01K\x02"
		       "e\x85R."),
		 "set{1, 2}"},
		{SLICE("c__builtin__\nfrozenset\n](K\x01K\x02"
		       "e\x85R."),
		 "frozenset{1, 2}"},
		{SLICE("c__builtin__\nset\nK\x01\x85R."), "call __builtin__.set(1)"},
		{SLICE("cbuiltins\nbytearray\n)R."), "bytearray''"},
		{SLICE("cbuiltins\nbytearray\nC\x01z\x85R."), "bytearray'z'"},
		{SLICE("cbuiltins\nbytearray\nV\xe9\nVlatin-1\n\x86R."), "bytearray'\\xe9'"},
		{SLICE("cbuiltins\nbytearray\nK\x05\x85R."), "call builtins.bytearray(5)"},
	};

	expect_all(samples, COUNT(samples));
}

Test(pickle_read, of_equal_keys_the_first_stays_and_the_last_value)
{
	static const struct sample samples[] = {
		{SLICE("}(K\x01K\x02K\x05NK\x01K\x03u."), "{1: 3, 5: None}"},
		{SLICE("}(\x88NG?\xf0\x00\x00\x00\x00\x00\x00K\x07u."), "{True: 7}"},
		{SLICE("}(\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01NG"
		       "C\xf0\x00\x00\x00\x00\x00\x00K\x07u."),
		 "{long'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01': 7}"},
		{SLICE("}(\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\xffNG"
		       "\xc3\xf0\x00\x00\x00\x00\x00\x00K\x07u."),
		 "{long'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xff': 7}"},
		{SLICE("}(K\x00NG\x80\x00\x00\x00\x00\x00\x00\x00K\x07u."), "{0: 7}"},
		{SLICE("}(U\x01"
		       "aNC\x01"
		       "aK\x07u."),
		 "{'a': None, b'a': 7}"},
		{SLICE("}(U\x01"
		       "aNX\x01\x00\x00\x00"
		       "aK\x07u."),
		 "{'a': 7}"},
		{SLICE("}(K\x01\x85NI1\n\x85K\x07u."), "{(1): 7}"},
		{SLICE("}(K\x01K\x02\x86NK\x02K\x01\x86K\x07u."), "{(1, 2): None, (2, 1): 7}"},
		{SLICE("}((K\x01K\x02\x91N(K\x02K\x01K\x02\x91K\x07u."), "{frozenset{1, 2}: 7}"},
		{SLICE("}(NN)N\x89NK\x00K\x07u."), "{None: None, (): None, False: 7}"},
		{SLICE("}(G\x7f\xf8\x00\x00\x00\x00\x00\x00N"
		       "G\x7f\xf8\x00\x00\x00\x00\x00\x00Nu."),
		 "{nan: None, nan: None}"},
		{SLICE("}(cm\nf\nNcm\nf\nK\x07u."), "{m.f: 7}"},
		{SLICE("\x8f(K\x01\x88K\x02\x90."), "set{1, 2}"},
		{SLICE("}(K\x01NK\x02NK\x03NK\x04NK\x05NK\x06NK\x07NK\x08NK\x09NK\x05K\x01u."),
		 "{1: None, 2: None, 3: None, 4: None, 5: 1, 6: None, 7: None, 8: None, 9: None}"},
		{SLICE("}\x94(cm\nC\n)RNcm\nC\n)RNu."), "{call m.C(): None, call m.C(): None}"},
	};

	expect_all(samples, COUNT(samples));
}

/* ---- what is refused ---- */

static void expect_refused(struct slice bytes, size_t limit, uint64_t offset, const char *text)
{
	struct pickle_error error;
	char *copy;
	struct pickle *pickle = read_copy(bytes, &copy, limit, NULL, &error);

	cr_expect(!pickle, "taken: %s", text);
	pickle_free(pickle);
	free(copy);
	cr_expect_eq(error.offset, offset, "%s at %" PRIu64, error.text, error.offset);
	cr_expect(strstr(error.text, text), "\"%s\" at %" PRIu64 " is not \"%s\"", error.text,
		  error.offset, text);
}

Test(pickle_read, refuses_with_the_offset)
{
	static const struct {
		struct slice bytes;
		uint64_t offset;
		const char *text;
	} samples[] = {
		{SLICE(""), 0, "it is empty"},
		{SLICE("NN"), 2, "cut off: it ends without STOP"},
		{SLICE("N\xff."), 1, "unknown opcode 0xff"},
		{SLICE("."), 0, "STOP finds nothing on the stack"},
		{SLICE("N(."), 2, "STOP finds nothing after the mark"},
		{SLICE("\x80\x06N."), 0, "protocol 6; 0 to 5 can be read"},
		{SLICE("\x95\x03\x00\x00\x00\x00\x00\x00\x00N."), 0,
		 "cut off: FRAME needs 3 bytes, and 2 are left"},
		{SLICE("NK"), 1, "cut off: BININT1 needs 1 byte, and 0 are left"},
		{SLICE("X\xff\xff\xff\xff"
		       "a."),
		 0, "cut off: BINUNICODE needs 4294967295 bytes, and 2 are left"},
		{SLICE("\x8e\xff\xff\xff\xff\xff\xff\xff\xff"
		       "a."),
		 0, "cut off: BINBYTES8 needs 18446744073709551615 bytes"},
		{SLICE("T\xff\xff\xff\xff"
		       "a."),
		 0, "BINSTRING has a negative length"},
		{SLICE("\x8b\x00\x00\x00\x80"
		       "a."),
		 0, "LONG4 has a negative length"},
		{SLICE("I5"), 0, "cut off: the line after INT does not end"},
		{SLICE("I\n."), 0, "INT needs a line with a decimal number"},
		{SLICE("I5x\n."), 0, "INT needs a line with a decimal number"},
		{SLICE("I010\n."), 0, "INT needs a line with a decimal number"},
		{SLICE("L-\n."), 0, "LONG needs a line with a decimal number"},
		{SLICE("F\n."), 0, "FLOAT needs a line with a float"},
		{SLICE("F1 \n."), 0, "FLOAT needs a line with a float"},
		{SLICE("F0x10\n."), 0, "FLOAT needs a line with a float"},
		{SLICE("F1\x00\n."), 0, "FLOAT needs a line with a float"},
		{SLICE("F1e999\n."), 0, "a float that is too large"},
		{SLICE("Sa\n."), 0, "STRING needs a line with a string in quotes"},
		{SLICE("S'\n."), 0, "STRING needs a line with a string in quotes"},
		{SLICE("S'a\"\n."), 0, "STRING needs a line with a string in quotes"},
		{SLICE("S'\\'\n."), 0, "a \\ at the end of a string"},
		{SLICE("S'\\x4'\n."), 0, "a \\x in a string without two digits"},
		{SLICE("S'\\xff'\n."), 0, "a byte string of Python 2 that is not ASCII"},
		{SLICE("U\x01\x80."), 0, "a byte string of Python 2 that is not ASCII"},
		{SLICE("V\\u00\n."), 0, "a \\u in a str without a code point"},
		{SLICE("V\\U00110000\n."), 0, "a \\U in a str without a code point"},
		{SLICE("\x8c\x02\xc0\x80."), 0, "a str that is not UTF-8"},
		{SLICE("\x8c\x02\xe9"
		       "a."),
		 0, "a str that is not UTF-8"},
		{SLICE("\x8c\x04\xf4\x90\x80\x80."), 0, "a str that is not UTF-8"},
		{SLICE("K\x01\x86."), 2, "TUPLE2 finds too little on the stack"},
		{SLICE("t."), 0, "TUPLE finds no mark"},
		{SLICE("(Nd."), 2, "DICT finds a key without a value"},
		{SLICE("}(Nu."), 3, "SETITEMS finds a key without a value"},
		{SLICE("(NNe."), 3, "APPENDS finds nothing on the stack"},
		{SLICE("](N"
		       "a."),
		 3, "APPEND finds too little on the stack"},
		{SLICE("}N"
		       "a."),
		 2, "APPEND changes a dict, which has no items to append to"},
		{SLICE(")N"
		       "a."),
		 2, "APPEND changes a tuple, which"},
		{SLICE("]NNs."), 3, "SETITEM changes a list, which has no keys"},
		{SLICE("(\x91(N\x90."), 4,
		 "ADDITEMS changes a frozenset, which cannot be added to"},
		{SLICE("K\x01}b."), 3, "BUILD changes an int, which has no state"},
		{SLICE("Nh\x01."), 1, "BINGET of number 1, which nothing has"},
		{SLICE("Np-1\n."), 1, "PUT needs a line with a number"},
		{SLICE("Ng\n."), 1, "GET needs a line with a number"},
		{SLICE("q\x00."), 0, "BINPUT finds nothing on the stack"},
		{SLICE("N)R."), 2, "REDUCE of None, which is nothing that can be called"},
		{SLICE("cm\nf\n]R."), 6, "REDUCE needs a tuple of arguments and finds a list"},
		{SLICE("cm\nf\n)]\x92."), 7,
		 "NEWOBJ_EX needs a tuple and a dict of arguments and finds a list"},
		{SLICE("K\x01U\x01x\x93."), 5,
		 "STACK_GLOBAL needs two strs and finds an int and a str"},
		{SLICE("cm\n\xff\n."), 0, "a name in a module that is not UTF-8"},
		{SLICE("cm\n\n."), 0, "a name in a module that is empty"},
		{SLICE("\x8c\x00\x8c\x01n\x93."), 5, "a name in a module that is empty"},
		{SLICE("(o."), 1, "OBJ finds no class"},
		{SLICE("c_codecs\nencode\nV\\u0100\nVlatin1\n\x86R."), 33,
		 "bytes as text that is not Latin-1"},
		{SLICE("Pid\n."), 0, "PERSID: a persistent id"},
		{SLICE("NQ."), 1, "BINPERSID: a persistent id"},
		{SLICE("\x82\x01."), 0, "EXT1: an extension code"},
		{SLICE("\x97."), 0, "NEXT_BUFFER: a buffer that is kept outside"},
		{SLICE("}]Ns."), 1, "a list as a key of a dict or an element of a set"},
		{SLICE("}}\x85\x85Ns."), 1, "a dict as a key"},
		{SLICE("(\x8f\x91."), 1, "a set as a key of a dict or an element of a set"},
		{SLICE("}\x96\x00\x00\x00\x00\x00\x00\x00\x00Ns."), 1, "a bytearray as a key"},
	};

	for (size_t i = 0; i < COUNT(samples); i++)
		expect_refused(samples[i].bytes, 0, samples[i].offset, samples[i].text);
}

/* One with every kind of operand. */
static const struct slice all_kinds = SLICE(
	"\x80\x05}\x94(S'a'\nI5\nL123456789012345678901234567890L\nF1.5\nV\\u00e9x\n]p0\n(NNe"
	"X\x01\x00\x00\x00yB\x01\x00\x00\x00y\x8c\x01zC\x01zG?\xf0\x00\x00\x00\x00\x00\x00h\x00"
	"K\x05\x8f(K\x01M\x01\x02\x90r\xff\x00\x00\x00\x94(K\x01\x91K\x07"
	"ccollections\nOrderedDict\n)R(NNu}b\x94J\x00\x00\x00\x00"
	"\x88\x96\x01\x00\x00\x00\x00\x00\x00\x00xNN\x86(im\nC\nU\x01uc_codecs\nencode\n"
	"(V\xe9\nVlatin1\ntRu.");

Test(pickle_read, is_cut_off_at_each_byte)
{
	for (size_t len = 0; len < all_kinds.len; len++) {
		struct pickle_error error;
		char *copy;
		struct slice part = {.data = all_kinds.data, .len = len};
		struct pickle *pickle = read_copy(part, &copy, 0, NULL, &error);

		cr_expect(!pickle, "%zu bytes are taken", len);
		cr_expect_leq(error.offset, len);
		cr_expect_neq(error.text[0], '\0');
		pickle_free(pickle);
		free(copy);
	}
}

/* `head`, then `count` times `body`, then `tail`. */
static struct buffer repeated(struct slice head, struct slice body, size_t count, struct slice tail)
{
	struct buffer ret = {0};

	buffer_append(&ret, head);
	for (size_t i = 0; i < count; i++)
		buffer_append(&ret, body);
	buffer_append(&ret, tail);
	cr_assert(!ret.failed);
	return ret;
}

/* Wherever the memory ends: nodes that are made and dropped before move the place. */
Test(pickle_read, any_limit_of_memory_is_a_refusal_or_enough)
{
	size_t taken = 0, refused = 0;

	for (size_t dropped = 0; dropped < 300; dropped++) {
		struct buffer bytes = repeated(SLICE(""), SLICE("K\x01\x30"), dropped, all_kinds);

		for (size_t limit = 2048; limit <= 65536; limit *= 2) {
			struct pickle_error error;
			char *copy;
			struct pickle *pickle =
				read_copy(buffer_bytes(&bytes), &copy, limit, NULL, &error);

			taken += pickle != NULL;
			refused += !pickle;
			cr_expect(pickle || strstr(error.text, "bytes of memory that it may have"),
				  "%s", error.text);
			pickle_free(pickle);
			free(copy);
		}
		buffer_deinit(&bytes);
	}
	cr_expect_gt(taken, 300);
	cr_expect_gt(refused, 600);
}

Test(pickle_read, what_multiplies_ends_at_the_limit)
{
	/* 6 bytes make a set of the 1000 items of a list. */
	struct buffer items =
		repeated(SLICE("cbuiltins\nset\n\x94]\x94("), SLICE("K\x01"), 1000, SLICE("e"));
	struct buffer bomb =
		repeated(buffer_bytes(&items), SLICE("h\x00h\x01\x85R"), 100000, SLICE("."));
	struct pickle_error error;

	cr_expect(!pickle_read(buffer_bytes(&bomb), NULL, NULL, &error));
	cr_expect(strstr(error.text, "bytes of memory that it may have"), "%s", error.text);
	buffer_deinit(&bomb);
	buffer_deinit(&items);
}

/* Each opcode would look at the whole of a long text, or copy it, without memory of its own. */
Test(pickle_read, what_is_long_and_named_often_ends_at_the_limit)
{
	const struct slice named[][2] = {
		{SLICE("\x80\4c_codecs\nencode\n\x94Vlatin1\n\x94"
		       "V"),
		 SLICE("h\0h\2h\1\x86R0")},
		{SLICE("\x80\4cbuiltins\nbytearray\n\x94Vlatin1\n\x94"
		       "V"),
		 SLICE("h\0h\2h\1\x86R0")},
		{SLICE("\x80\4NN00N\x94N\x94"
		       "V"),
		 SLICE("h\2h\2\x93"
		       "0")},
	};

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		struct buffer text = repeated(named[i][0], SLICE("a"), 100000, SLICE("\n\x94"));
		struct buffer bomb =
			repeated(buffer_bytes(&text), named[i][1], 200000, SLICE("N."));
		struct pickle_error error;

		cr_expect(!pickle_read(buffer_bytes(&bomb), NULL, NULL, &error), "%zu", i);
		cr_expect(strstr(error.text, "bytes of memory that it may have"), "%s", error.text);
		buffer_deinit(&bomb);
		buffer_deinit(&text);
	}
}

Test(pickle_read, nests_without_recursion_and_within_the_default_limit)
{
	static const struct slice bodies[] = {SLICE("]"),      SLICE("("),     SLICE("]\x94"),
					      SLICE("\x85"),   SLICE("2"),     SLICE("\x85\x94"),
					      SLICE("(N\x91"), SLICE("}\x94"), SLICE(")\x81")};

	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct buffer deep = repeated(SLICE("cm\nf\n"), bodies[i], 2000000, SLICE("N."));
		struct pickle_error error;
		struct pickle *pickle = pickle_read(buffer_bytes(&deep), NULL, NULL, &error);

		cr_expect(pickle, "%.*s: %s", (int)bodies[i].len, bodies[i].data, error.text);
		pickle_free(pickle);
		buffer_deinit(&deep);
	}
}

/* Quadratic work would take minutes. */
Test(pickle_read, numbers_of_the_memo_may_be_any)
{
	for (unsigned shift = 20; shift <= 44; shift += 12) {
		struct buffer bytes = {0};
		struct pickle_error error;

		buffer_append(&bytes, SLICE("]"));
		for (uint64_t i = 1; i < 150000; i++)
			buffer_printf(&bytes, "p%" PRIu64 "\n", i << shift);
		buffer_printf(&bytes, "g%" PRIu64 "\n.", UINT64_C(149999) << shift);
		struct pickle *pickle = pickle_read(buffer_bytes(&bytes), NULL, NULL, &error);
		cr_expect(pickle, "%s", error.text);
		pickle_free(pickle);
		buffer_deinit(&bytes);
	}
}

Test(pickle_read, an_int_of_many_digits_ends_where_pythons_does)
{
	struct buffer longest = repeated(SLICE("I-"), SLICE("9"), 4300, SLICE("\n."));
	struct buffer longer = repeated(SLICE("L"), SLICE("9"), 4301, SLICE("L\n."));
	struct pickle_error error;
	struct pickle *pickle = pickle_read(buffer_bytes(&longest), NULL, NULL, &error);

	cr_assert(pickle, "%s", error.text);
	cr_expect_eq(pickle_root(pickle)->kind, PICKLE_LONG);
	cr_expect_eq(pickle_root(pickle)->bytes.len, 1786); /* 14285 bits */
	pickle_free(pickle);
	expect_refused(buffer_bytes(&longer), 0, 0, "an int of more than 4300 digits");
	buffer_deinit(&longest);
	buffer_deinit(&longer);
}

Test(pickle_read, ignores_what_follows)
{
	struct pickle_error error;
	size_t len = 0;
	struct pickle *pickle = pickle_read(SLICE("\x80\x02K\x05.\xff\xff"), NULL, &len, &error);

	cr_assert(pickle, "%s", error.text);
	cr_expect_eq(len, 5);
	cr_expect_eq(pickle_protocol(pickle), 2);
	cr_expect_eq(pickle_node_count(pickle), 1);
	pickle_free(pickle);
}

/* Text of some 200 bytes, mostly of sequences of one and two; now and then a byte is wrong. */
static size_t some_text(char *ret)
{
	static const char *const parts[] = {"a",        "\xc3\xa9",     "\xc2\x80",
					    "\xdf\xbf", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	size_t wanted = random_below(200), kinds = 1 + random_below(COUNT(parts)), len = 0;

	while (len < wanted) {
		const char *part = parts[random_below(kinds)];

		memcpy(&ret[len], part, strlen(part));
		len += strlen(part);
	}
	if (len > 0 && random_below(2)) {
		uint64_t what = random_below(3);

		if (what == 0)
			len--;
		else
			ret[random_below(len)] = what == 1 ? (char)random_below(256) : '\xc3';
	}
	return len;
}

Test(pickle_read, takes_text_that_is_utf_8)
{
	size_t taken = 0;

	for (int round = 0; round < 20000; round++) {
		char bytes[512] = {'\x8c'};
		size_t len = some_text(bytes + 2);
		struct slice text = {.data = bytes + 2, .len = len};
		bool has_surrogate = memmem(text.data, len, "\xed", 1) != NULL;

		if (has_surrogate)
			continue;
		bytes[1] = (char)len;
		bytes[len + 2] = '.';
		struct pickle_error error;
		struct pickle *pickle = pickle_read((struct slice){.data = bytes, .len = len + 3},
						    NULL, NULL, &error);
		cr_assert_eq(pickle != NULL, utf8_is_valid(text), "%.*s", (int)len, text.data);
		taken += pickle != NULL;
		pickle_free(pickle);
	}
	cr_expect(taken > 5000 && taken < 19000, "%zu", taken);
}

Test(pickle_read, bytes_as_text_of_any_length)
{
	for (int round = 0; round < 5000; round++) {
		struct buffer pickled = {0};
		char bytes[300];
		size_t len = random_below(sizeof(bytes));

		buffer_append(&pickled, SLICE("c_codecs\nencode\nV"));
		for (size_t i = 0; i < len; i++) {
			bytes[i] = (char)random_below(256);
			buffer_printf(&pickled, "\\u00%02x", (uint8_t)bytes[i]);
		}
		buffer_append(&pickled, SLICE("\nVlatin1\n\x86R."));
		struct pickle_error error;
		struct pickle *pickle = pickle_read(buffer_bytes(&pickled), NULL, NULL, &error);
		cr_assert(pickle, "%s", error.text);
		cr_assert_eq(pickle_root(pickle)->kind, PICKLE_BYTES);
		cr_assert(slice_equal(pickle_root(pickle)->bytes,
				      (struct slice){.data = bytes, .len = len}));
		pickle_free(pickle);
		buffer_deinit(&pickled);
	}
}
