/* Objects that the sweep might remove, and which of them the entries name. One thread. */
#ifndef STEADYCACHE_LARGE_CANDIDATES_H
#define STEADYCACHE_LARGE_CANDIDATES_H

#include "backends/large/object_store.h"
#include "base/etag.h"

/* At a time: some 10 MB. */
#define CANDIDATES_MAX 262144

struct candidate {
	uint8_t sha256[SHA256_BYTES];
	uint64_t len_bytes;
	bool is_named;
};

struct candidates {
	struct candidate *all;
	size_t count, capacity;
};

void candidates_deinit(struct candidates *candidates);

/* False: out of memory. */
bool candidates_add(struct candidates *candidates, const struct object_info *info);
/* Call it after the last add, before the first name. */
void candidates_sort(struct candidates *candidates);
/* Marks the objects with this tag. */
void candidates_name(struct candidates *candidates, const struct etag *etag);

#endif
