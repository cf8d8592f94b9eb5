#include "backends/tiered/near_spaces.h"

/* The part of the idle time for which a copy answers: by so much the backend may believe that an
 * entry was used longer ago than it was. */
#define IDLE_PART 8

static void prepare(struct name_node *zeroed)
{
	near_space_set_max_idle((struct near_space *)zeroed, 0);
}

void near_spaces_init(struct near_spaces *spaces)
{
	name_table_init(&spaces->table, sizeof(struct near_space), NEAR_SPACES_MAX, prepare);
}

void near_spaces_deinit(struct near_spaces *spaces)
{
	name_table_deinit(&spaces->table);
}

struct near_space *near_spaces_find(struct near_spaces *spaces, struct slice ns)
{
	return (struct near_space *)name_table_find(&spaces->table, ns);
}

struct near_space *near_spaces_find_or_add(struct near_spaces *spaces, struct slice ns)
{
	return (struct near_space *)name_table_find_or_add(&spaces->table, ns);
}

void near_space_set_max_idle(struct near_space *space, int64_t max_idle_s)
{
	atomic_store_explicit(&space->max_age_us,
			      max_idle_s > 0 ? max_idle_s * US_PER_S / IDLE_PART : INT64_MAX,
			      memory_order_relaxed);
}

void near_space_ask_again(struct near_space *space)
{
	atomic_store(&space->asked_us, 0);
}

void near_space_forget(struct near_space *space)
{
	atomic_store_explicit(&space->hits, 0, memory_order_relaxed);
	near_space_set_max_idle(space, 0);
}
