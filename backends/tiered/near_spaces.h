/* What the near cache knows of namespaces: its hits, which the backend behind it does not see but
 * statistics must include, and how old a copy may be that answers. Any thread. */
#ifndef STEADYCACHE_TIERED_NEAR_SPACES_H
#define STEADYCACHE_TIERED_NEAR_SPACES_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"
#include "store/name_table.h"

/* Of further namespaces nothing is known. */
#define NEAR_SPACES_MAX 10000

struct near_space {
	struct name_node node;
	_Atomic uint64_t hits;
	_Atomic int64_t max_age_us;
	_Atomic int64_t asked_us; /* when the backend was asked for the settings; 0: never */
};

struct near_spaces {
	struct name_table table;
};

void near_spaces_init(struct near_spaces *spaces);
void near_spaces_deinit(struct near_spaces *spaces);

/* The namespace `ns`. NULL: nothing is known of it. */
struct near_space *near_spaces_find(struct near_spaces *spaces, struct slice ns);
/* The same; adds it if there is room. */
struct near_space *near_spaces_find_or_add(struct near_spaces *spaces, struct slice ns);

/* A copy that is not older answers whatever the idle time is. */
#define NEAR_SPACE_AGE_MIN_US (US_PER_S / 8)

/* Its entries are gone if nobody uses them for so long (0: never). The backend behind does not see
 * hits of copies: so these answer for a part of that time only, and who wants an entry more often
 * keeps it there. */
void near_space_set_max_idle(struct near_space *space, int64_t max_idle_s);
/* What the backend was asked for may be from before that: it is asked again. */
void near_space_ask_again(struct near_space *space);
/* The namespace is gone. */
void near_space_forget(struct near_space *space);

/* How old a copy may be that answers. */
static inline int64_t near_space_max_age_us(struct near_space *space)
{
	return atomic_load_explicit(&space->max_age_us, memory_order_relaxed);
}

static inline void near_space_add_hits(struct near_space *space, uint64_t how_many)
{
	(void)atomic_fetch_add_explicit(&space->hits, how_many, memory_order_relaxed);
}

#endif
