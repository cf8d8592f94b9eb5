#include "backends/packed/spaces.h"

static void prepare(struct name_node *zeroed)
{
	struct space *space = (struct space *)zeroed;

	space->waiting_end = &space->waiting;
}

void spaces_init(struct spaces *spaces)
{
	*spaces = (struct spaces){.lock = PTHREAD_MUTEX_INITIALIZER,
				  .quiet = PTHREAD_COND_INITIALIZER};
	name_table_init(&spaces->table, sizeof(struct space), SPACES_MAX, prepare);
}

void spaces_deinit(struct spaces *spaces)
{
	name_table_deinit(&spaces->table);
	(void)pthread_cond_destroy(&spaces->quiet);
	(void)pthread_mutex_destroy(&spaces->lock);
}

struct space *spaces_find(struct spaces *spaces, struct slice ns)
{
	return (struct space *)name_table_find(&spaces->table, ns);
}

struct space *spaces_find_or_add(struct spaces *spaces, struct slice ns)
{
	return (struct space *)name_table_find_or_add(&spaces->table, ns);
}

void spaces_forget(struct spaces *spaces, struct slice ns)
{
	struct space *space = spaces_find(spaces, ns);

	if (!space)
		return;
	(void)pthread_mutex_lock(&spaces->lock);
	space->version++;
	atomic_store(&space->state, 0);
	(void)pthread_mutex_unlock(&spaces->lock);
}
