/* The stack machine that pickles are written for. Functions answer false or NULL where the pickle
 * ends; the machine's error then says why. */
#ifndef STEADYCACHE_PICKLE_READ_MACHINE_H
#define STEADYCACHE_PICKLE_READ_MACHINE_H

#include "pickle/build.h"
#include "pickle/memo.h"

struct pickle_machine {
	const char *start, *at, *end; /* of the input */
	uint64_t offset;              /* of the opcode that runs */
	const char *opcode;           /* its name */
	struct pickle *pickle;
	struct pickle_arena work; /* of the stacks and the memo */
	struct pickle_node **stack;
	size_t depth, room;
	size_t *marks; /* depths of the stack */
	size_t mark_count, mark_room;
	size_t fence; /* depth at the latest mark: below it only the mark's own opcodes reach */
	struct pickle_memo memo;
	struct pickle_error *error;
	bool is_done;
};

bool pickle_fail(struct pickle_machine *machine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The failure of an allocation. */
bool pickle_fail_memory(struct pickle_machine *machine);

/* The next `len` bytes of the input. */
bool pickle_take(struct pickle_machine *machine, uint64_t len, struct slice *ret);
/* A little-endian number of `width` (1 to 8) bytes. */
bool pickle_take_uint(struct pickle_machine *machine, unsigned width, uint64_t *ret);
/* Up to the next line feed, which is taken but not in *ret. */
bool pickle_take_line(struct pickle_machine *machine, struct slice *ret);

bool pickle_push(struct pickle_machine *machine, struct pickle_node *node); /* NULL: no memory */
struct pickle_node *pickle_pop(struct pickle_machine *machine);
struct pickle_node *pickle_top(struct pickle_machine *machine);
bool pickle_mark(struct pickle_machine *machine);
/* Removes the latest mark and what is above it: *ret_list stays until the next push. */
bool pickle_pop_mark(struct pickle_machine *machine, struct pickle_node ***ret_list,
		     size_t *ret_count);

/* The name of a kind, in words with an article: "a list". */
const char *pickle_kind_words(enum pickle_kind kind);

/* A new node with these bytes or items. The bytes are not copied. NULL: failed. */
struct pickle_node *pickle_new_bytes(struct pickle_machine *machine, enum pickle_kind kind,
				     struct slice bytes);
struct pickle_node *pickle_new_items(struct pickle_machine *machine, enum pickle_kind kind,
				     struct pickle_node *const *list, size_t count);
struct pickle_node *pickle_new_int(struct pickle_machine *machine, int64_t integer);
/* An int of any size, little-endian in two's complement, which may be longer than needed. */
struct pickle_node *pickle_new_long(struct pickle_machine *machine, struct slice bytes);
struct pickle_node *pickle_new_float(struct pickle_machine *machine, double real);

#endif
