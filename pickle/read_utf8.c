#include "pickle/read_utf8.h"

/* The compiler vectorizes a loop over a fixed number of bytes without an early exit. */
#define BLOCK_BYTES 64

bool pickle_is_ascii(struct slice bytes)
{
	const char *at = bytes.data;
	size_t left = bytes.len;
	uint64_t word, odd = 0;

	for (; left >= sizeof(word); left -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		odd |= word;
	}
	for (; left > 0; left--)
		odd |= (uint64_t)(uint8_t)*at++;
	return !(odd & UINT64_C(0x8080808080808080));
}

/* The length of the sequence at `at`, 0 if there is none: table 3-7 of the Unicode standard, but
 * that U+D800 to U+DFFF are taken. */
static size_t sequence_len(const uint8_t *at, size_t left)
{
	uint8_t first = at[0];
	uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
	uint8_t high = first == 0xF4 ? 0x8F : 0xBF;
	size_t len;

	if (first < 0x80)
		return 1;
	if (first < 0xC2 || first > 0xF4)
		return 0;
	len = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	if (left < len || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((at[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

/* Whether a byte of sequences of one and two stands where it may not after `before`. */
static inline uint8_t is_out_of_place(uint8_t before, uint8_t c)
{
	uint8_t follows = (uint8_t)((uint8_t)(before - 0xC2) < 0xE0 - 0xC2);
	uint8_t is_rest = (uint8_t)((c & 0xC0) == 0x80);

	return (uint8_t)((follows ^ is_rest) | (uint8_t)((c & 0xFE) == 0xC0) |
			 (uint8_t)(c >= 0xE0));
}

/* The length of the first blocks that are sequences of one and two bytes, as bytes that are written
 * as Latin-1 text are; the last of them may lack its second byte, and is then not counted. */
static size_t short_sequences_len(struct slice bytes)
{
	const uint8_t *at = (const uint8_t *)bytes.data;
	size_t len = 0;

	if (bytes.len == 0 || is_out_of_place(0, at[0]))
		return 0;
	for (len = 1; bytes.len - len >= BLOCK_BYTES; len += BLOCK_BYTES) {
		uint8_t wrong = 0;

		for (size_t i = 0; i < BLOCK_BYTES; i++)
			wrong |= is_out_of_place(at[len + i - 1], at[len + i]);
		if (wrong)
			break;
	}
	return at[len - 1] >= 0xC2 ? len - 1 : len;
}

bool pickle_is_text(struct slice bytes)
{
	const uint8_t *at = (const uint8_t *)bytes.data;

	if (pickle_is_ascii(bytes))
		return true;
	size_t checked = short_sequences_len(bytes);
	at += checked;
	for (size_t left = bytes.len - checked; left > 0;) {
		size_t len = sequence_len(at, left);

		if (len == 0)
			return false;
		at += len;
		left -= len;
	}
	return true;
}

/* Code points of valid text: the bytes that begin one. */
size_t pickle_code_points(struct slice text)
{
	size_t count = 0, i = 0;

	for (; text.len - i >= BLOCK_BYTES; i += BLOCK_BYTES) {
		uint8_t of_block = 0;

		for (size_t k = 0; k < BLOCK_BYTES; k++)
			of_block =
				(uint8_t)(of_block + (((uint8_t)text.data[i + k] & 0xC0) != 0x80));
		count += of_block;
	}
	for (; i < text.len; i++)
		count += ((uint8_t)text.data[i] & 0xC0) != 0x80;
	return count;
}

bool pickle_to_latin1(struct slice text, size_t len, uint8_t *ret)
{
	const uint8_t *at = (const uint8_t *)text.data;
	size_t count = 0;
	uint8_t before = 0;
	bool is_wide = false;

	/* Without branches, which could not be foreseen. Of a sequence of two only the second byte
	 * counts: after C2 it is the code point, after C3 with a bit more. */
	for (size_t i = 0; i < text.len && count < len; i++) {
		uint8_t c = at[i];

		ret[count] = (uint8_t)(c | (before == 0xC3) << 6);
		count += c < 0xC2;
		is_wide |= c > 0xC3;
		before = c;
	}
	return !is_wide;
}
