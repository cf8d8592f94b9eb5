#include "pickle/read_scalars.h"

#include "pickle/read_text.h"
#include "pickle/read_utf8.h"

static bool push(struct pickle_machine *m, struct pickle_node *node)
{
	return node && pickle_push(m, node);
}

bool pickle_run_single(struct pickle_machine *m, unsigned which)
{
	return pickle_push(m, pickle_build_single(m->pickle, (enum pickle_single)which, m->offset));
}

/* ---- numbers ---- */

/* Little-endian and unsigned, but for the one of four bytes. */
bool pickle_run_binint(struct pickle_machine *m, unsigned width)
{
	uint64_t value;

	if (!pickle_take_uint(m, width, &value))
		return false;
	return push(m, pickle_new_int(m, width == 4 ? (int32_t)(uint32_t)value : (int64_t)value));
}

bool pickle_run_int(struct pickle_machine *m, unsigned argument)
{
	struct slice line;

	(void)argument;
	if (!pickle_take_line(m, &line))
		return false;
	/* Bools as protocol 0 has them. */
	if (slice_equal(line, SLICE("00")))
		return pickle_run_single(m, PICKLE_SINGLE_FALSE);
	if (slice_equal(line, SLICE("01")))
		return pickle_run_single(m, PICKLE_SINGLE_TRUE);
	return push(m, pickle_text_int(m, line));
}

bool pickle_run_long(struct pickle_machine *m, unsigned argument)
{
	struct slice line;

	(void)argument;
	if (!pickle_take_line(m, &line))
		return false;
	line.len -= line.len > 0 && line.data[line.len - 1] == 'L';
	return push(m, pickle_text_int(m, line));
}

/* The operand of `width` bytes is a length; with four bytes it is signed in the older opcodes. */
static bool take_counted(struct pickle_machine *m, unsigned width, bool is_signed,
			 struct slice *ret)
{
	uint64_t len;

	if (!pickle_take_uint(m, width, &len))
		return false;
	if (is_signed && width == 4 && len > INT32_MAX) {
		(void)pickle_fail(m, "%s has a negative length", m->opcode);
		return false;
	}
	return pickle_take(m, len, ret);
}

bool pickle_run_binary_long(struct pickle_machine *m, unsigned width)
{
	struct slice bytes;

	return take_counted(m, width, true, &bytes) && push(m, pickle_new_long(m, bytes));
}

bool pickle_run_float(struct pickle_machine *m, unsigned argument)
{
	struct slice line;

	(void)argument;
	return pickle_take_line(m, &line) && push(m, pickle_text_float(m, line));
}

bool pickle_run_binfloat(struct pickle_machine *m, unsigned width)
{
	uint64_t bits;
	double real;

	if (!pickle_take_uint(m, width, &bits))
		return false;
	bits = __builtin_bswap64(bits);
	memcpy(&real, &bits, sizeof(real));
	return push(m, pickle_new_float(m, real));
}

/* ---- text and bytes ---- */

bool pickle_run_string(struct pickle_machine *m, unsigned argument)
{
	struct slice line;

	(void)argument;
	return pickle_take_line(m, &line) && push(m, pickle_text_string(m, line));
}

bool pickle_run_binstring(struct pickle_machine *m, unsigned width)
{
	struct slice bytes;

	return take_counted(m, width, true, &bytes) && push(m, pickle_text_ascii(m, bytes));
}

bool pickle_run_unicode(struct pickle_machine *m, unsigned argument)
{
	struct slice line;

	(void)argument;
	return pickle_take_line(m, &line) && push(m, pickle_text_unicode(m, line));
}

bool pickle_run_binunicode(struct pickle_machine *m, unsigned width)
{
	struct slice bytes;

	if (!take_counted(m, width, false, &bytes))
		return false;
	if (!pickle_is_text(bytes))
		return pickle_fail(m, "a str that is not UTF-8");
	return push(m, pickle_new_bytes(m, PICKLE_STR, bytes));
}

bool pickle_run_binbytes(struct pickle_machine *m, unsigned width)
{
	struct slice bytes;

	return take_counted(m, width, false, &bytes) &&
	       push(m, pickle_new_bytes(m, PICKLE_BYTES, bytes));
}

bool pickle_run_bytearray(struct pickle_machine *m, unsigned width)
{
	struct slice bytes;

	return take_counted(m, width, false, &bytes) &&
	       push(m, pickle_new_bytes(m, PICKLE_BYTEARRAY, bytes));
}
