/* The framing of a body that is sent in chunks (RFC 9112, 7.1), taken off it.
 *
 * Sizes must be hexadecimal digits alone, lines end in CR LF, extensions and trailers are checked
 * and dropped. So nothing that could be read in two ways is left of it. */
#ifndef STEADYCACHE_SERVER_CHUNKS_H
#define STEADYCACHE_SERVER_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* What a body may have in extensions and trailers. */
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

/* All zeros is the beginning. */
struct chunks {
	enum chunks_state state;
	uint64_t left; /* of the chunk under way */
	unsigned digits;
	size_t extra_bytes;
	const char *problem; /* of CHUNKS_BROKEN */
};

/* Reads on up to the next data. Returns how many of the `len` bytes it took; `*ret_data` is the end
 * of these, at most `max_data` bytes long, and empty where no data have come, the body is at its
 * end, or broken. */
size_t chunks_read(struct chunks *chunks, const char *bytes, size_t len, size_t max_data,
		   struct slice *ret_data);

#endif
