/* The guard of a connection: it sees every byte received before the HTTP library does.
 *
 * The library (libmicrohttpd 0.9.75) accepts much that can be read in two ways, makes answers of
 * its own when it refuses, and silently drops a request if its memory for the head is too small. So
 * none of that reaches it:
 *
 * - A head is passed on once it is complete and valid (head_scan.h), and known to fit.
 * - An invalid one is replaced by a head without body, and no byte after it is passed on. The
 *   exchange finds the refusal here and answers it in its turn and in the form of all others.
 * - A chunked body is passed on in chunks of our own (chunks.h), so it can be ended at any moment:
 *   if it is broken, or if the rest is not wanted (guard_end_body). So is a body that is declared
 * to be very long.
 * - The next request is held back until the one before is answered.
 *
 * The library reads when the kernel has reported something, and assumes that a read that was not
 * filled left nothing. That is not so if the guard holds bytes back; it then has the event loop
 * woken (wake_list.h) once they may be passed on.
 *
 * If only a part of a request has come, the client may be waiting for the acknowledgement of that
 * part before it sends the next: with Nagle's algorithm, after a small segment. The kernel delays
 * acknowledgements by up to 40 ms in case an answer could carry them, which there is none of yet.
 * So they are asked for. A request that comes at once costs nothing for that.
 *
 * Threads: everything of a connection belongs to its event loop. */
#ifndef STEADYCACHE_SERVER_GUARD_H
#define STEADYCACHE_SERVER_GUARD_H

#include <sys/types.h>

#include "server/http/chunks.h"
#include "server/http/head_scan.h"
#include "server/http/wake_list.h"

enum guard_state {
	GUARD_HEAD, /* between requests, or in a head */
	GUARD_BODY,
	GUARD_CHUNKS,
	GUARD_LONG,     /* a body of declared length, passed on in chunks */
	GUARD_COMPLETE, /* the request is complete, and the next is held back */
	GUARD_SHUT,     /* nothing is passed on any more */
	GUARD_BROKEN,   /* out of memory: for the library the client has left */
};

/* The source of the bytes. */
struct guard_source {
	/* Like recv: returns how many bytes, 0 at the end, below 0 if there are none. */
	ssize_t (*read)(void *user, void *room, size_t size);
	void *user;
	ssize_t nothing_yet;    /* the result if there are none yet */
	bool short_means_empty; /* a read that is not filled left nothing */
	/* Acknowledges what was read, so that the client need not wait before it sends the rest.
	 * False: that does not exist here. */
	bool (*acknowledge)(void *user);
};

struct guard {
	enum guard_state state;
	size_t max_head_bytes;
	bool is_refused;    /* head.status and head.problem say why */
	bool body_ends;     /* guard_end_body */
	bool is_silent;     /* the source cannot acknowledge */
	bool owes;          /* bytes may be held back that the kernel does not report again */
	size_t empty_bytes; /* of lines before the request */
	struct head_scan head;
	struct chunks chunks;
	uint64_t left; /* of GUARD_BODY and GUARD_LONG */
	/* Bytes received and not passed on; the first `head_left` of them are a head that may
	 * be. */
	char *held;
	size_t held_at, held_len, held_size;
	size_t head_left;
	/* Passed on before everything else: a chunk that had no room. */
	char pending[16];
	unsigned pending_at, pending_len;
	struct wake wake;
	bool is_tls;
};

/* `connection` identifies it in the event loop. */
void guard_init(struct guard *guard, size_t max_head_bytes, bool is_tls, void *connection);
/* From the event loop, or from any thread once that has ended. */
void guard_deinit(struct guard *guard);

/* Replaces the source's read, for the library. */
ssize_t guard_receive(struct guard *guard, const struct guard_source *source, char *room,
		      size_t size);

/* Whether a head was passed on whose request is not over. Without one there is no request. */
static inline bool guard_has_request(const struct guard *guard)
{
	return guard->state != GUARD_HEAD;
}

/* The rest of a body is not wanted, and not read any more: for the library one that is passed on in
 * chunks ends here, and another gets bytes that mean nothing. */
void guard_end_body(struct guard *guard);

/* The request was answered: the next one may be passed on. */
void guard_end_request(struct guard *guard);

#endif
