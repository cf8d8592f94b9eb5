#include "base/utf8.h"

#include <string.h>

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

/* By the high half of its first byte; 0: of no sequence of several bytes. */
static const uint8_t sequence_lens[16] = {[12] = 2, [13] = 2, [14] = 3, [15] = 4};

static bool continues(char c)
{
	return ((uint8_t)c & 0xC0) == 0x80;
}

/* Where a sequence begins that does not end within `bytes`; their end if the last one does. */
static size_t whole_len(struct slice bytes)
{
	for (size_t back = 1; back <= 3 && back <= bytes.len; back++) {
		char c = bytes.data[bytes.len - back];

		if (!continues(c))
			return sequence_lens[(uint8_t)c >> 4] > back ? bytes.len - back : bytes.len;
	}
	return bytes.len;
}

/* Goes on with the sequence that the previous piece began; returns how much of `piece` belongs to
 * it. */
static size_t go_on_with_rest(struct utf8_scan *scan, struct slice piece)
{
	size_t need = sequence_lens[scan->rest[0] >> 4], taken = 0;

	while (taken < piece.len && scan->rest_len < need && continues(piece.data[taken]))
		scan->rest[scan->rest_len++] = (uint8_t)piece.data[taken++];
	if (scan->rest_len == need || taken < piece.len) {
		scan->is_broken = !utf8_is_valid(
			(struct slice){.data = (const char *)scan->rest, .len = scan->rest_len});
		scan->rest_len = 0;
	}
	return taken;
}

void utf8_scan(struct utf8_scan *scan, struct slice piece)
{
	if (!scan->is_odd)
		scan->is_odd = !utf8_is_json_plain(piece);
	if (!scan->is_odd || scan->is_broken)
		return; /* plain bytes are whole sequences */
	if (scan->rest_len > 0) {
		size_t taken = go_on_with_rest(scan, piece);

		piece.data += taken;
		piece.len -= taken;
	}
	size_t whole = whole_len(piece);
	scan->is_broken =
		scan->is_broken || !utf8_is_valid((struct slice){.data = piece.data, .len = whole});
	if (piece.len > whole) {
		scan->rest_len = (uint8_t)(piece.len - whole);
		memcpy(scan->rest, piece.data + whole, scan->rest_len);
	}
}

bool utf8_scan_is_valid(const struct utf8_scan *scan)
{
	return !scan->is_broken && scan->rest_len == 0;
}

bool utf8_scan_is_json_plain(const struct utf8_scan *scan)
{
	return !scan->is_odd;
}
