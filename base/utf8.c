#include "base/utf8.h"

#include <stdint.h>

/* The compiler vectorizes a loop over a fixed number of bytes without an early exit. */
#define BLOCK_BYTES 64

/* Length of the UTF-8 sequence at `at`, or 0 if there is no valid one before `end`. The ranges
 * are table 3-7 of the Unicode standard: only the second byte's range depends on the first. */
static size_t sequence_len(const uint8_t *at, const uint8_t *end)
{
	uint8_t first = at[0];
	uint8_t low = 0x80;
	uint8_t high = 0xBF;
	size_t len;

	if (first < 0x80)
		return 1;
	if (first >= 0xC2 && first <= 0xDF)
		len = 2;
	else if (first >= 0xE0 && first <= 0xEF)
		len = 3;
	else if (first >= 0xF0 && first <= 0xF4)
		len = 4;
	else
		return 0;
	if ((size_t)(end - at) < len)
		return 0;
	if (first == 0xE0)
		low = 0xA0;
	else if (first == 0xED)
		high = 0x9F;
	else if (first == 0xF0)
		low = 0x90;
	else if (first == 0xF4)
		high = 0x8F;
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (at[i] < 0x80 || at[i] > 0xBF)
			return 0;
	return len;
}

bool utf8_is_valid(struct slice bytes)
{
	const uint8_t *at = (const uint8_t *)bytes.data;
	const uint8_t *end = at + bytes.len;

	while (at < end) {
		size_t len = sequence_len(at, end);

		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

/* No branches, so that loops over it can be vectorized. */
static inline uint8_t is_odd(uint8_t c)
{
	return (uint8_t)((uint8_t)(c - 0x20) > 0x7E - 0x20) | (uint8_t)(c == '"') |
	       (uint8_t)(c == '\\');
}

bool utf8_is_json_plain(struct slice bytes)
{
	const uint8_t *at = (const uint8_t *)bytes.data;
	size_t left = bytes.len;
	uint8_t odd = 0;

	for (; left >= BLOCK_BYTES && !odd; left -= BLOCK_BYTES, at += BLOCK_BYTES)
		for (size_t i = 0; i < BLOCK_BYTES; i++)
			odd |= is_odd(at[i]);
	while (left > 0 && !odd)
		odd = is_odd(at[--left]);
	return !odd;
}
