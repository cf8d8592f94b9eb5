/* One who watches a namespace: a position in its ring of changes. Belongs to one thread at a time.
 */
#ifndef STEADYCACHE_HANDLERS_WATCHER_H
#define STEADYCACHE_HANDLERS_WATCHER_H

#include "base/buffer.h"
#include "handlers/watch/hub.h"

struct watch_channel;

struct watcher {
	struct watch_hub *hub;
	struct watch_channel *channel;
	uint64_t position;        /* of the next change in the channel's ring */
	struct slice prefix;      /* of its keys; the caller's */
	void (*wake)(void *user); /* ends a wait; any thread, with a lock of the hub: it calls
				   * nothing of it */
	void *user;
	/* The hub's: */
	struct watcher *next, **at; /* in a list of those that wait; at NULL: in none */
	bool is_due;                /* a sign of life */
};

enum watch_outcome {
	WATCH_RECORDS, /* there are changes; perhaps none with the prefix */
	WATCH_MISSED,  /* some were missed; it goes on with what comes now */
	WATCH_BEAT,    /* nothing happened for a while: give a sign of life */
	WATCH_WAIT,    /* nothing has happened: `wake` will be called, once */
	WATCH_END,     /* the server stops */
	WATCH_FAILED,  /* out of memory */
};

enum watch_attached { WATCH_ATTACHED, WATCH_TOO_MANY, WATCH_STOPPED, WATCH_NO_MEMORY };

/* From now on `watcher`, whose prefix, wake and user are set, sees every change of `ns`. With
 * `last_id`, not NULL, it goes on behind that, if that is still known: *ret_resumed. */
enum watch_attached watcher_attach(struct watch_hub *hub, struct slice ns, const char *last_id,
				   struct watcher *watcher, bool *ret_resumed);
/* Its `wake` is not called any more. */
void watcher_detach(struct watcher *watcher);

/* What is next. Records are appended to `ret`, some at a time (watch_record_take). */
enum watch_outcome watcher_next(struct watcher *watcher, struct buffer *ret);

/* The id of a position, as attach takes it: up to WATCH_ID_LEN bytes and a NUL. */
#define WATCH_ID_LEN (16 + 1 + 20)
void watcher_write_id(const struct watcher *watcher, uint64_t position,
		      char ret[static WATCH_ID_LEN + 1]);

#endif
