#include "pickle/read_known.h"

#include "pickle/read_text.h"

static bool is_latin1_name(const struct pickle_node *node)
{
	return node->kind == PICKLE_STR && (slice_equal(node->bytes, SLICE("latin1")) ||
					    slice_equal(node->bytes, SLICE("latin-1")));
}

/* Python copies what the call is given, or looks at all of it. */
static bool use(struct pickle_machine *machine, struct slice bytes)
{
	return pickle_budget_use(&machine->pickle->budget, bytes.len) ||
	       pickle_fail_memory(machine);
}

/* (str, 'latin1'): bytes by their code points. */
static bool from_text(struct pickle_machine *machine, enum pickle_kind kind,
		      const struct pickle_items *arguments, struct pickle_node **ret)
{
	struct slice bytes;

	if (arguments->count != 2 || arguments->list[0]->kind != PICKLE_STR ||
	    !is_latin1_name(arguments->list[1]))
		return true;
	if (!use(machine, arguments->list[0]->bytes) ||
	    !pickle_text_to_latin1(machine, arguments->list[0]->bytes, &bytes))
		return false;
	*ret = pickle_new_bytes(machine, kind, bytes);
	return *ret;
}

/* () or (bytes). */
static bool from_bytes(struct pickle_machine *machine, enum pickle_kind kind,
		       const struct pickle_items *arguments, struct pickle_node **ret)
{
	struct slice bytes = {0};

	if (arguments->count > 1)
		return true;
	if (arguments->count == 1) {
		const struct pickle_node *only = arguments->list[0];

		if (only->kind != PICKLE_BYTES && only->kind != PICKLE_BYTEARRAY)
			return true;
		bytes = only->bytes;
		if (!use(machine, bytes))
			return false;
	}
	*ret = pickle_new_bytes(machine, kind, bytes);
	return *ret;
}

/* () or (something of items). */
static bool from_items(struct pickle_machine *machine, enum pickle_kind kind,
		       const struct pickle_items *arguments, struct pickle_node **ret)
{
	struct pickle_items items = {0};

	if (arguments->count > 1)
		return true;
	if (arguments->count == 1) {
		const struct pickle_node *only = arguments->list[0];

		if (only->kind != PICKLE_LIST && only->kind != PICKLE_TUPLE &&
		    only->kind != PICKLE_SET && only->kind != PICKLE_FROZENSET)
			return true;
		items = only->items;
	}
	*ret = pickle_new_items(machine, kind, items.list, items.count);
	return *ret;
}

bool pickle_known_call(struct pickle_machine *machine, const struct pickle_node *callable,
		       const struct pickle_node *arguments, struct pickle_node **ret)
{
	*ret = NULL;
	if (callable->kind != PICKLE_GLOBAL)
		return true;

	struct slice module = callable->global->module, name = callable->global->name;
	if (slice_equal(module, SLICE("_codecs")))
		return !slice_equal(name, SLICE("encode")) ||
		       from_text(machine, PICKLE_BYTES, &arguments->items, ret);
	/* The name of Python 2, which Python 3 writes and understands below protocol 3. */
	if (!slice_equal(module, SLICE("builtins")) &&
	    !(machine->pickle->protocol < 3 && slice_equal(module, SLICE("__builtin__"))))
		return true;
	if (slice_equal(name, SLICE("set")))
		return from_items(machine, PICKLE_SET, &arguments->items, ret);
	if (slice_equal(name, SLICE("frozenset")))
		return from_items(machine, PICKLE_FROZENSET, &arguments->items, ret);
	if (slice_equal(name, SLICE("bytes")))
		return from_bytes(machine, PICKLE_BYTES, &arguments->items, ret);
	if (slice_equal(name, SLICE("bytearray")))
		return from_text(machine, PICKLE_BYTEARRAY, &arguments->items, ret) &&
		       (*ret || from_bytes(machine, PICKLE_BYTEARRAY, &arguments->items, ret));
	return true;
}
