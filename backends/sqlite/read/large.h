/* Large values on their way to readers. Each is there once, however many read it: who asks for one
 * that another reader still holds gets a reference to that. To copy one out of the file takes a
 * while, so it is done by threads of its own, and no event loop waits for it.
 *
 * Values that somebody holds are known here by what makes them equal: etag, type and times. What
 * nobody else holds any more is let go with the next look or tick. All of them together take
 * LARGE_HELD_MAX bytes at most, or are one value; beyond that they are refused for the moment. */
#ifndef STEADYCACHE_SQLITE_LARGE_H
#define STEADYCACHE_SQLITE_LARGE_H

#include <pthread.h>

#include "store/op_queue.h"

/* A value of more bytes is large. Stands in SQL too (readers.c). */
#define LARGE_BYTES 262144
/* 512 MB */
#define LARGE_HELD_MAX ((uint64_t)512 << 20)
#define LARGE_THREADS  2

struct large_entry;

struct large {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct op_queue waiting; /* gets that wait for a thread */
	bool stop;
	struct large_entry *held;
	uint64_t held_bytes; /* those that are being read included */
	unsigned thread_count;
	pthread_t threads[LARGE_THREADS];
	void (*run)(void *user, struct cache_op *op);
	void *user;
};

/* What a value is known by. */
struct large_key {
	struct etag etag;
	struct slice type;
	int64_t modified_at_us, expires_at_us;
};

/* Starts the threads; `run` gets each op that is submitted. False: no thread could be started. */
bool large_open(struct large *large, void (*run)(void *user, struct cache_op *op), void *user);
/* What waits is run first. One that was never opened is fine. */
void large_close(struct large *large);

/* Hands `op` to one of the threads. Any thread, as all below. */
void large_submit(struct large *large, struct cache_op *op);

/* The value that is known by `key`, with a reference for the caller; NULL: nobody holds it. */
struct cache_value *large_find(struct large *large, const struct large_key *key);

/* Before a value of `bytes` is made: whether there is room for it. Ends with large_add. */
bool large_reserve(struct large *large, uint64_t bytes);
/* The value that was made, sealed and with its times, or NULL where that failed. The result is that
 * one, or the same in its place where somebody else has made it meanwhile. */
struct cache_value *large_add(struct large *large, uint64_t bytes, struct cache_value *value);

/* Lets go what nobody else holds. */
void large_tidy(struct large *large);

#endif
