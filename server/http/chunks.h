/* Removes the framing of a chunked body (RFC 9112, 7.1).
 *
 * Sizes must consist of hexadecimal digits, lines end in CR LF, and extensions and trailers are
 * checked and dropped. So nothing is left that could be read in two ways. */
#ifndef STEADYCACHE_SERVER_CHUNKS_H
#define STEADYCACHE_SERVER_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Limit of a body's extensions and trailers. */
#define CHUNKS_MAX_EXTRA_BYTES 8192

enum chunks_state {
	CHUNKS_SIZE, /* the beginning */
	CHUNKS_BLANKS,
	CHUNKS_EXTENSION,
	CHUNKS_SIZE_LF,
	CHUNKS_DATA,
	CHUNKS_DATA_CR,
	CHUNKS_DATA_LF,
	CHUNKS_TRAILER,
	CHUNKS_TRAILER_NAME,
	CHUNKS_TRAILER_VALUE,
	CHUNKS_TRAILER_LF,
	CHUNKS_LAST_LF,
	CHUNKS_END,
	CHUNKS_BROKEN,
};

/* All zeros is the initial state. */
struct chunks {
	enum chunks_state state;
	uint64_t left; /* of the current chunk */
	unsigned digits;
	size_t extra_bytes;
	const char *problem; /* of CHUNKS_BROKEN */
};

/* Reads up to the next data. Returns how many of the `len` bytes it consumed; `*ret_data` is the
 * end of these, at most `max_data` bytes long, and empty if there are no data yet, the body has
 * ended, or it is broken. */
size_t chunks_read(struct chunks *chunks, const char *bytes, size_t len, size_t max_data,
		   struct slice *ret_data);

#endif
