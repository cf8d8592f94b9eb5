/* The memory backend: a sharded hash table of immutable, reference-counted values. */
#ifndef STEADYCACHE_BACKEND_MEMORY_H
#define STEADYCACHE_BACKEND_MEMORY_H

#include "store/backend.h"

struct memory_mirror;
struct namespaces;

/* backend_config.settings */
struct memory_settings {
	uint64_t max_bytes; /* the most that it may use, including overhead; 0: no limit */
	/* For backends/persist: how often what has changed is written to a file; 0: never. Plain
	 * memory ignores it. */
	int64_t persist_every_us;
	/* For tests of that: values leave memory as soon as the file has them; and how much longer
	 * than that it may take until SETs are refused, 0: 30 s. */
	bool spills_all;
	int64_t slack_us;
};

/* backend_ops.headroom_record_bytes */
#define MEMORY_RECORD_BYTES 40

extern const struct option_table memory_options;

/* Without a copy in a file. */

extern const struct backend_ops memory_backend_ops;

/* ---- A store with a copy of it elsewhere (mirror.h) ---- */

/* Opens a memory store with a copy; NULL with a sentence in `error`. */
struct backend *memory_open_with(const struct backend_config *config,
				 const struct memory_mirror *mirror, char *error,
				 size_t error_size);
/* Does a GET that was fetched once more, without counting it again. */
void memory_get_again(struct backend *backend, struct cache_op *op);
/* For the functions of mirror.h. */
struct namespaces *memory_namespaces(struct backend *backend);
/* Entries that expire were adopted. */
void memory_note_expiring(struct backend *backend);

#endif
