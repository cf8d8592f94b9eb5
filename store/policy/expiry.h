/* What expires next: a binary heap over nodes that entries embed. An entry that never expires is
 * not in it and costs nothing; one that does knows its position, so it can be removed in log n.
 *
 * Invariants, which policy_expiry_check (check.h) tests: no slot expires before its parent, and
 * each node's `index` is that of its slot.
 *
 * Threads: calls on one heap are made one at a time, under a lock of the caller. */
#ifndef STEADYCACHE_POLICY_EXPIRY_H
#define STEADYCACHE_POLICY_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Part of one entry. It belongs to the heap from expiry_add to expiry_remove. */
struct expiry_node {
	uint32_t index;
};

/* The time is beside the pointer, so that a comparison need not visit the entry. */
struct expiry_slot {
	int64_t expires_at_us;
	struct expiry_node *node;
};

/* A zeroed one is empty and valid. At most UINT32_MAX nodes. */
struct expiry {
	struct expiry_slot *slots;
	size_t count, capacity;
};

void expiry_deinit(struct expiry *expiry);

/* Makes room for `extra` more nodes, so that this many expiry_add cannot fail, whatever is removed
 * meanwhile; until expiry_trim. False: out of memory. */
bool expiry_reserve(struct expiry *expiry, size_t extra);

/* `node` must not be in the heap, which must have room for it (expiry_reserve). */
void expiry_add(struct expiry *expiry, struct expiry_node *node, int64_t expires_at_us);
void expiry_remove(struct expiry *expiry, struct expiry_node *node);

/* Gives some of the room back if much of it is idle, including reserved room. */
void expiry_trim(struct expiry *expiry);

/* The node that expires first, if it has expired by `now_us`; else NULL. It stays in the heap. */
struct expiry_node *expiry_due(const struct expiry *expiry, int64_t now_us);

#endif
