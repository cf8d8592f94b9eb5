/* What a pickle describes, as a graph of nodes: Python's values, and calls that it would make to
 * build others. Nothing is ever called, imported or executed: a numpy array is a node that says
 * "call numpy.core.multiarray._reconstruct with these arguments, then set this state".
 *
 * A node that is named twice in the pickle is one node here; a container may contain itself. So
 * code that walks a graph needs a bound of its own for depth and for what it writes.
 *
 * A graph that was read keeps these rules:
 *  - None, True, False and () are one node each.
 *  - An item of a tuple or a frozenset has a smaller number than it.
 *  - Keys of a dict and elements of a set can be hashed, and no two of them are equal as far as
 * that is known without code (a CALL is equal only to itself). Of pairs with equal keys the first
 *    key and the last value stay, as in Python.
 *  - What protocols 0 to 3 write as calls of set, frozenset, bytearray, bytes and, for bytes,
 *    _codecs.encode, is a node of its kind and no CALL. */
#ifndef STEADYCACHE_PICKLE_GRAPH_H
#define STEADYCACHE_PICKLE_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Deepest nesting that code which walks a graph follows. Python's own pickler stops earlier. */
#define PICKLE_DEPTH_MAX 1000

enum pickle_kind {
	PICKLE_NONE,
	PICKLE_BOOL,      /* integer: 0 or 1 */
	PICKLE_INT,       /* integer */
	PICKLE_LONG,      /* bytes: an int beyond int64_t, little-endian in two's complement */
	PICKLE_FLOAT,     /* real */
	PICKLE_STR,       /* bytes: UTF-8, in which a lone surrogate is encoded like any other code
			   * point (Python's "surrogatepass") */
	PICKLE_BYTES,     /* bytes */
	PICKLE_BYTEARRAY, /* bytes */
	PICKLE_TUPLE,     /* items */
	PICKLE_FROZENSET, /* items */
	PICKLE_LIST,      /* items */
	PICKLE_SET,       /* items */
	PICKLE_DICT,      /* items: key, value, key, value, ... in the order of the pickle */
	PICKLE_GLOBAL,    /* global: a name in a module, such as a class or a function */
	PICKLE_CALL,      /* call: an object that a call makes and that steps then change */
};

struct pickle_node;

struct pickle_items {
	struct pickle_node **list;
	uint32_t count; /* of nodes: twice the pairs of a dict */
	uint32_t made;  /* nodes of the graph that were there when the last of them came */
};

struct pickle_global {
	struct slice module, name; /* UTF-8; name may be dotted ("Outer.Inner") */
};

enum pickle_call_kind {
	PICKLE_REDUCE,    /* callable(*arguments) */
	PICKLE_NEWOBJ,    /* callable.__new__(callable, *arguments) */
	PICKLE_NEWOBJ_EX, /* callable.__new__(callable, *arguments, **keywords) */
};

enum pickle_step_kind {
	PICKLE_APPEND,    /* object.append(first) */
	PICKLE_SET_ITEM,  /* object[first] = second */
	PICKLE_ADD,       /* object.add(first) */
	PICKLE_BUILD,     /* object.__setstate__(first), or what Python does without that method */
	PICKLE_SET_STATE, /* first(object, second); what it returns is dropped */
};

struct pickle_step {
	enum pickle_step_kind kind;
	uint32_t made; /* nodes of the graph that were there before it */
	struct pickle_node *first;
	struct pickle_node *second; /* SET_ITEM, SET_STATE; else NULL */
};

struct pickle_call {
	enum pickle_call_kind kind;
	struct pickle_node *callable;  /* a GLOBAL, or a CALL that gives a function */
	struct pickle_node *arguments; /* a TUPLE */
	struct pickle_node *keywords;  /* NEWOBJ_EX: a DICT; else NULL */
	struct pickle_step *steps;     /* in their order */
	uint32_t step_count, step_room;
};

struct pickle_node {
	enum pickle_kind kind;
	uint32_t number; /* dense: below pickle_node_count() */
	uint64_t offset; /* of the opcode that made it, for messages */
	union {
		int64_t integer;
		double real;
		struct slice bytes; /* points into the pickle, or is the graph's own */
		struct pickle_items items;
		struct pickle_global *global;
		struct pickle_call *call;
	};
};

/* Why a pickle, or a part of it, cannot be read, written or shown. */
struct pickle_error {
	bool is_memory;   /* of pickle_read and pickle_view_value: memory ran out, so the pickle may
			   * be  good */
	bool is_too_long; /* of pickle_write */
	uint64_t printed; /* of python_str: bytes that it had printed until then */
	uint64_t offset;  /* in the pickle, bytes */
	char text[240];   /* a clause without offset and full stop: "unknown opcode 0xff" */
};

/* A graph, and the memory of its nodes. */
struct pickle;

const struct pickle_node *pickle_root(const struct pickle *pickle);
size_t pickle_node_count(const struct pickle *pickle);
/* That the pickle names; 0 where it names none. Below 3 its globals have the names of Python 2. */
unsigned pickle_protocol(const struct pickle *pickle);
/* NULL is allowed. */
void pickle_free(struct pickle *pickle);

#endif
