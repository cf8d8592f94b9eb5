/* Cursors: bytes as text that needs no escape in a URL (base64url without padding). */
#ifndef STEADYCACHE_HANDLERS_CURSOR_H
#define STEADYCACHE_HANDLERS_CURSOR_H

#include "base/buffer.h"

/* Cursors of keys up to this length fit into a URL if --max-header-kb has its default. */
#define CURSOR_KEY_BYTES 4096

/* Appends `bytes` as text, without quotes. */
void cursor_append(struct buffer *out, struct slice bytes);

enum cursor_outcome { CURSOR_GOOD, CURSOR_BAD, CURSOR_NO_MEMORY };

/* Decodes `text`, which is still percent-encoded: malloc'ed if it is valid. The empty text has no
 * bytes. */
enum cursor_outcome cursor_decode(struct slice text, char **ret, size_t *ret_len);

#endif
