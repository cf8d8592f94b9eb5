/* A body that is made while it is sent, for answers of any length. Whoever sends it calls `next`
 * again and again; it never waits: where it needs the store it asks for an op to be submitted.
 *
 * One thread at a time uses a stream. */
#ifndef STEADYCACHE_HANDLERS_STREAM_H
#define STEADYCACHE_HANDLERS_STREAM_H

#include "base/buffer.h"
#include "store/backend.h"

enum stream_step {
	STREAM_BYTES,  /* `bytes` are to be sent before `next` is called again */
	STREAM_SUBMIT, /* `op` is filled: submit it, and call `next` again when it is done */
	STREAM_END,    /* that was all */
	STREAM_FAILED, /* out of memory: cut the answer off, so that nobody takes it for whole */
};

struct body_stream {
	enum stream_step (*next)(struct body_stream *stream);
	/* Frees the stream; its op is not under way. */
	void (*close)(struct body_stream *stream);
	struct buffer bytes; /* emptied by the caller once sent */
	struct cache_op op;  /* `done` and `user` are the caller's */
	bool stopping;       /* set by the caller: the server stops, the stream is to end soon */
};

#endif
