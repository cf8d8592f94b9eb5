/* The namespaces of the table, as this process knows them: their settings, what it has to add to
 * their accounts, and when something of them expires. */
#ifndef STEADYCACHE_DYNAMODB_SPACE_H
#define STEADYCACHE_DYNAMODB_SPACE_H

#include "store/backend.h"

#define DYNAMODB_DEFAULT_POLICY EVICT_NONE

/* What is added to the accounts of a namespace. */
struct dynamodb_delta {
	int64_t entries, size, used;
};

struct dynamodb_space {
	struct dynamodb_space *next; /* in its bucket */
	char name[NAMESPACE_MAX_LEN + 1];
	bool is_registered; /* the table knows it */
	struct namespace_settings settings;
	int64_t configured_us; /* monotonic: when this process changed them last */
	/* Monotonic, 0: never: when a reading that found it in the table began; when this process
	 * told the table of it, and dropped it; and when it looks for entries that it may have
	 * written after another server had dropped it (recall.h). */
	int64_t seen_us, registered_us, dropped_us, recall_at_us;
	bool has_entries; /* such were found */

	struct dynamodb_delta pending; /* not sent yet */
	struct dynamodb_delta sending; /* sent as number `sequence`, perhaps without success */
	bool is_sending;
	uint64_t sequence;

	/* When the sweep has something to do, by the clock of entries, as far as known. */
	int64_t next_end_us;
	int64_t look_at_us; /* monotonic: when it looks anyway, as others write too */
};

#define DYNAMODB_SPACE_BUCKETS 256

/* A zeroed one is empty. */
struct dynamodb_spaces {
	size_t count; /* registered */
	struct dynamodb_space *buckets[DYNAMODB_SPACE_BUCKETS];
};

void dynamodb_spaces_deinit(struct dynamodb_spaces *spaces);

/* NULL: it is not known. */
struct dynamodb_space *dynamodb_space_find(const struct dynamodb_spaces *spaces, struct slice name);
/* Adds one that is not known. NULL: out of memory. */
struct dynamodb_space *dynamodb_space_add(struct dynamodb_spaces *spaces,
					  const struct backend_config *config, struct slice name);
/* The one after `space` (NULL: the first); NULL: no more. */
struct dynamodb_space *dynamodb_space_next(const struct dynamodb_spaces *spaces,
					   const struct dynamodb_space *space);
void dynamodb_space_register(struct dynamodb_spaces *spaces, struct dynamodb_space *space);
/* The table does not know it any more: it was dropped, and begins anew. */
void dynamodb_space_unregister(struct dynamodb_spaces *spaces, const struct backend_config *config,
			       struct dynamodb_space *space);

/* The settings of a namespace that nobody has configured: limits are none, whatever they are for
 * other backends. */
void dynamodb_space_defaults(const struct backend_config *config, struct slice name,
			     struct namespace_settings *ret);

/* An entry that ends (expires_at_us and the stale time) is there. */
void dynamodb_space_ends(struct dynamodb_space *space, int64_t expires_at_us);

static inline bool dynamodb_delta_is_zero(const struct dynamodb_delta *delta)
{
	return delta->entries == 0 && delta->size == 0 && delta->used == 0;
}

#endif
