/* The opcodes that make objects of other kinds than Python's own, and those that change what is on
 * the stack. Functions answer false as those of read_machine.h do. */
#ifndef STEADYCACHE_PICKLE_READ_OBJECTS_H
#define STEADYCACHE_PICKLE_READ_OBJECTS_H

#include "pickle/read_machine.h"

/* A new GLOBAL; NULL: failed. */
struct pickle_node *pickle_new_global(struct pickle_machine *machine, struct slice module,
				      struct slice name);
/* Pushes an object that a call makes. `keywords` may be NULL. */
bool pickle_push_call(struct pickle_machine *machine, enum pickle_call_kind kind,
		      struct pickle_node *callable, struct pickle_node *arguments,
		      struct pickle_node *keywords);
/* INST and OBJ: an object of the class `callable`. */
bool pickle_push_instance(struct pickle_machine *machine, struct pickle_node *callable,
			  struct pickle_node *const *arguments, size_t count);

/* Changes `object` with `count` nodes: `kind` says how. */
bool pickle_change(struct pickle_machine *machine, enum pickle_step_kind kind,
		   struct pickle_node *object, struct pickle_node *const *list, size_t count);
/* What POP takes away. */
bool pickle_drop(struct pickle_machine *machine, const struct pickle_node *node);

#endif
