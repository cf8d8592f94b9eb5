/* The guard of a connection: it sees every byte that comes in before the HTTP library does.
 *
 * The library (libmicrohttpd 0.9.75) takes much that can be read in two ways, makes answers of its
 * own where it refuses, and gives a request up in silence where its memory for the head does not
 * suffice. So nothing of that reaches it:
 *
 *   - A head is handed over once it is whole and good (head_scan.h), and known to fit.
 *   - One that is not is replaced by a head without body, and no byte behind it goes on. The
 * exchange finds the refusal here and answers it, in its turn and in the form of all others.
 *   - A body in chunks goes on in chunks of our own (chunks.h). So it can be ended at any moment:
 *     where it is broken, or where there is to be no more of it (guard_end_body).
 *   - The next request is held back until the one before is answered.
 *
 * The library reads when the kernel has reported something, and trusts that a read that was not
 * filled left nothing. Where the guard holds bytes back this is not so, and it has the event loop
 * woken (wake_list.h) once they may go on.
 *
 * Threads: all of a connection is its event loop's. */
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
	GUARD_COMPLETE, /* the request is, and the next is held back */
	GUARD_SHUT,     /* nothing goes on any more */
	GUARD_BROKEN,   /* out of memory: to the library the client has left */
};

/* Where the bytes come from. */
struct guard_source {
	/* As recv: how many came, 0 at the end, below 0 where none did. */
	ssize_t (*read)(void *user, void *room, size_t size);
	void *user;
	ssize_t nothing_yet;    /* what says that none are there yet */
	bool short_means_empty; /* a read that is not filled left nothing */
};

struct guard {
	enum guard_state state;
	size_t max_head_bytes;
	bool is_refused;    /* head.status and head.problem say why */
	bool body_ends;     /* guard_end_body */
	bool owes;          /* bytes may be held back that the kernel does not report again */
	size_t empty_bytes; /* of lines before the request */
	struct head_scan head;
	struct chunks chunks;
	uint64_t left; /* of GUARD_BODY */
	/* Bytes that came and did not go on; the first `head_left` of them are a head that may. */
	char *held;
	size_t held_at, held_len, held_size;
	size_t head_left;
	/* Goes on before all else: a chunk that there was no room for. */
	char pending[16];
	unsigned pending_at, pending_len;
	struct wake wake;
	bool is_tls;
};

/* `connection` is what the event loop knows it by. */
void guard_init(struct guard *guard, size_t max_head_bytes, bool is_tls, void *connection);
/* Thread: the event loop, or any once that has ended. */
void guard_deinit(struct guard *guard);

/* In place of the source's read, for the library. */
ssize_t guard_receive(struct guard *guard, const struct guard_source *source, char *room,
		      size_t size);

/* Whether a head was handed over that is not done with. Without one there is no request. */
static inline bool guard_has_request(const struct guard *guard)
{
	return guard->state != GUARD_HEAD;
}

/* The rest of a body in chunks is not wanted: for the library it ends here. */
void guard_end_body(struct guard *guard);

/* The request was answered: the next one may go on. */
void guard_end_request(struct guard *guard);

#endif
