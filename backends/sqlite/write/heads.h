/* What is known of the heads of a namespace's lists by frequency (evict.h): for each frequency a
 * time before which no entry of it was used. All on the writer's thread. */
#ifndef STEADYCACHE_SQLITE_HEADS_H
#define STEADYCACHE_SQLITE_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most namespaces of which something is known, and most frequencies of one. */
#define HEADS_NAMESPACES 8
#define HEADS_MAX        65536

struct head {
	int64_t frequency;
	int64_t last_access_us; /* of the list's first entry, when it was last read */
	bool is_open;           /* belongs to frequency_lists.c: the list is among those that it
				 * reads now */
};

struct heads {
	int64_t namespace_id; /* 0: nothing is known */
	/* By rising frequency, from 2 on: every frequency up to the last of these that there
	 * was. */
	struct head *items;
	size_t count, capacity;
	bool is_complete; /* there was none after the last */
	/* The earliest use of an entry that has come to a frequency since; INT64_MAX: none has. */
	int64_t arrived_us;
	uint64_t turn; /* when it was last asked for */
};

/* A zeroed one is empty and valid. */
struct heads_cache {
	struct heads of[HEADS_NAMESPACES];
	uint64_t turns;
	int64_t data_version; /* the version to which all of it belongs */
};

/* What is known of a namespace: nothing if nobody asked recently, or if another process has written
 * since, which changes the writer's `data_version` (SQLite's pragma of that name). Valid until the
 * next call. 0 is not a version: nothing is known then. */
struct heads *heads_of(struct heads_cache *cache, int64_t data_version, int64_t namespace_id);

/* Adds a frequency after the last. False: it stays unknown, because there is no room. */
bool heads_add(struct heads *heads, int64_t frequency, int64_t last_access_us);
/* There is no entry of items[index] any more. */
void heads_remove(struct heads *heads, size_t index);
/* Starts over with `heads`. */
void heads_clear(struct heads *heads);

/* An entry has a new frequency above 1. */
void heads_arrive(struct heads_cache *cache, int64_t namespace_id, int64_t last_access_us);

/* Nothing is known any more: after a roll-back entries are what they were before. */
void heads_forget(struct heads_cache *cache);
/* Frees all. */
void heads_deinit(struct heads_cache *cache);

#endif
