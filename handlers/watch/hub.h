/* Between the store, which tells of changes (store/change.h), and those who watch.
 *
 *     threads of the store ──▶ watch_hub_tell ──▶ ring of the namespace ──▶ watch_hub_next ──▶
 * client │                                          │ └─ wakes ─▶ the hub's thread ─▶ wake ─▶ those
 * that wait
 *
 *  - A namespace that is watched, or was a minute ago, has a channel: a ring of its latest changes
 *    (ring.h). A watcher is a position in it, and so takes no memory for what it has not read.
 *  - The store's threads copy a change into the ring, whoever watches, and at most signal the hub's
 *    thread; without a watcher they read one counter.
 *  - The hub's thread wakes those that wait and whose prefix a change has, some hundred times a
 *    second at most, and all of them once in a while, for a sign of life.
 *  - Locks, in the order in which they are taken: `waiting_lock` of a channel, `lock` of a bucket,
 *    `lock` of the hub. The store's threads take only the last two, for a copy.
 *
 * Any thread, but where it says otherwise. */
#ifndef STEADYCACHE_HANDLERS_HUB_H
#define STEADYCACHE_HANDLERS_HUB_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buffer.h"
#include "store/change.h"

struct watch_channel;
struct watch_hub;

/* ---- For the server ---- */

struct watch_figures {
	unsigned watchers; /* now */
	uint64_t events;   /* sent */
	uint64_t resets;   /* of watchers that were too slow, or for whom changes were missed */
};

/* It may be told of changes at once, and be watched once it has started. NULL: out of memory. */
struct watch_hub *watch_hub_create(void);
/* backend_config.changed, with the hub as `user`. */
void watch_hub_tell(void *user, const struct cache_change *change);
/* backend_config.changes_wanted */
const atomic_uint *watch_hub_wanted(const struct watch_hub *hub);

/* Starts its thread. At most `max_watchers` may watch; each hears something every `beat_us`. False:
 * no thread could be started. */
bool watch_hub_start(struct watch_hub *hub, unsigned max_watchers, int64_t beat_us);
/* Ends all watches, and refuses new ones. May be called again. */
void watch_hub_stop(struct watch_hub *hub);
/* Ends the thread. Nobody may watch any more, but it may still be told. */
void watch_hub_end(struct watch_hub *hub);
/* Without a thread. Nobody may tell any more. NULL is allowed. */
void watch_hub_destroy(struct watch_hub *hub);

void watch_hub_read(const struct watch_hub *hub, struct watch_figures *ret);

/* ---- For those who watch ---- */

/* One who watches; belongs to one thread at a time. */
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
enum watch_attached watch_hub_attach(struct watch_hub *hub, struct slice ns, const char *last_id,
				     struct watcher *watcher, bool *ret_resumed);
/* Its `wake` is not called any more. */
void watch_hub_detach(struct watcher *watcher);

/* What is next. Records are appended to `ret`, some at a time (watch_record_take). */
enum watch_outcome watch_hub_next(struct watcher *watcher, struct buffer *ret);

/* The id of a position, as attach takes it: up to WATCH_ID_LEN bytes and a NUL. */
#define WATCH_ID_LEN (16 + 1 + 20)
void watch_hub_write_id(const struct watcher *watcher, uint64_t position,
			char ret[static WATCH_ID_LEN + 1]);

/* Counts what was sent. */
void watch_hub_count(struct watch_hub *hub, uint64_t events, uint64_t resets);

/* Whether a change of `kind` and `key` concerns a watcher with that prefix. */
bool watch_hub_concerns(enum cache_change_kind kind, struct slice key, struct slice prefix);

#endif
