#include "pickle/read_opcodes.h"

#include "pickle/read_objects.h"
#include "pickle/read_scalars.h"

/* Opcodes that differ in a number share a function, which is told the number. */
struct opcode {
	const char *name;
	bool (*run)(struct pickle_machine *machine, unsigned argument);
	unsigned argument;
};

/* ---- what stands for itself ---- */

static bool run_proto(struct pickle_machine *m, unsigned width)
{
	uint64_t protocol;

	if (!pickle_take_uint(m, width, &protocol))
		return false;
	if (protocol > 5)
		return pickle_fail(m, "protocol %u; 0 to 5 can be read", (unsigned)protocol);
	m->pickle->protocol = (unsigned)protocol;
	return true;
}

/* As Python's: a frame must be there, and what it holds is not looked at apart from the rest. */
static bool run_frame(struct pickle_machine *m, unsigned width)
{
	uint64_t len;
	struct slice frame;

	if (!pickle_take_uint(m, width, &len) || !pickle_take(m, len, &frame))
		return false;
	m->at -= frame.len;
	return true;
}

static bool run_stop(struct pickle_machine *m, unsigned argument)
{
	(void)argument;
	m->pickle->root = pickle_pop(m);
	m->is_done = true;
	return m->pickle->root;
}

static bool push(struct pickle_machine *m, struct pickle_node *node)
{
	return node && pickle_push(m, node);
}

/* ---- containers ---- */

static bool run_mark(struct pickle_machine *m, unsigned argument)
{
	(void)argument;
	return pickle_mark(m);
}

static bool run_empty(struct pickle_machine *m, unsigned kind)
{
	return push(m, pickle_new_items(m, (enum pickle_kind)kind, NULL, 0));
}

/* Of what is above the mark. */
static bool run_collect(struct pickle_machine *m, unsigned kind)
{
	struct pickle_node **list;
	size_t count;

	if (!pickle_pop_mark(m, &list, &count))
		return false;
	if (kind == PICKLE_TUPLE && count == 0)
		return pickle_run_single(m, PICKLE_SINGLE_TUPLE);
	if (kind == PICKLE_DICT && count % 2)
		return pickle_fail(m, "%s finds a key without a value", m->opcode);
	return push(m, pickle_new_items(m, (enum pickle_kind)kind, list, count));
}

static bool run_short_tuple(struct pickle_machine *m, unsigned count)
{
	if (m->depth - m->fence < count)
		return pickle_fail(m, "%s finds too little on the stack", m->opcode);
	m->depth -= count;
	return push(m, pickle_new_items(m, PICKLE_TUPLE, &m->stack[m->depth], count));
}

/* ---- changes ---- */

/* With the `step_width(kind)` objects on top of the stack. */
static bool run_change_once(struct pickle_machine *m, unsigned kind)
{
	size_t count = kind == PICKLE_SET_ITEM ? 2 : 1;

	if (m->depth - m->fence < count + 1)
		return pickle_fail(m, "%s finds too little on the stack", m->opcode);
	m->depth -= count;
	return pickle_change(m, (enum pickle_step_kind)kind, m->stack[m->depth - 1],
			     &m->stack[m->depth], count);
}

/* With all that is above the mark. */
static bool run_change(struct pickle_machine *m, unsigned kind)
{
	struct pickle_node **list, *object;
	size_t count;

	if (!pickle_pop_mark(m, &list, &count))
		return false;
	object = pickle_top(m);
	return object && pickle_change(m, (enum pickle_step_kind)kind, object, list, count);
}

/* ---- stack and memo ---- */

static bool run_pop(struct pickle_machine *m, unsigned argument)
{
	struct pickle_node **list;
	size_t count;

	(void)argument;
	if (m->mark_count > 0 && m->depth == m->fence)
		return pickle_pop_mark(m, &list, &count);
	const struct pickle_node *node = pickle_pop(m);
	return node && pickle_drop(m, node);
}

static bool run_pop_mark(struct pickle_machine *m, unsigned argument)
{
	struct pickle_node **list;
	size_t count;

	(void)argument;
	return pickle_pop_mark(m, &list, &count);
}

static bool run_dup(struct pickle_machine *m, unsigned argument)
{
	(void)argument;
	return push(m, pickle_top(m));
}

/* A number of `width` bytes; 0: as a line. */
static bool take_index(struct pickle_machine *m, unsigned width, uint64_t *ret)
{
	struct slice line;

	if (width > 0)
		return pickle_take_uint(m, width, ret);
	if (!pickle_take_line(m, &line))
		return false;
	*ret = 0;
	bool is_number = line.len > 0 && line.len < 20;
	for (size_t i = 0; i < line.len && is_number; i++) {
		is_number = line.data[i] >= '0' && line.data[i] <= '9';
		*ret = *ret * 10 + (uint64_t)(line.data[i] - '0');
	}
	return is_number || pickle_fail(m, "%s needs a line with a number", m->opcode);
}

static bool run_get(struct pickle_machine *m, unsigned width)
{
	uint64_t index;

	if (!take_index(m, width, &index))
		return false;
	struct pickle_node *node = pickle_memo_get(&m->memo, index);
	if (!node)
		return pickle_fail(m, "%s of number %llu, which nothing has", m->opcode,
				   (unsigned long long)index);
	return pickle_push(m, node);
}

static bool put(struct pickle_machine *m, uint64_t index)
{
	struct pickle_node *node = pickle_top(m);

	if (!node)
		return false;
	return pickle_memo_put(&m->memo, index, node) || pickle_fail_memory(m);
}

static bool run_put(struct pickle_machine *m, unsigned width)
{
	uint64_t index;

	return take_index(m, width, &index) && put(m, index);
}

static bool run_memoize(struct pickle_machine *m, unsigned argument)
{
	(void)argument;
	return put(m, m->memo.count);
}

/* ---- objects ---- */

static bool run_global(struct pickle_machine *m, unsigned argument)
{
	struct slice module, name;

	(void)argument;
	return pickle_take_line(m, &module) && pickle_take_line(m, &name) &&
	       push(m, pickle_new_global(m, module, name));
}

static bool run_stack_global(struct pickle_machine *m, unsigned argument)
{
	(void)argument;
	const struct pickle_node *name = pickle_pop(m);
	const struct pickle_node *module = name ? pickle_pop(m) : NULL;
	if (!module)
		return false;
	if (name->kind != PICKLE_STR || module->kind != PICKLE_STR)
		return pickle_fail(m, "%s needs two strs and finds %s and %s", m->opcode,
				   pickle_kind_words(module->kind), pickle_kind_words(name->kind));
	/* Both may be in the memo, so that they cost the input next to nothing. */
	if (!pickle_budget_use(&m->pickle->budget, module->bytes.len) ||
	    !pickle_budget_use(&m->pickle->budget, name->bytes.len))
		return pickle_fail_memory(m);
	return push(m, pickle_new_global(m, module->bytes, name->bytes));
}

/* The operands are on the stack: callable, arguments, and keywords for the last. */
static bool run_call(struct pickle_machine *m, unsigned kind)
{
	struct pickle_node *keywords = NULL;

	if (kind == PICKLE_NEWOBJ_EX) {
		keywords = pickle_pop(m);
		if (!keywords)
			return false;
	}
	struct pickle_node *arguments = pickle_pop(m);
	struct pickle_node *callable = arguments ? pickle_pop(m) : NULL;
	return callable &&
	       pickle_push_call(m, (enum pickle_call_kind)kind, callable, arguments, keywords);
}

static bool run_inst(struct pickle_machine *m, unsigned argument)
{
	struct slice module, name;
	struct pickle_node **list;
	size_t count;

	(void)argument;
	if (!pickle_take_line(m, &module) || !pickle_take_line(m, &name) ||
	    !pickle_pop_mark(m, &list, &count))
		return false;
	struct pickle_node *callable = pickle_new_global(m, module, name);
	return callable && pickle_push_instance(m, callable, list, count);
}

static bool run_obj(struct pickle_machine *m, unsigned argument)
{
	struct pickle_node **list;
	size_t count;

	(void)argument;
	if (!pickle_pop_mark(m, &list, &count))
		return false;
	if (count == 0)
		return pickle_fail(m, "%s finds no class", m->opcode);
	return pickle_push_instance(m, list[0], &list[1], count - 1);
}

/* ---- what needs more than the pickle ---- */

enum outside { OUTSIDE_PERSISTENT, OUTSIDE_EXTENSION, OUTSIDE_BUFFER };

static bool run_outside(struct pickle_machine *m, unsigned which)
{
	static const char *const words[] = {
		[OUTSIDE_PERSISTENT] = "a persistent id, which only the program that wrote it "
				       "understands",
		[OUTSIDE_EXTENSION] = "an extension code, which only the program that wrote it "
				      "understands",
		[OUTSIDE_BUFFER] = "a buffer that is kept outside of the pickle",
	};

	return pickle_fail(m, "%s: %s", m->opcode, words[which]);
}

static const struct opcode opcodes[256] = {
	['('] = {"MARK", run_mark, 0},
	['.'] = {"STOP", run_stop, 0},
	['0'] = {"POP", run_pop, 0},
	['1'] = {"POP_MARK", run_pop_mark, 0},
	['2'] = {"DUP", run_dup, 0},
	['F'] = {"FLOAT", pickle_run_float, 0},
	['I'] = {"INT", pickle_run_int, 0},
	['J'] = {"BININT", pickle_run_binint, 4},
	['K'] = {"BININT1", pickle_run_binint, 1},
	['L'] = {"LONG", pickle_run_long, 0},
	['M'] = {"BININT2", pickle_run_binint, 2},
	['N'] = {"NONE", pickle_run_single, PICKLE_SINGLE_NONE},
	['P'] = {"PERSID", run_outside, OUTSIDE_PERSISTENT},
	['Q'] = {"BINPERSID", run_outside, OUTSIDE_PERSISTENT},
	['R'] = {"REDUCE", run_call, PICKLE_REDUCE},
	['S'] = {"STRING", pickle_run_string, 0},
	['T'] = {"BINSTRING", pickle_run_binstring, 4},
	['U'] = {"SHORT_BINSTRING", pickle_run_binstring, 1},
	['V'] = {"UNICODE", pickle_run_unicode, 0},
	['X'] = {"BINUNICODE", pickle_run_binunicode, 4},
	['a'] = {"APPEND", run_change_once, PICKLE_APPEND},
	['b'] = {"BUILD", run_change_once, PICKLE_BUILD},
	['c'] = {"GLOBAL", run_global, 0},
	['d'] = {"DICT", run_collect, PICKLE_DICT},
	['}'] = {"EMPTY_DICT", run_empty, PICKLE_DICT},
	['e'] = {"APPENDS", run_change, PICKLE_APPEND},
	['g'] = {"GET", run_get, 0},
	['h'] = {"BINGET", run_get, 1},
	['i'] = {"INST", run_inst, 0},
	['j'] = {"LONG_BINGET", run_get, 4},
	['l'] = {"LIST", run_collect, PICKLE_LIST},
	[']'] = {"EMPTY_LIST", run_empty, PICKLE_LIST},
	['o'] = {"OBJ", run_obj, 0},
	['p'] = {"PUT", run_put, 0},
	['q'] = {"BINPUT", run_put, 1},
	['r'] = {"LONG_BINPUT", run_put, 4},
	['s'] = {"SETITEM", run_change_once, PICKLE_SET_ITEM},
	['t'] = {"TUPLE", run_collect, PICKLE_TUPLE},
	[')'] = {"EMPTY_TUPLE", pickle_run_single, PICKLE_SINGLE_TUPLE},
	['u'] = {"SETITEMS", run_change, PICKLE_SET_ITEM},
	['G'] = {"BINFLOAT", pickle_run_binfloat, 8},
	['B'] = {"BINBYTES", pickle_run_binbytes, 4},
	['C'] = {"SHORT_BINBYTES", pickle_run_binbytes, 1},
	[0x80] = {"PROTO", run_proto, 1},
	[0x81] = {"NEWOBJ", run_call, PICKLE_NEWOBJ},
	[0x82] = {"EXT1", run_outside, OUTSIDE_EXTENSION},
	[0x83] = {"EXT2", run_outside, OUTSIDE_EXTENSION},
	[0x84] = {"EXT4", run_outside, OUTSIDE_EXTENSION},
	[0x85] = {"TUPLE1", run_short_tuple, 1},
	[0x86] = {"TUPLE2", run_short_tuple, 2},
	[0x87] = {"TUPLE3", run_short_tuple, 3},
	[0x88] = {"NEWTRUE", pickle_run_single, PICKLE_SINGLE_TRUE},
	[0x89] = {"NEWFALSE", pickle_run_single, PICKLE_SINGLE_FALSE},
	[0x8a] = {"LONG1", pickle_run_binary_long, 1},
	[0x8b] = {"LONG4", pickle_run_binary_long, 4},
	[0x8c] = {"SHORT_BINUNICODE", pickle_run_binunicode, 1},
	[0x8d] = {"BINUNICODE8", pickle_run_binunicode, 8},
	[0x8e] = {"BINBYTES8", pickle_run_binbytes, 8},
	[0x8f] = {"EMPTY_SET", run_empty, PICKLE_SET},
	[0x90] = {"ADDITEMS", run_change, PICKLE_ADD},
	[0x91] = {"FROZENSET", run_collect, PICKLE_FROZENSET},
	[0x92] = {"NEWOBJ_EX", run_call, PICKLE_NEWOBJ_EX},
	[0x93] = {"STACK_GLOBAL", run_stack_global, 0},
	[0x94] = {"MEMOIZE", run_memoize, 0},
	[0x95] = {"FRAME", run_frame, 8},
	[0x96] = {"BYTEARRAY8", pickle_run_bytearray, 8},
	[0x97] = {"NEXT_BUFFER", run_outside, OUTSIDE_BUFFER},
	[0x98] = {"READONLY_BUFFER", run_outside, OUTSIDE_BUFFER},
};

bool pickle_run(struct pickle_machine *machine)
{
	while (!machine->is_done) {
		machine->offset = (uint64_t)(machine->at - machine->start);
		if (machine->at == machine->end)
			return pickle_fail(machine, machine->offset == 0
							    ? "it is empty"
							    : "cut off: it ends without STOP");
		const struct opcode *opcode = &opcodes[(uint8_t)*machine->at];
		if (!opcode->run)
			return pickle_fail(machine, "unknown opcode 0x%02x",
					   (unsigned)(uint8_t)*machine->at);
		machine->at++;
		machine->opcode = opcode->name;
		if (!opcode->run(machine, opcode->argument))
			return false;
	}
	return true;
}
