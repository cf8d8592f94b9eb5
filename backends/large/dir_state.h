/* The directory, as the files of dir*.c share it. */
#ifndef STEADYCACHE_LARGE_DIR_STATE_H
#define STEADYCACHE_LARGE_DIR_STATE_H

#include <limits.h>
#include <pthread.h>

#include "backends/large/object_store.h"
#include "base/pool.h"

/* Folders of objects, by the first byte of their names. */
#define DIR_FANS 256
/* "ab/cdef..." and a NUL. */
#define DIR_NAME_SIZE (2 * SHA256_BYTES + 2)

/* Its path is shorter than others, which begin with it. */
#define DIR_PATH_SIZE (PATH_MAX - 64)

struct dir {
	struct object_store store;
	int lock;        /* the file `lock`, held */
	int ranges;      /* the file of which a byte stands for a fan */
	int objects;     /* the folder */
	bool is_durable; /* also beyond a loss of power */
	struct pool *readers, *writers;
	/* Held, together with the byte in `ranges`, while an object of the fan is renamed into
	 * place, or looked at and removed. */
	pthread_mutex_t fans[DIR_FANS];
	char path[DIR_PATH_SIZE];
	char spool_folder[PATH_MAX];
};

static inline struct dir *dir_of(struct object_store *store)
{
	return (struct dir *)store;
}

/* Queues a request; `run` answers it. */
static inline void dir_submit(struct pool *pool, struct object_store *store,
			      struct object_request *request, void (*run)(struct pool_job *job))
{
	request->store = store;
	request->job = (struct pool_job){.run = run, .user = request};
	pool_submit(pool, &request->job);
}

#endif
