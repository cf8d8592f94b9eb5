#include "pickle/read_machine.h"

#include <stdarg.h>
#include <stdio.h>

#define STACK_MIN 64

bool pickle_fail(struct pickle_machine *machine, const char *format, ...)
{
	va_list args;

	machine->error->offset = machine->offset;
	va_start(args, format);
	(void)vsnprintf(machine->error->text, sizeof(machine->error->text), format, args);
	va_end(args);
	return false;
}

bool pickle_fail_memory(struct pickle_machine *machine)
{
	if (!machine->pickle->budget.is_spent) {
		machine->error->is_memory = true;
		return pickle_fail(machine, "out of memory");
	}
	return pickle_fail(machine, "it needs more than the %zu bytes of memory that it may have",
			   machine->pickle->budget.limit_bytes);
}

bool pickle_take(struct pickle_machine *machine, uint64_t len, struct slice *ret)
{
	size_t left = (size_t)(machine->end - machine->at);

	if (len > left) {
		(void)pickle_fail(machine, "cut off: %s needs %llu byte%s, and %zu %s left",
				  machine->opcode, (unsigned long long)len, len == 1 ? "" : "s",
				  left, left == 1 ? "is" : "are");
		return false;
	}
	*ret = (struct slice){.data = machine->at, .len = (size_t)len};
	machine->at += len;
	return true;
}

bool pickle_take_uint(struct pickle_machine *machine, unsigned width, uint64_t *ret)
{
	struct slice bytes;

	if (!pickle_take(machine, width, &bytes))
		return false;
	*ret = 0;
	for (unsigned i = 0; i < width; i++)
		*ret |= (uint64_t)(uint8_t)bytes.data[i] << (8 * i);
	return true;
}

bool pickle_take_line(struct pickle_machine *machine, struct slice *ret)
{
	size_t left = (size_t)(machine->end - machine->at);
	const char *end = left ? memchr(machine->at, '\n', left) : NULL;

	if (!end)
		return pickle_fail(machine, "cut off: the line after %s does not end",
				   machine->opcode);
	*ret = (struct slice){.data = machine->at, .len = (size_t)(end - machine->at)};
	machine->at = end + 1;
	return true;
}

bool pickle_push(struct pickle_machine *machine, struct pickle_node *node)
{
	if (!node)
		return pickle_fail_memory(machine);
	if (machine->depth == machine->room) {
		size_t room = machine->room ? machine->room * 2 : STACK_MIN;
		struct pickle_node **grown =
			pickle_arena_grow(&machine->work, machine->stack,
					  machine->room * sizeof(struct pickle_node *),
					  room * sizeof(struct pickle_node *));
		if (!grown)
			return pickle_fail_memory(machine);
		machine->stack = grown;
		machine->room = room;
	}
	machine->stack[machine->depth++] = node;
	return true;
}

static bool has_one(struct pickle_machine *machine)
{
	if (machine->depth > machine->fence)
		return true;
	return pickle_fail(machine,
			   machine->mark_count ? "%s finds nothing after the mark"
					       : "%s finds nothing on the stack",
			   machine->opcode);
}

struct pickle_node *pickle_pop(struct pickle_machine *machine)
{
	return has_one(machine) ? machine->stack[--machine->depth] : NULL;
}

struct pickle_node *pickle_top(struct pickle_machine *machine)
{
	return has_one(machine) ? machine->stack[machine->depth - 1] : NULL;
}

bool pickle_mark(struct pickle_machine *machine)
{
	if (machine->mark_count == machine->mark_room) {
		size_t room = machine->mark_room ? machine->mark_room * 2 : STACK_MIN;
		size_t *grown = pickle_arena_grow(&machine->work, machine->marks,
						  machine->mark_room * sizeof(size_t),
						  room * sizeof(size_t));
		if (!grown)
			return pickle_fail_memory(machine);
		machine->marks = grown;
		machine->mark_room = room;
	}
	machine->fence = machine->marks[machine->mark_count++] = machine->depth;
	return true;
}

bool pickle_pop_mark(struct pickle_machine *machine, struct pickle_node ***ret_list,
		     size_t *ret_count)
{
	if (machine->mark_count == 0)
		return pickle_fail(machine, "%s finds no mark", machine->opcode);

	size_t start = machine->marks[--machine->mark_count];
	*ret_list = start < machine->depth ? &machine->stack[start] : NULL;
	*ret_count = machine->depth - start;
	machine->depth = start;
	machine->fence = machine->mark_count ? machine->marks[machine->mark_count - 1] : 0;
	return true;
}

const char *pickle_kind_words(enum pickle_kind kind)
{
	static const char *const words[] = {
		[PICKLE_NONE] = "None",      [PICKLE_BOOL] = "a bool",
		[PICKLE_INT] = "an int",     [PICKLE_LONG] = "an int",
		[PICKLE_FLOAT] = "a float",  [PICKLE_STR] = "a str",
		[PICKLE_BYTES] = "bytes",    [PICKLE_BYTEARRAY] = "a bytearray",
		[PICKLE_TUPLE] = "a tuple",  [PICKLE_FROZENSET] = "a frozenset",
		[PICKLE_LIST] = "a list",    [PICKLE_SET] = "a set",
		[PICKLE_DICT] = "a dict",    [PICKLE_GLOBAL] = "a name in a module",
		[PICKLE_CALL] = "an object",
	};

	return words[kind];
}

static struct pickle_node *new_node(struct pickle_machine *machine, enum pickle_kind kind)
{
	struct pickle_node *node = pickle_build_node(machine->pickle, kind, machine->offset);

	if (!node)
		(void)pickle_fail_memory(machine);
	return node;
}

struct pickle_node *pickle_new_bytes(struct pickle_machine *machine, enum pickle_kind kind,
				     struct slice bytes)
{
	struct pickle_node *node = new_node(machine, kind);

	if (node)
		node->bytes = bytes;
	return node;
}

struct pickle_node *pickle_new_items(struct pickle_machine *machine, enum pickle_kind kind,
				     struct pickle_node *const *list, size_t count)
{
	struct pickle_node *node = new_node(machine, kind);

	if (node && !pickle_build_items(machine->pickle, &node->items, list, count)) {
		(void)pickle_fail_memory(machine);
		return NULL;
	}
	return node;
}

struct pickle_node *pickle_new_int(struct pickle_machine *machine, int64_t integer)
{
	struct pickle_node *node = new_node(machine, PICKLE_INT);

	if (node)
		node->integer = integer;
	return node;
}

struct pickle_node *pickle_new_long(struct pickle_machine *machine, struct slice bytes)
{
	const uint8_t *digits = (const uint8_t *)bytes.data;
	size_t len = bytes.len;

	/* A last byte that only repeats the sign of the one before it says nothing. */
	while (len > 1 && (digits[len - 1] == 0x00 || digits[len - 1] == 0xFF) &&
	       (digits[len - 1] & 0x80) == (digits[len - 2] & 0x80))
		len--;
	if (len > sizeof(int64_t)) {
		bytes.len = len;
		return pickle_new_bytes(machine, PICKLE_LONG, bytes);
	}

	uint64_t integer = len > 0 && digits[len - 1] & 0x80 ? UINT64_MAX : 0;
	for (size_t i = len; i-- > 0;)
		integer = integer << 8 | digits[i];
	return pickle_new_int(machine, (int64_t)integer);
}

struct pickle_node *pickle_new_float(struct pickle_machine *machine, double real)
{
	struct pickle_node *node = new_node(machine, PICKLE_FLOAT);

	if (node)
		node->real = real;
	return node;
}
