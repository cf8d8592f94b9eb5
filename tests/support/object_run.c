#include "tests/support/object_run.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"

#define ROOM_SIZE 65536

/* What the caller waits for. */
struct event {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_set;
};

static void set(void *user)
{
	struct event *event = user;

	(void)pthread_mutex_lock(&event->lock);
	event->is_set = true;
	(void)pthread_cond_signal(&event->changed);
	(void)pthread_mutex_unlock(&event->lock);
}

static void init(struct event *event)
{
	(void)pthread_mutex_init(&event->lock, NULL);
	thread_condition_init(&event->changed);
	event->is_set = false;
}

static void await(struct event *event)
{
	int64_t until_us = monotonic_now_us() + 60 * US_PER_S;

	(void)pthread_mutex_lock(&event->lock);
	while (!event->is_set)
		if (!thread_wait_until(&event->changed, &event->lock, until_us)) {
			fprintf(stderr, "an object store is silent for a minute\n");
			abort();
		}
	event->is_set = false;
	(void)pthread_mutex_unlock(&event->lock);
}

static void on_done(struct object_request *request)
{
	set(request->user);
}

enum cache_status object_run(struct object_store *store, object_start *start,
			     struct object_request *request)
{
	struct event event;

	init(&event);
	request->user = &event;
	request->done = on_done;
	start(store, request);
	await(&event);
	return request->status;
}

enum cache_status object_read(struct cache_body *body, uint64_t offset, uint64_t len,
			      bool (*take)(void *user, const char *bytes, size_t len), void *user,
			      const char **ret_detail)
{
	struct event event;
	char room[ROOM_SIZE];
	size_t got = 0;
	enum body_step step;
	bool goes_on = true;

	init(&event);
	struct body_reader *reader = body->ops->open(body, offset, len, set, &event);
	do {
		step = reader->ops->read(reader, room, sizeof(room), &got);
		if (step == BODY_STEP_WAIT)
			await(&event);
		else if (step == BODY_STEP_BYTES && take)
			goes_on = take(user, room, got);
	} while (goes_on && (step == BODY_STEP_BYTES || step == BODY_STEP_WAIT));
	enum cache_status status = step == BODY_STEP_FAILED ? reader->failure : CACHE_OK;
	if (ret_detail)
		*ret_detail = reader->detail;
	reader->ops->close(reader);
	return status;
}

void object_hash_file(int file, struct object_request *request)
{
	struct sha256_ctx hash;
	char room[ROOM_SIZE];
	ssize_t got;

	sha256_init(&hash);
	request->len_bytes = 0;
	while ((got = pread(file, room, sizeof(room), (off_t)request->len_bytes)) > 0) {
		sha256_update(&hash, (size_t)got, (const uint8_t *)room);
		request->len_bytes += (uint64_t)got;
	}
	sha256_digest(&hash, sizeof(request->sha256), request->sha256);
}
