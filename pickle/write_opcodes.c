#include "pickle/write_opcodes.h"

void pickle_put(struct buffer *ret, enum pickle_opcode opcode)
{
	buffer_append_char(ret, (char)opcode);
}

void pickle_put_number(struct buffer *ret, enum pickle_opcode opcode, uint64_t operand,
		       unsigned bytes)
{
	char text[9] = {(char)opcode};

	for (unsigned i = 0; i < bytes; i++)
		text[1 + i] = (char)(operand >> i * 8);
	buffer_append(ret, (struct slice){.data = text, .len = 1 + bytes});
}

void pickle_put_set_state(struct buffer *ret)
{
	pickle_put(ret, TUPLE2);
	pickle_put(ret, REDUCE);
	pickle_put(ret, POP);
}

void pickle_put_int(struct buffer *ret, int64_t integer)
{
	unsigned len = 5;

	if (integer >= 0 && integer < 0x100)
		pickle_put_number(ret, BININT1, (uint64_t)integer, 1);
	else if (integer >= 0 && integer < 0x10000)
		pickle_put_number(ret, BININT2, (uint64_t)integer, 2);
	else if (integer >= INT32_MIN && integer <= INT32_MAX)
		pickle_put_number(ret, BININT, (uint64_t)integer, 4);
	else {
		while (len < 8 && integer >> (len * 8 - 1) != 0 && integer >> (len * 8 - 1) != -1)
			len++;
		pickle_put_number(ret, LONG1, len, 1);
		for (unsigned i = 0; i < len; i++)
			buffer_append_char(ret, (char)((uint64_t)integer >> i * 8));
	}
}

void pickle_put_float(struct buffer *ret, double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	pickle_put_number(ret, BINFLOAT, __builtin_bswap64(bits), 8);
}

/* With the opcode for the least width that its length fits. */
static void put_string(struct buffer *ret, struct slice bytes, enum pickle_opcode in_1,
		       enum pickle_opcode in_4, enum pickle_opcode in_8)
{
	if (bytes.len < 0x100)
		pickle_put_number(ret, in_1, bytes.len, 1);
	else if (bytes.len <= UINT32_MAX)
		pickle_put_number(ret, in_4, bytes.len, 4);
	else
		pickle_put_number(ret, in_8, bytes.len, 8);
	buffer_append(ret, bytes);
}

void pickle_put_text(struct buffer *ret, struct slice text)
{
	put_string(ret, text, SHORT_BINUNICODE, BINUNICODE, BINUNICODE8);
}

void pickle_put_bytes(struct buffer *ret, struct slice bytes)
{
	put_string(ret, bytes, SHORT_BINBYTES, BINBYTES, BINBYTES8);
}
