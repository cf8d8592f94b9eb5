/* Readers first try to read without waiting (RWF_NOWAIT); for what is not in the system's cache a
 * job fills the reader's buffer, and then wakes it. */
#include "backends/large/file_body.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backends/large/disk.h"
#include "base/invariant.h"

#define FILE_BUFFER_BYTES 262144

struct file_body {
	struct cache_body body;
	struct pool *pool;
	struct pool_job end;
	int file;
	bool has_path;
	atomic_bool is_taken; /* the path */
	char path[];
};

static struct file_body *file_body_of(struct cache_body *body)
{
	return (struct file_body *)body;
}

/* ---- Readers ---- */

struct file_reader {
	struct body_reader reader;
	struct file_body *body; /* a reference */
	void (*wake)(void *user);
	void *user;
	uint64_t offset, left; /* of what has not been read from the file */
	struct pool_job fill;

	pthread_mutex_t lock; /* guards the members below, and all above while a job runs */
	pthread_cond_t woken; /* `waking` has fallen */
	unsigned jobs;        /* that are queued or running */
	unsigned waking;      /* those of them that call wake */
	bool is_filling, is_closed;
	char *buffer;
	size_t buffered, taken;
};

/* The reader that this thread is waking. */
static _Thread_local const struct file_reader *waking_here;

static void reader_free(struct file_reader *reader)
{
	(void)pthread_cond_destroy(&reader->woken);
	(void)pthread_mutex_destroy(&reader->lock);
	cache_body_release(&reader->body->body);
	free(reader->buffer);
	free(reader);
}

/* The outcome of a read: notes a failure. */
static void note_outcome(struct file_reader *reader, ssize_t got, int error)
{
	if (got > 0) {
		reader->offset += (uint64_t)got;
		reader->left -= (uint64_t)got;
	} else if (got < 0) {
		reader->reader.failure = disk_status(error, &reader->reader.detail);
	} else {
		reader->reader.failure = CACHE_CORRUPT;
		reader->reader.detail = "the file of this value has lost bytes; write the entry "
					"again";
	}
}

static void call_wake(struct file_reader *reader)
{
	reader->waking++;
	(void)pthread_mutex_unlock(&reader->lock);
	waking_here = reader;
	reader->wake(reader->user);
	waking_here = NULL;
	(void)pthread_mutex_lock(&reader->lock);
	reader->waking--;
	(void)pthread_cond_broadcast(&reader->woken);
}

/* Reads the next part into the buffer. */
static void fill(struct pool_job *job)
{
	struct file_reader *reader = job->user;
	size_t want = reader->left < FILE_BUFFER_BYTES ? (size_t)reader->left : FILE_BUFFER_BYTES;
	ssize_t got;

	do {
		got = pread(reader->body->file, reader->buffer, want, (off_t)reader->offset);
	} while (got < 0 && errno == EINTR);
	int error = errno;

	(void)pthread_mutex_lock(&reader->lock);
	note_outcome(reader, got, error);
	reader->buffered = got > 0 ? (size_t)got : 0;
	reader->taken = 0;
	reader->is_filling = false;
	if (!reader->is_closed)
		call_wake(reader);
	reader->jobs--;
	bool is_last = reader->is_closed && reader->jobs == 0;
	(void)pthread_mutex_unlock(&reader->lock);
	if (is_last)
		reader_free(reader);
}

static enum body_step take_buffered(struct file_reader *reader, char *room, size_t size,
				    size_t *ret_len)
{
	size_t len = reader->buffered - reader->taken;

	len = len < size ? len : size;
	memcpy(room, reader->buffer + reader->taken, len);
	reader->taken += len;
	*ret_len = len;
	return BODY_STEP_BYTES;
}

/* From the file if its bytes are in the system's cache; otherwise a job begins. */
static enum body_step take_from_file(struct file_reader *reader, char *room, size_t size,
				     size_t *ret_len)
{
	const struct iovec place = {
		.iov_base = room,
		.iov_len = reader->left < size ? (size_t)reader->left : size,
	};
	ssize_t got = preadv2(reader->body->file, &place, 1, (off_t)reader->offset, RWF_NOWAIT);

	if (got > 0) {
		note_outcome(reader, got, 0);
		*ret_len = (size_t)got;
		return BODY_STEP_BYTES;
	}
	if (!reader->buffer)
		reader->buffer = malloc(FILE_BUFFER_BYTES);
	if (!reader->buffer) {
		reader->reader.failure = CACHE_NO_MEMORY;
		return BODY_STEP_FAILED;
	}
	reader->is_filling = true;
	reader->jobs++;
	pool_submit(reader->body->pool, &reader->fill);
	return BODY_STEP_WAIT;
}

static enum body_step reader_read(struct body_reader *base, char *room, size_t size,
				  size_t *ret_len)
{
	struct file_reader *reader = (struct file_reader *)base;
	enum body_step step;

	(void)pthread_mutex_lock(&reader->lock);
	INVARIANT(!reader->is_closed);
	if (reader->is_filling)
		step = BODY_STEP_WAIT;
	else if (reader->taken < reader->buffered)
		step = take_buffered(reader, room, size, ret_len);
	else if (base->failure != CACHE_OK)
		step = BODY_STEP_FAILED;
	else if (reader->left == 0)
		step = BODY_STEP_END;
	else
		step = take_from_file(reader, room, size, ret_len);
	(void)pthread_mutex_unlock(&reader->lock);
	return step;
}

/* A job that is under way frees the reader. */
static void reader_close(struct body_reader *base)
{
	struct file_reader *reader = (struct file_reader *)base;

	(void)pthread_mutex_lock(&reader->lock);
	reader->is_closed = true;
	while (reader->waking > (waking_here == reader))
		(void)pthread_cond_wait(&reader->woken, &reader->lock);
	bool is_free = reader->jobs == 0;
	(void)pthread_mutex_unlock(&reader->lock);
	if (is_free)
		reader_free(reader);
}

static const struct body_reader_ops reader_ops = {.read = reader_read, .close = reader_close};

/* ---- Bodies ---- */

static struct body_reader *body_open(struct cache_body *body, uint64_t offset, uint64_t len,
				     void (*wake)(void *user), void *user)
{
	struct file_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->reader.ops = &reader_ops;
	reader->body = file_body_of(cache_body_acquire(body));
	reader->wake = wake;
	reader->user = user;
	reader->offset = offset;
	reader->left = len;
	reader->fill = (struct pool_job){.run = fill, .user = reader};
	(void)pthread_mutex_init(&reader->lock, NULL);
	(void)pthread_cond_init(&reader->woken, NULL);
	return &reader->reader;
}

static int body_file(struct cache_body *body)
{
	return file_body_of(body)->file;
}

/* To close a file that has been removed takes as long as to give back its blocks. */
static void end_body(struct pool_job *job)
{
	struct file_body *body = job->user;

	if (body->has_path)
		(void)unlink(body->path);
	(void)close(body->file);
	free(body);
}

static void body_free(struct cache_body *base)
{
	struct file_body *body = file_body_of(base);

	body->end = (struct pool_job){.run = end_body, .user = body};
	pool_submit(body->pool, &body->end);
}

static const struct cache_body_ops body_ops = {
	.open = body_open,
	.file = body_file,
	.free = body_free,
};

struct cache_body *file_body_create(struct pool *pool, const struct file_body_parts *parts)
{
	size_t path_size = parts->path ? strlen(parts->path) + 1 : 0;
	struct file_body *body = calloc(1, sizeof(*body) + path_size);

	if (!body)
		return NULL;
	body->body = (struct cache_body){
		.ops = &body_ops,
		.refs = 1,
		.len_bytes = parts->len_bytes,
		.flags = parts->flags,
	};
	memcpy(body->body.sha256, parts->sha256, sizeof(body->body.sha256));
	body->pool = pool;
	body->file = parts->file;
	body->has_path = parts->path != NULL;
	if (body->has_path)
		memcpy(body->path, parts->path, path_size);
	return &body->body;
}

const char *file_body_take_path(struct cache_body *body)
{
	struct file_body *mine = file_body_of(body);

	if (body->ops != &body_ops || !mine->has_path || atomic_exchange(&mine->is_taken, true))
		return NULL;
	return mine->path;
}
