/* The key column of a .db: base64 of the UTF-8 of a str, or of the parts of a tuple, joined by
 * "::", each of str(part). So the column does not say which of the two it was if there is one part,
 * nor whether a part was a number. What SteadyText's own caches keep decides that:
 *
 *     embedding_cache      tuples of str, of one part too
 *     index_search_cache   (str, str, int), if there are three parts and the last is an int
 *     all others           one part is a str, several are a tuple of str */
#ifndef STEADYCACHE_STEADYTEXT_COLUMN_KEY_H
#define STEADYCACHE_STEADYTEXT_COLUMN_KEY_H

#include "base/buffer.h"

/* Appends str(key) of the key in `column` of the cache `ns`, in that spelling (spelling.h). False:
 * it is no base64 of UTF-8, or not as Python writes it. Out of memory: ret->failed. */
bool steadytext_column_key_read(const char *ns, struct slice column, unsigned spelling,
				struct buffer *ret);

#endif
