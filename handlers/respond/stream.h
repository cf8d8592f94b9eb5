/* A body that is produced while it is sent, for answers of any length. The sender calls `next`
 * repeatedly. `next` never waits: if it needs the store it returns an op to submit.
 *
 * One thread at a time uses a stream. */
#ifndef STEADYCACHE_HANDLERS_STREAM_H
#define STEADYCACHE_HANDLERS_STREAM_H

#include "base/buffer.h"
#include "store/backend.h"

enum stream_step {
	STREAM_BYTES,  /* send `bytes` before you call `next` again */
	STREAM_SUBMIT, /* `op` is filled: submit it, and call `next` again when it is done */
	STREAM_WAIT,   /* `wake` will be called: call `next` again then */
	STREAM_END,    /* the body is complete */
	STREAM_FAILED, /* cut the answer off, so that nobody takes it for complete */
};

struct body_stream {
	enum stream_step (*next)(struct body_stream *stream);
	/* Frees the stream; its op must not be in progress. */
	void (*close)(struct body_stream *stream);
	struct buffer bytes; /* the caller empties it once it is sent */
	struct cache_op op;  /* `done` and `user` belong to the caller */
	/* Set by the caller: ends STREAM_WAIT. Any thread. */
	void (*wake)(struct body_stream *stream);
	void *wake_user;
	bool stopping; /* set by the caller: the server stops, and the stream must end soon */
	/* It has no end of its own: `stopping` is also set once its client might not be let in any
	 * more. */
	bool is_endless;
};

#endif
