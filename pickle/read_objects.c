#include "pickle/read_objects.h"

#include "base/utf8.h"
#include "pickle/read_known.h"

struct pickle_node *pickle_new_global(struct pickle_machine *machine, struct slice module,
				      struct slice name)
{
	if (module.len == 0 || name.len == 0) {
		(void)pickle_fail(machine, "a name in a module that is empty");
		return NULL;
	}
	if (!utf8_is_valid(module) || !utf8_is_valid(name)) {
		(void)pickle_fail(machine, "a name in a module that is not UTF-8");
		return NULL;
	}

	struct pickle_global *global = pickle_arena_alloc(&machine->pickle->arena, sizeof(*global));
	struct pickle_node *node =
		global ? pickle_build_node(machine->pickle, PICKLE_GLOBAL, machine->offset) : NULL;
	if (!node) {
		(void)pickle_fail_memory(machine);
		return NULL;
	}
	*global = (struct pickle_global){.module = module, .name = name};
	node->global = global;
	return node;
}

static bool is_callable(const struct pickle_node *node)
{
	return node->kind == PICKLE_GLOBAL || node->kind == PICKLE_CALL;
}

bool pickle_push_call(struct pickle_machine *machine, enum pickle_call_kind kind,
		      struct pickle_node *callable, struct pickle_node *arguments,
		      struct pickle_node *keywords)
{
	struct pickle_node *known = NULL;

	if (!is_callable(callable))
		return pickle_fail(machine, "%s of %s, which is nothing that can be called",
				   machine->opcode, pickle_kind_words(callable->kind));
	if (arguments->kind != PICKLE_TUPLE || (keywords && keywords->kind != PICKLE_DICT))
		return pickle_fail(machine, "%s needs a tuple%s of arguments and finds %s",
				   machine->opcode, keywords ? " and a dict" : "",
				   pickle_kind_words(arguments->kind != PICKLE_TUPLE
							     ? arguments->kind
							     : keywords->kind));
	if (kind == PICKLE_REDUCE && !pickle_known_call(machine, callable, arguments, &known))
		return false;
	if (known)
		return pickle_push(machine, known);

	struct pickle_call *call = pickle_arena_alloc(&machine->pickle->arena, sizeof(*call));
	if (!call)
		return pickle_fail_memory(machine);
	*call = (struct pickle_call){
		.kind = kind, .callable = callable, .arguments = arguments, .keywords = keywords};
	struct pickle_node *node = pickle_build_node(machine->pickle, PICKLE_CALL, machine->offset);
	if (node)
		node->call = call;
	return pickle_push(machine, node);
}

bool pickle_push_instance(struct pickle_machine *machine, struct pickle_node *callable,
			  struct pickle_node *const *arguments, size_t count)
{
	struct pickle_node *tuple =
		count ? pickle_new_items(machine, PICKLE_TUPLE, arguments, count)
		      : pickle_build_single(machine->pickle, PICKLE_SINGLE_TUPLE, machine->offset);

	if (!tuple)
		return count ? false : pickle_fail_memory(machine);
	return pickle_push_call(machine, count ? PICKLE_REDUCE : PICKLE_NEWOBJ, callable, tuple,
				NULL);
}

static bool add_steps(struct pickle_machine *machine, enum pickle_step_kind kind,
		      struct pickle_call *call, struct pickle_node *const *list, size_t count)
{
	size_t width = kind == PICKLE_SET_ITEM ? 2 : 1;

	for (size_t i = 0; i < count; i += width) {
		struct pickle_step step = {
			.kind = kind, .first = list[i], .second = width == 2 ? list[i + 1] : NULL};

		if (!pickle_build_step(machine->pickle, call, step))
			return pickle_fail_memory(machine);
	}
	return true;
}

bool pickle_change(struct pickle_machine *machine, enum pickle_step_kind kind,
		   struct pickle_node *object, struct pickle_node *const *list, size_t count)
{
	/* BUILD: that of no kind of Python's own. */
	static const struct {
		enum pickle_kind kind;
		const char *words;
	} takers[] = {
		[PICKLE_APPEND] = {PICKLE_LIST, "has no items to append to"},
		[PICKLE_SET_ITEM] = {PICKLE_DICT, "has no keys"},
		[PICKLE_ADD] = {PICKLE_SET, "cannot be added to"},
		[PICKLE_BUILD] = {PICKLE_CALL, "has no state"},
	};

	if (count == 0)
		return true;
	if (kind == PICKLE_SET_ITEM && count % 2)
		return pickle_fail(machine, "%s finds a key without a value", machine->opcode);
	if (object->kind == PICKLE_CALL)
		return add_steps(machine, kind, object->call, list, count);
	if (object->kind != takers[kind].kind)
		return pickle_fail(machine, "%s changes %s, which %s", machine->opcode,
				   pickle_kind_words(object->kind), takers[kind].words);
	if (!pickle_build_items(machine->pickle, &object->items, list, count))
		return pickle_fail_memory(machine);
	return true;
}

/* Python writes an object with a function that sets its state as: object, the function's call with
 * (object, state), POP. */
bool pickle_drop(struct pickle_machine *machine, const struct pickle_node *node)
{
	if (node->kind != PICKLE_CALL || node->call->kind != PICKLE_REDUCE ||
	    node->call->arguments->items.count != 2 || machine->depth == machine->fence)
		return true;

	struct pickle_node *object = machine->stack[machine->depth - 1];
	struct pickle_node *const *arguments = node->call->arguments->items.list;
	if (object->kind != PICKLE_CALL || object != arguments[0])
		return true;
	struct pickle_step step = {
		.kind = PICKLE_SET_STATE, .first = node->call->callable, .second = arguments[1]};
	if (!pickle_build_step(machine->pickle, object->call, step))
		return pickle_fail_memory(machine);
	return true;
}
