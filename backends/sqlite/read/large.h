/* Large values on their way to readers. Each is in memory once, however many read it: a request for
 * one that another reader still holds gets a reference to that. Copying one out of the file takes a
 * while, so separate threads do it, and no event loop waits for it.
 *
 * Values that somebody holds are identified by what makes them equal: etag, type and times. A value
 * that nobody else holds any more is released at the next look or tick. All of them together take
 * at most LARGE_HELD_MAX bytes, or are a single value; beyond that, further ones are refused for
 * the moment. */
#ifndef STEADYCACHE_SQLITE_LARGE_H
#define STEADYCACHE_SQLITE_LARGE_H

#include <pthread.h>

#include "store/op_queue.h"

/* A value of more bytes is large. The number is in SQL too (readers.c). */
#define LARGE_BYTES 262144
/* 512 MB */
#define LARGE_HELD_MAX ((uint64_t)512 << 20)
#define LARGE_THREADS  2

struct large_entry;

struct large {
	pthread_mutex_t lock; /* guards the members below */
	pthread_cond_t wake;
	struct op_queue waiting; /* gets that wait for a thread */
	bool stop;
	struct large_entry *held;
	uint64_t held_bytes; /* includes values that are being read */
	unsigned thread_count;
	pthread_t threads[LARGE_THREADS];
	void (*run)(void *user, struct cache_op *op);
	void *user;
};

/* The identity of a value. */
struct large_key {
	struct etag etag;
	struct slice type;
	int64_t modified_at_us, expires_at_us;
};

/* Starts the threads; `run` gets each op that is submitted. False: no thread could be started. */
bool large_open(struct large *large, void (*run)(void *user, struct cache_op *op), void *user);
/* Runs what waits first. One that was never opened is allowed. */
void large_close(struct large *large);

/* Hands `op` to one of the threads. Any thread, as for all below. */
void large_submit(struct large *large, struct cache_op *op);

/* The value with `key`, with a reference for the caller; NULL: nobody holds it. */
struct cache_value *large_find(struct large *large, const struct large_key *key);

/* Call it before a value of `bytes` is made: whether there is room for it. Must be followed by
 * large_add. */
bool large_reserve(struct large *large, uint64_t bytes);
/* Adds the value that was made, sealed and with its times, or NULL if that failed. Returns that
 * one, or the same value if somebody else has made it meanwhile. */
struct cache_value *large_add(struct large *large, uint64_t bytes, struct cache_value *value);

/* Releases what nobody else holds. */
void large_tidy(struct large *large);

#endif
