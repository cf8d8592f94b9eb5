/* The content codings that the server can undo: gzip (RFC 1952) and zstd (RFC 8878).
 *
 * A decoder is fed with pieces of any length and never makes more than it is asked for, so what is
 * decoded may be of any length, whoever encoded it. A gzip decoder takes some 40 KB of memory; one
 * for zstd up to 9 MB, because it takes windows of up to 8 MB only, which is what HTTP allows (RFC
 * 9659). Each belongs to one thread at a time. */
#ifndef STEADYCACHE_BASE_CODING_H
#define STEADYCACHE_BASE_CODING_H

#include <stdbool.h>

#include "base/slice.h"

enum coding { CODING_GZIP, CODING_ZSTD };

/* The coding of a Content-Encoding, such as "gzip" (any case; "x-gzip" is the same). False (and
 * *ret untouched): it cannot be undone, or is a list of several. */
bool coding_find(struct slice name, enum coding *ret);

struct coding_decoder;

/* NULL: out of memory. */
struct coding_decoder *coding_decoder_create(enum coding coding);
/* NULL is allowed. */
void coding_decoder_destroy(struct coding_decoder *decoder);

enum coding_step {
	CODING_GOES_ON,
	CODING_BAD, /* this is not of the coding, or of a window that is too large */
	CODING_NO_MEMORY,
};

/* Takes bytes from the front of *in, writes up to `size` (>= 1) decoded ones to `room`, and their
 * number to *ret_len. If that is less than `size`, all of *in was taken. Several gzip members or
 * zstd frames follow one another as if they were one. After a failure only destroy may follow. */
enum coding_step coding_decoder_step(struct coding_decoder *decoder, struct slice *in, char *room,
				     size_t size, size_t *ret_len);

/* Whether what was taken is complete: nothing, or whole members or frames. */
bool coding_decoder_is_complete(const struct coding_decoder *decoder);

#endif
