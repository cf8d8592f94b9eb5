/* The answer of a PROPFIND with Depth 1: what is directly below a prefix, in constant memory.
 *
 * Keys know no folders. A member is a key in which no slash follows the prefix, or, for all keys
 * that have the same text up to the next slash, one collection. The keys of one stand together, and
 * once it is known the listing goes on behind them. A name that clients would understand as another
 * path ("", ".", "..") is left out. */
#ifndef STEADYCACHE_HANDLERS_FACADE_WEBDAV_LIST_H
#define STEADYCACHE_HANDLERS_FACADE_WEBDAV_LIST_H

#include "handlers/respond/request.h"
#include "handlers/respond/stream.h"

/* Fills `op`, which is initialized, with the listing of the first page. `prefix` is empty or ends
 * with a slash; both texts are borrowed. */
void webdav_list_ask(struct cache_op *op, struct slice ns, struct slice prefix);

/* The stream, which takes over the entries of `op`, done by now. NULL: out of memory. */
struct body_stream *webdav_list_create(const struct handler_context *context, struct cache_op *op);

#endif
