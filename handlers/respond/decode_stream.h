/* The bytes of a value that was stored encoded, decoded while they are sent (stream.h).
 *
 * Memory is bounded, whatever the value decodes to (base/coding.h): 64 KB, the decoder, and of a
 * value with a body a piece of that. */
#ifndef STEADYCACHE_HANDLERS_DECODE_STREAM_H
#define STEADYCACHE_HANDLERS_DECODE_STREAM_H

#include "base/coding.h"
#include "base/status.h"
#include "base/value.h"
#include "handlers/respond/stream.h"

/* Opens a stream of what `value` decodes to, which takes the caller's reference. The first piece is
 * decoded at once, unless the value's bytes have to be waited for. NULL: *ret_status says why
 * (CACHE_INVALID: it is not of that coding; CACHE_NO_MEMORY), and the reference is still the
 * caller's. If it turns out later that the value is damaged or ends too early, the stream fails. */
struct body_stream *decode_stream_open(struct cache_value *value, enum coding coding,
				       enum cache_status *ret_status);

#endif
