/* Cursors: bytes as text that stands in a URL as it is (base64url without padding). */
#ifndef STEADYCACHE_HANDLERS_CURSOR_H
#define STEADYCACHE_HANDLERS_CURSOR_H

#include "backends/base/buffer.h"

/* Cursors of keys up to this length fit into a URL where --max-header-kb has its default. */
#define CURSOR_KEY_BYTES 4096

/* Appends `bytes` as text, without quotes. */
void cursor_append(struct buffer *out, struct slice bytes);

/* The bytes of `text`, which is still percent-encoded: malloc'ed. NULL: it is no such text (or no
 * memory is left). The empty text has no bytes. */
char *cursor_decode(struct slice text, size_t *ret_len);

#endif
