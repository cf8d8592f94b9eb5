/* Opcodes with their operands, each in the shortest form that a pickler of protocol 4 takes. */
#ifndef STEADYCACHE_PICKLE_WRITE_OPCODES_H
#define STEADYCACHE_PICKLE_WRITE_OPCODES_H

#include <stdint.h>

#include "base/buffer.h"

enum pickle_opcode {
	MARK = '(',
	STOP = '.',
	POP = '0',
	BINBYTES = 'B',
	SHORT_BINBYTES = 'C',
	BINFLOAT = 'G',
	BININT = 'J',
	BININT1 = 'K',
	BININT2 = 'M',
	NONE = 'N',
	REDUCE = 'R',
	BINUNICODE = 'X',
	EMPTY_LIST = ']',
	APPEND = 'a',
	BUILD = 'b',
	APPENDS = 'e',
	BINGET = 'h',
	LONG_BINGET = 'j',
	SETITEM = 's',
	TUPLE = 't',
	EMPTY_TUPLE = ')',
	SETITEMS = 'u',
	EMPTY_DICT = '}',
	PROTO = 0x80,
	NEWOBJ = 0x81,
	TUPLE1 = 0x85,
	TUPLE2 = 0x86,
	TUPLE3 = 0x87,
	NEWTRUE = 0x88,
	NEWFALSE = 0x89,
	LONG1 = 0x8a,
	LONG4 = 0x8b,
	SHORT_BINUNICODE = 0x8c,
	BINUNICODE8 = 0x8d,
	BINBYTES8 = 0x8e,
	EMPTY_SET = 0x8f,
	ADDITEMS = 0x90,
	FROZENSET = 0x91,
	NEWOBJ_EX = 0x92,
	STACK_GLOBAL = 0x93,
	MEMOIZE = 0x94,
	BYTEARRAY8 = 0x96,
};

void pickle_put(struct buffer *ret, enum pickle_opcode opcode);

/* An opcode and its operand in `bytes` bytes (up to 8), little-endian. */
void pickle_put_number(struct buffer *ret, enum pickle_opcode opcode, uint64_t operand,
		       unsigned bytes);

/* Calls the setter below object and state, which are on the stack, and drops what it returns. */
void pickle_put_set_state(struct buffer *ret);

void pickle_put_int(struct buffer *ret, int64_t integer);
void pickle_put_float(struct buffer *ret, double real);
/* A str, a bytes. */
void pickle_put_text(struct buffer *ret, struct slice text);
void pickle_put_bytes(struct buffer *ret, struct slice bytes);

#endif
