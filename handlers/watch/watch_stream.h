/* The body of a watch: Server-Sent Events (WHATWG HTML, 9.2), as long as the client stays. One
 * thread at a time. */
#ifndef STEADYCACHE_HANDLERS_WATCH_STREAM_H
#define STEADYCACHE_HANDLERS_WATCH_STREAM_H

#include "handlers/respond/stream.h"
#include "handlers/watch/watcher.h"
#include "store/namespace.h"

struct watch_stream {
	struct body_stream stream;
	struct watcher watcher;
	bool is_attached; /* to the hub */
	bool has_begun;
	bool is_resumed; /* it goes on where an earlier one ended */
	bool has_missed; /* ... or cannot */
	char ns[NAMESPACE_MAX_LEN + 1];
	char *prefix; /* malloc'ed; of the watcher */
};

/* For a prefix of up to `prefix_size` bytes, which the caller fills. NULL: out of memory. */
struct watch_stream *watch_stream_create(struct slice ns, size_t prefix_size);
/* Frees it, attached or not. Of body_stream. */
void watch_stream_close(struct body_stream *stream);

#endif
