#include "tests/drivers/bodies.h"

#include <fcntl.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/memory/memory.h"

#define FROM_BYTES ((uint64_t)1 << 20)
#define MAX_BYTES  ((uint64_t)5 << 30)
/* The most that a reader gives at a time. */
#define READ_BYTES 100000

struct stored {
	struct cache_body body;
	struct stored *next;
	int file;
};

struct read {
	struct body_reader reader;
	struct stored *stored;
	const char *type; /* literal */
	uint64_t at, end, middle;
	bool has_waited;
	void (*wake)(void *user);
	void *user;
	struct read *next; /* of those that are to be woken */
};

struct bodies {
	struct backend base;
	struct backend *inner;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct stored *all;
	struct read *waiting, *woken; /* `woken`: it is being woken now */
	bool stop;
	pthread_t waker;
};

static struct bodies *opened; /* one at a time */

/* ---- Bodies ---- */

static enum body_step read_some(struct body_reader *reader, char *room, size_t size,
				size_t *ret_len)
{
	struct read *read = (struct read *)(void *)reader;
	bool is_later = read->at >= read->middle;
	bool hangs = is_later && strcmp(read->type, "x-test/hangs") == 0;

	if (read->at == read->end)
		return BODY_STEP_END;
	if (!read->has_waited || hangs) {
		read->has_waited = true;
		if (hangs)
			return BODY_STEP_WAIT;
		(void)pthread_mutex_lock(&opened->lock);
		read->next = opened->waiting;
		opened->waiting = read;
		(void)pthread_cond_broadcast(&opened->changed);
		(void)pthread_mutex_unlock(&opened->lock);
		return BODY_STEP_WAIT;
	}
	read->has_waited = false;
	if (strcmp(read->type, "x-test/fails-first") == 0 ||
	    (is_later && strcmp(read->type, "x-test/fails-later") == 0)) {
		reader->failure = CACHE_UNAVAILABLE;
		reader->detail = "the test's store has failed";
		return BODY_STEP_FAILED;
	}
	if (size > read->end - read->at)
		size = (size_t)(read->end - read->at);
	if (size > READ_BYTES)
		size = READ_BYTES;
	if (read->at < read->middle && size > read->middle - read->at)
		size = (size_t)(read->middle - read->at);
	ssize_t got = pread(read->stored->file, room, size, (off_t)read->at);
	if (got <= 0)
		abort();
	read->at += (uint64_t)got;
	*ret_len = (size_t)got;
	return BODY_STEP_BYTES;
}

static void close_read(struct body_reader *reader)
{
	struct read *read = (struct read *)(void *)reader;

	(void)pthread_mutex_lock(&opened->lock);
	for (struct read **at = &opened->waiting; *at; at = &(*at)->next)
		if (*at == read) {
			*at = read->next;
			break;
		}
	while (opened->woken == read)
		(void)pthread_cond_wait(&opened->changed, &opened->lock);
	(void)pthread_mutex_unlock(&opened->lock);
	free(read);
}

static void *waker_main(void *arg)
{
	struct bodies *bodies = arg;

	(void)pthread_mutex_lock(&bodies->lock);
	while (!bodies->stop || bodies->waiting) {
		struct read *read = bodies->waiting;

		if (!read) {
			(void)pthread_cond_wait(&bodies->changed, &bodies->lock);
			continue;
		}
		bodies->waiting = read->next;
		bodies->woken = read;
		(void)pthread_mutex_unlock(&bodies->lock);
		read->wake(read->user);
		(void)pthread_mutex_lock(&bodies->lock);
		bodies->woken = NULL;
		(void)pthread_cond_broadcast(&bodies->changed);
	}
	(void)pthread_mutex_unlock(&bodies->lock);
	return NULL;
}

static const struct body_reader_ops reader_ops = {.read = read_some, .close = close_read};

/* A body as a value has it: with the way to read it. */
struct handed {
	struct cache_body body;
	struct stored *stored;
	const char *type;
};

static struct body_reader *open_read(struct cache_body *body, uint64_t offset, uint64_t len,
				     void (*wake)(void *user), void *user)
{
	struct handed *handed = (struct handed *)(void *)body;
	struct read *read = calloc(1, sizeof(*read));

	if (!read)
		abort();
	read->reader.ops = &reader_ops;
	read->stored = handed->stored;
	read->type = handed->type;
	read->at = offset;
	read->end = offset + len;
	read->middle = offset + len / 2;
	read->wake = wake;
	read->user = user;
	return &read->reader;
}

static int file_of(struct cache_body *body)
{
	struct handed *handed = (struct handed *)(void *)body;

	return strncmp(handed->type, "x-test/", 7) == 0 ? -1 : handed->stored->file;
}

static void free_handed(struct cache_body *body)
{
	free(body);
}

static const struct cache_body_ops body_ops = {
	.open = open_read,
	.file = file_of,
	.free = free_handed,
};

static struct cache_body *hand_out(struct stored *stored, const char *type)
{
	static const char *const types[] = {"x-test/reader", "x-test/fails-first",
					    "x-test/fails-later", "x-test/hangs"};
	struct handed *handed = calloc(1, sizeof(*handed));

	if (!handed)
		abort();
	handed->body = stored->body;
	handed->body.ops = &body_ops;
	atomic_store(&handed->body.refs, 1);
	handed->stored = stored;
	handed->type = "";
	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			handed->type = types[i];
	return &handed->body;
}

/* ---- Spools ---- */

struct spool {
	struct body_spool spool;
	struct sha256_ctx hash;
	struct stored *stored; /* NULL: it is ended */
};

static bool write_spool(struct body_spool *spool, struct slice piece)
{
	struct spool *own = (struct spool *)(void *)spool;

	if (pwrite(own->stored->file, piece.data, piece.len, (off_t)spool->len_bytes) !=
	    (ssize_t)piece.len) {
		spool->failure = CACHE_NO_SPACE;
		return false;
	}
	spool->len_bytes += piece.len;
	sha256_update(&own->hash, piece.len, (const uint8_t *)piece.data);
	return true;
}

static struct cache_body *end_spool(struct body_spool *spool)
{
	struct spool *own = (struct spool *)(void *)spool;
	struct stored *stored = own->stored;

	own->stored = NULL;
	stored->body.len_bytes = spool->len_bytes;
	sha256_digest(&own->hash, SHA256_BYTES, stored->body.sha256);
	(void)pthread_mutex_lock(&opened->lock);
	stored->next = opened->all;
	opened->all = stored;
	(void)pthread_mutex_unlock(&opened->lock);
	return hand_out(stored, NULL);
}

static void free_stored(struct stored *stored)
{
	if (stored)
		(void)close(stored->file);
	free(stored);
}

static void close_spool(struct body_spool *spool)
{
	free_stored(((struct spool *)(void *)spool)->stored);
	free(spool);
}

static const struct body_spool_ops spool_ops = {
	.write = write_spool,
	.end = end_spool,
	.close = close_spool,
};

static struct body_spool *open_spool(struct backend *backend)
{
	struct spool *spool = calloc(1, sizeof(*spool));

	(void)backend;
	if (!spool)
		abort();
	spool->spool.ops = &spool_ops;
	sha256_init(&spool->hash);
	spool->stored = calloc(1, sizeof(*spool->stored));
	if (!spool->stored)
		abort();
	spool->stored->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (spool->stored->file < 0)
		abort();
	return &spool->spool;
}

static struct backend_intake intake_of(struct backend *backend)
{
	(void)backend;
	return (struct backend_intake){.from_bytes = FROM_BYTES, .max_bytes = MAX_BYTES};
}

/* ---- Operations ---- */

struct pending {
	void (*done)(struct cache_op *op);
	void *user;
	struct cache_value *value; /* of a SET: the caller's */
};

static struct stored *find(const uint8_t *sha256)
{
	(void)pthread_mutex_lock(&opened->lock);
	struct stored *stored = opened->all;
	while (stored && memcmp(stored->body.sha256, sha256, SHA256_BYTES) != 0)
		stored = stored->next;
	(void)pthread_mutex_unlock(&opened->lock);
	if (!stored)
		abort();
	return stored;
}

static void resolve(struct cache_op *op, struct cache_item *item)
{
	struct cache_value *reference = item->value;
	struct slice head = cache_value_head(reference);
	struct stored *stored = find((const uint8_t *)cache_value_bytes(reference).data);
	struct cache_value *made = NULL;
	uint64_t len = stored->body.len_bytes;

	if (op->takes_bodies) {
		made = cache_value_create_for_body(
			hand_out(stored, cache_value_content_type(reference)), head);
	} else if (len <= (op->max_value_bytes > 0 ? op->max_value_bytes : UINT64_C(4) << 20)) {
		made = cache_value_create((size_t)len, head);
		if (made &&
		    pread(stored->file, cache_value_data(made), (size_t)len, 0) != (ssize_t)len)
			abort();
		if (made)
			cache_value_seal(made);
	} else {
		item->status = CACHE_TOO_LARGE;
		if (op->items == &op->one)
			op->status = CACHE_TOO_LARGE;
		op->detail = "the value is too large for this answer; get it by "
			     "/cache/{namespace}/{key}";
	}
	if (made) {
		made->modified_at_us = reference->modified_at_us;
		made->expires_at_us = reference->expires_at_us;
	}
	cache_value_release(reference);
	item->value = made;
}

static void get_done(struct cache_op *op)
{
	struct pending *pending = op->user;

	op->takes_references = false;
	for (size_t i = 0; i < op->item_count; i++)
		if (op->items[i].value && op->items[i].value->flags & CACHE_VALUE_REFERENCE)
			resolve(op, &op->items[i]);
	op->done = pending->done;
	op->user = pending->user;
	free(pending);
	op->done(op);
}

static struct pending *begin(struct cache_op *op, void (*done)(struct cache_op *op))
{
	struct pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		abort();
	pending->done = op->done;
	pending->user = op->user;
	op->done = done;
	op->user = pending;
	return pending;
}

static void get(struct backend *backend, struct cache_op *op)
{
	(void)begin(op, get_done);
	op->takes_references = true;
	backend_submit(((struct bodies *)(void *)backend)->inner, op);
}

static void set_done(struct cache_op *op)
{
	struct pending *pending = op->user;

	if (pending->value) {
		cache_value_release(op->one.value);
		op->one.value = pending->value;
	}
	op->done = pending->done;
	op->user = pending->user;
	free(pending);
	op->done(op);
}

static void set(struct backend *backend, struct cache_op *op)
{
	struct bodies *bodies = (struct bodies *)(void *)backend;
	struct pending *pending = begin(op, set_done);
	struct cache_value *value = op->items->value;
	struct cache_body *body = cache_value_body(value);

	if (op->items == &op->one && body) {
		struct cache_value *reference =
			cache_value_create(SHA256_BYTES, cache_value_head(value));

		if (!reference)
			abort();
		memcpy(cache_value_data(reference), body->sha256, SHA256_BYTES);
		cache_value_seal_known(reference, &value->etag, CACHE_VALUE_REFERENCE);
		pending->value = value;
		op->one.value = reference;
	}
	backend_submit(bodies->inner, op);
}

static void pass(struct backend *backend, struct cache_op *op)
{
	backend_submit(((struct bodies *)(void *)backend)->inner, op);
}

static size_t gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	struct backend *inner = ((struct bodies *)(void *)backend)->inner;

	return inner->ops->gauges(inner, ret, max);
}

static void bodies_close(struct backend *backend)
{
	struct bodies *bodies = (struct bodies *)(void *)backend;

	bodies->inner->ops->close(bodies->inner);
	(void)pthread_mutex_lock(&bodies->lock);
	bodies->stop = true;
	(void)pthread_cond_broadcast(&bodies->changed);
	(void)pthread_mutex_unlock(&bodies->lock);
	(void)pthread_join(bodies->waker, NULL);
	while (bodies->all) {
		struct stored *next = bodies->all->next;

		free_stored(bodies->all);
		bodies->all = next;
	}
	free(bodies);
}

static struct backend *bodies_open(const struct backend_config *config, char *error,
				   size_t error_size)
{
	struct bodies *bodies = calloc(1, sizeof(*bodies));

	if (!bodies)
		abort();
	bodies->base.ops = &bodies_backend_ops;
	bodies->inner = memory_backend_ops.open(config, error, error_size);
	(void)pthread_mutex_init(&bodies->lock, NULL);
	(void)pthread_cond_init(&bodies->changed, NULL);
	opened = bodies;
	if (pthread_create(&bodies->waker, NULL, waker_main, bodies) != 0)
		abort();
	return &bodies->base;
}

const struct backend_ops bodies_backend_ops = {
	.name = "bodies",
	.bits = BACKEND_WHOLE | BACKEND_BODIES,
	.open = bodies_open,
	.get = get,
	.set = set,
	.remove = pass,
	.exists = pass,
	.expire = pass,
	.clear = pass,
	.scan = pass,
	.stats = pass,
	.configure = pass,
	.sync = pass,
	.check = pass,
	.gauges = gauges,
	.intake = intake_of,
	.spool = open_spool,
	.close = bodies_close,
};
