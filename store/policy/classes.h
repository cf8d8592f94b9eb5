/* The frequency classes of an order: how many nodes have a frequency and, under frecency, their
 * list. A sorted array in blocks; classes.c explains why.
 *
 * Invariants, which policy_order_check (check.h) tests:
 * - frequencies increase from class to class and from block to block;
 * - no class of a block is below its `least`, and none of an earlier block reaches it;
 * - a block has at least one class, and at most `capacity`;
 * - the first class of the first block is that of frequency 1.
 *
 * Threads: as order.h. */
#ifndef STEADYCACHE_POLICY_CLASSES_H
#define STEADYCACHE_POLICY_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/policy/order_node.h"

/* The entries of one frequency. */
struct frequency_class {
	uint32_t frequency;
	uint32_t entry_count; /* may be 0: kept until room is needed */
	struct order_list list;
};

struct class_block {
	struct frequency_class *classes;
	uint32_t least;
	uint16_t count, capacity;
	/* Belong to victims.c: the head that goes first (NULL: there is none) at any time of
	 * known_from_us <= t < known_until_us. */
	int64_t known_from_us, known_until_us;
	struct order_node *first;
};

/* A zeroed one is valid, but only classes_deinit may be called before classes_prepare. */
struct classes {
	struct class_block *blocks;
	uint32_t block_count, block_capacity;
	bool is_searched; /* something may be known of a block */
};

/* Creates the class of frequency 1. False: out of memory. */
bool classes_prepare(struct classes *classes);
void classes_deinit(struct classes *classes);

/* The block in which `frequency` is, or belongs. Valid until the next classes_make or
 * classes_trim. */
struct class_block *classes_block(const struct classes *classes, uint32_t frequency);

/* The class of `frequency`, which must exist. Valid until the next classes_make or classes_trim. */
struct frequency_class *classes_find(const struct classes *classes, uint32_t frequency);

/* The same, created if there is none; NULL: out of memory. */
struct frequency_class *classes_make(struct classes *classes, uint32_t frequency);

/* Turns `class` into that of the next frequency, below UINT32_MAX. False, and nothing is done: that
 * frequency has a class already or belongs elsewhere; or `class` is the first. */
bool classes_raise(struct classes *classes, struct frequency_class *class);

/* Drops empty classes after the last one that is not empty. */
void classes_trim(struct classes *classes);

/* The class of the highest frequency; NULL before classes_prepare. */
struct frequency_class *classes_last(const struct classes *classes);

#endif
