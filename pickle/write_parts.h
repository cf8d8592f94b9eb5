/* What both ways of writing a value have in common (write.c, write_flat.h): the memo, and opcodes
 * of a node whose operands are on the stack. */
#ifndef STEADYCACHE_PICKLE_WRITE_PARTS_H
#define STEADYCACHE_PICKLE_WRITE_PARTS_H

#include "base/buffer.h"
#include "pickle/write_opcodes.h"
#include "pickle/write_plan.h"

struct pickle_writer {
	struct pickle_plan plan;
	uint32_t memo_count;
	bool has_global, has_bytearray;
	struct buffer *ret;
	size_t max_len; /* of ret */
	struct pickle_error *error;
};

/* Returns false. */
bool pickle_write_fail(struct pickle_writer *writer, const struct pickle_node *node,
		       const char *text);

/* Whether `bytes` more are not too many; fails otherwise. */
bool pickle_write_fits(struct pickle_writer *writer, const struct pickle_node *node, size_t bytes);

/* Takes a node from the memo; puts the one there that the last opcode made. */
void pickle_write_get(struct pickle_writer *writer, const struct pickle_planned *planned);
void pickle_write_memoize(struct pickle_writer *writer, struct pickle_planned *planned);

/* A node that is not in plans. */
void pickle_write_atom(struct pickle_writer *writer, const struct pickle_node *node);

/* Str, bytes and their like, which contain no other node; a list, a dict or a set without its
 * items. Without a place in the memo. */
bool pickle_write_is_leaf(const struct pickle_node *node);
bool pickle_write_leaf(struct pickle_writer *writer, const struct pickle_node *node);
void pickle_write_empty(struct pickle_writer *writer, const struct pickle_node *node);

/* What makes a tuple, a frozenset or a call of operands: the opcode before them (tuples of up to
 * three have none), and the one after them. */
void pickle_write_open(struct pickle_writer *writer, const struct pickle_node *node);
void pickle_write_close(struct pickle_writer *writer, const struct pickle_node *node);

/* What changes the object on top of the stack: `one` with one set of operands, `many` with those
 * above a MARK. */
struct pickle_change {
	enum pickle_opcode one, many; /* one: 0 if there is no such opcode */
	uint32_t operands;            /* of one */
};

/* Of a list, a dict or a set; of a step that is APPEND, SET_ITEM or ADD. */
const struct pickle_change *pickle_change_of_items(const struct pickle_node *node);
const struct pickle_change *pickle_change_of_step(enum pickle_step_kind kind);

/* Operands (a list's items, say) that come before one opcode, as in Python: at most 1000 sets. */
uint32_t pickle_write_batch(const struct pickle_change *change, uint32_t rest);

#endif
