#include "backends/large/body_copy.h"

#include <pthread.h>
#include <stdlib.h>

#define PIECE_BYTES 262144

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool is_awake;
};

static void wake(void *user)
{
	struct waiter *waiter = user;

	(void)pthread_mutex_lock(&waiter->lock);
	waiter->is_awake = true;
	(void)pthread_cond_signal(&waiter->woken);
	(void)pthread_mutex_unlock(&waiter->lock);
}

static void await_wake(struct waiter *waiter)
{
	(void)pthread_mutex_lock(&waiter->lock);
	while (!waiter->is_awake)
		(void)pthread_cond_wait(&waiter->woken, &waiter->lock);
	waiter->is_awake = false;
	(void)pthread_mutex_unlock(&waiter->lock);
}

static bool copy_all(struct body_reader *reader, struct waiter *waiter, char *room,
		     struct body_spool *spool)
{
	size_t len;

	for (;;) {
		switch (reader->ops->read(reader, room, PIECE_BYTES, &len)) {
		case BODY_STEP_BYTES:
			if (!spool->ops->write(spool, (struct slice){.data = room, .len = len}))
				return false;
			break;
		case BODY_STEP_WAIT:
			await_wake(waiter);
			break;
		case BODY_STEP_END:
			return true;
		case BODY_STEP_FAILED:
			spool->failure = reader->failure;
			spool->detail = reader->detail;
			return false;
		}
	}
}

bool body_copy(struct cache_body *body, struct body_spool *spool)
{
	struct waiter waiter = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.woken = PTHREAD_COND_INITIALIZER,
	};
	struct body_reader *reader = body->ops->open(body, 0, body->len_bytes, wake, &waiter);
	char *room = malloc(PIECE_BYTES);
	bool is_copied = false;

	if (reader && room)
		is_copied = copy_all(reader, &waiter, room, spool);
	else
		spool->failure = CACHE_NO_MEMORY;
	if (reader)
		reader->ops->close(reader);
	free(room);
	return is_copied;
}
