#include "server/http/chunks.h"

#include "server/http/head_scan.h"

/* Of a size, including leading zeros: more could overflow. */
#define SIZE_MAX_DIGITS 16

static void give_up(struct chunks *chunks, const char *problem)
{
	chunks->state = CHUNKS_BROKEN;
	chunks->problem = problem;
}

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void expect(struct chunks *chunks, char c, char wanted, enum chunks_state next)
{
	if (c == wanted)
		chunks->state = next;
	else
		give_up(chunks, "a line of a chunk does not end in CR LF");
}

static void take_size(struct chunks *chunks, char c)
{
	int value = digit_value(c);

	if (value >= 0 && chunks->digits < SIZE_MAX_DIGITS) {
		chunks->left = chunks->left << 4 | (uint64_t)value;
		chunks->digits++;
	} else if (chunks->digits > 0 && c == '\r') {
		chunks->state = CHUNKS_SIZE_LF;
	} else if (chunks->digits > 0 && c == ';') {
		chunks->state = CHUNKS_EXTENSION;
	} else if (chunks->digits > 0 && (c == ' ' || c == '\t')) {
		chunks->state = CHUNKS_BLANKS;
	} else {
		give_up(chunks, "the size of a chunk must be 1 to 16 hexadecimal digits, and end "
				"in CR LF");
	}
}

static void end_size(struct chunks *chunks, char c)
{
	expect(chunks, c, '\n', chunks->left > 0 ? CHUNKS_DATA : CHUNKS_TRAILER);
	chunks->digits = 0;
}

/* Drops a byte of an extension, or of the value of a trailer. */
static void drop(struct chunks *chunks, char c, enum chunks_state behind)
{
	unsigned char byte = (unsigned char)c;

	if (c == '\r')
		chunks->state = behind;
	else if ((byte < ' ' && c != '\t') || byte == 0x7F)
		give_up(chunks, "the extension of a chunk, or a trailer, has a control character");
}

static void take_trailer(struct chunks *chunks, char c)
{
	if (chunks->state == CHUNKS_TRAILER && c == '\r')
		chunks->state = CHUNKS_LAST_LF;
	else if (chunks->state == CHUNKS_TRAILER_NAME && c == ':')
		chunks->state = CHUNKS_TRAILER_VALUE;
	else if (head_scan_is_token_char(c))
		chunks->state = CHUNKS_TRAILER_NAME;
	else
		give_up(chunks, "a trailer behind the last chunk is no header");
}

static void take(struct chunks *chunks, char c)
{
	switch (chunks->state) {
	case CHUNKS_SIZE:
		take_size(chunks, c);
		break;
	case CHUNKS_BLANKS:
		if (c == ';')
			chunks->state = CHUNKS_EXTENSION;
		else if (c != ' ' && c != '\t')
			give_up(chunks, "the size of a chunk is followed by a blank");
		break;
	case CHUNKS_EXTENSION:
		drop(chunks, c, CHUNKS_SIZE_LF);
		break;
	case CHUNKS_SIZE_LF:
		end_size(chunks, c);
		break;
	case CHUNKS_DATA_CR:
		expect(chunks, c, '\r', CHUNKS_DATA_LF);
		break;
	case CHUNKS_DATA_LF:
		expect(chunks, c, '\n', CHUNKS_SIZE);
		break;
	case CHUNKS_TRAILER:
	case CHUNKS_TRAILER_NAME:
		take_trailer(chunks, c);
		break;
	case CHUNKS_TRAILER_VALUE:
		drop(chunks, c, CHUNKS_TRAILER_LF);
		break;
	case CHUNKS_TRAILER_LF:
		expect(chunks, c, '\n', CHUNKS_TRAILER);
		break;
	case CHUNKS_LAST_LF:
		expect(chunks, c, '\n', CHUNKS_END);
		break;
	case CHUNKS_DATA:
	case CHUNKS_END:
	case CHUNKS_BROKEN:
		break;
	}
}

static bool is_extra(enum chunks_state state)
{
	return state == CHUNKS_BLANKS || state == CHUNKS_EXTENSION ||
	       (state >= CHUNKS_TRAILER && state <= CHUNKS_TRAILER_LF);
}

size_t chunks_read(struct chunks *chunks, const char *bytes, size_t len, size_t max_data,
		   struct slice *ret_data)
{
	size_t at = 0;

	*ret_data = (struct slice){.data = bytes, .len = 0};
	for (; at < len && chunks->state < CHUNKS_END && chunks->state != CHUNKS_DATA; at++) {
		chunks->extra_bytes += is_extra(chunks->state);
		if (chunks->extra_bytes > CHUNKS_MAX_EXTRA_BYTES)
			give_up(chunks,
				"the chunks have more than 8 KB of extensions and trailers");
		else
			take(chunks, bytes[at]);
	}
	if (chunks->state != CHUNKS_DATA)
		return at;
	size_t data = len - at < max_data ? len - at : max_data;
	if (data > chunks->left)
		data = (size_t)chunks->left;
	*ret_data = (struct slice){.data = bytes + at, .len = data};
	chunks->left -= data;
	if (chunks->left == 0)
		chunks->state = CHUNKS_DATA_CR;
	return at + data;
}
