#include "backends/large/s3/download.h"

#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/large/s3/call.h"
#include "backends/large/s3/wire.h"
#include "base/thread.h"

#define RING_BYTES ((size_t)256 << 10)
#define TAG_SIZE   128

struct body {
	struct cache_body body; /* first */
	struct s3_store *store;
};

struct reader {
	struct body_reader reader; /* first */
	struct s3_store *store;
	uint8_t sha256[SHA256_BYTES];
	uint64_t object_len, offset, len;
	void (*wake)(void *user);
	void *user;

	/* Its own thread's. */
	uint64_t given;
	bool is_whole;
	struct sha256_ctx hash;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t woken;
	char *ring;
	size_t start, filled;
	bool is_waiting; /* wants to be woken */
	bool is_waking;  /* `wake` is being called */
	bool is_closed;
	bool has_ended;            /* nothing more comes */
	bool is_full;              /* the transfer is paused */
	enum cache_status failure; /* with has_ended; CACHE_OK: all is there */
	const char *detail;

	/* The store's thread's. */
	struct s3_post turn, close;
	struct s3_call call;
	char key[S3_KEY_SIZE];
	char tag[TAG_SIZE]; /* of the object, from the first answer */
	uint64_t received;
	bool is_started, is_checked, has_yielded;
	struct s3_verdict wrong; /* what the receiver saw; status CACHE_OK: nothing */
};

/* ---- The reader's thread ---- */

static size_t take(struct reader *reader, char *room, size_t size)
{
	size_t len = size < reader->filled ? size : reader->filled;
	size_t first = RING_BYTES - reader->start;

	if (first > len)
		first = len;
	memcpy(room, reader->ring + reader->start, first);
	memcpy(room + first, reader->ring, len - first);
	reader->start = (reader->start + len) % RING_BYTES;
	reader->filled -= len;
	return len;
}

/* Whether the bytes of the whole are those of the name; asked before the last ones are given. */
static bool is_right(struct reader *reader, const char *bytes, size_t len)
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	if (!reader->is_whole)
		return true;
	sha256_update(&reader->hash, len, (const uint8_t *)bytes);
	if (reader->given + len < reader->len)
		return true;
	sha256_digest(&reader->hash, sizeof(digest), digest);
	return memcmp(digest, reader->sha256, sizeof(digest)) == 0;
}

static enum body_step fail(struct reader *reader, enum cache_status failure, const char *detail)
{
	reader->reader.failure = failure;
	reader->reader.detail = detail;
	return BODY_STEP_FAILED;
}

/* body_reader_ops.read */
static enum body_step read_some(struct body_reader *of, char *room, size_t size, size_t *ret_len)
{
	struct reader *reader = (struct reader *)of;
	bool has_room = false;
	bool has_ended;

	if (reader->reader.failure != CACHE_OK)
		return BODY_STEP_FAILED;
	if (reader->given == reader->len)
		return BODY_STEP_END;
	(void)pthread_mutex_lock(&reader->lock);
	size_t len = take(reader, room, size);
	has_ended = reader->has_ended;
	if (len > 0 && reader->is_full && reader->filled <= RING_BYTES / 2) {
		has_room = true;
		reader->is_full = false;
	}
	reader->is_waiting = len == 0 && !has_ended;
	(void)pthread_mutex_unlock(&reader->lock);
	if (has_room)
		s3_io_post(&reader->store->io, &reader->turn);
	if (len == 0)
		return has_ended ? fail(reader, reader->failure, reader->detail) : BODY_STEP_WAIT;
	if (!is_right(reader, room, len)) {
		s3_count(reader->store, S3_COUNT_DAMAGED, 1);
		return fail(reader, CACHE_CORRUPT,
			    "the object store gave other bytes than those that were stored; put "
			    "the value again");
	}
	reader->given += len;
	*ret_len = len;
	return BODY_STEP_BYTES;
}

/* body_reader_ops.close */
static void close_reader(struct body_reader *of)
{
	struct reader *reader = (struct reader *)of;

	(void)pthread_mutex_lock(&reader->lock);
	reader->is_closed = true;
	reader->is_waiting = false;
	/* A `wake` that closes the reader it wakes would wait for itself. */
	while (reader->is_waking && !s3_io_is_here(&reader->store->io))
		(void)pthread_cond_wait(&reader->woken, &reader->lock);
	(void)pthread_mutex_unlock(&reader->lock);
	s3_io_post(&reader->store->io, &reader->close);
}

static const struct body_reader_ops reader_ops = {.read = read_some, .close = close_reader};

/* ---- The store's thread ---- */

/* Calls `wake` if the reader waits. With the lock held, which is open meanwhile. */
static void wake_reader(struct reader *reader)
{
	if (!reader->is_waiting || reader->is_closed)
		return;
	reader->is_waiting = false;
	reader->is_waking = true;
	(void)pthread_mutex_unlock(&reader->lock);
	reader->wake(reader->user);
	(void)pthread_mutex_lock(&reader->lock);
	reader->is_waking = false;
	(void)pthread_cond_broadcast(&reader->woken);
}

static void end(struct reader *reader, enum cache_status failure, const char *detail)
{
	(void)pthread_mutex_lock(&reader->lock);
	reader->has_ended = true;
	reader->failure = failure;
	reader->detail = detail;
	wake_reader(reader);
	(void)pthread_mutex_unlock(&reader->lock);
}

static bool is_part(const struct reader *reader)
{
	return reader->received > 0 || reader->len < reader->object_len;
}

/* s3_call.add_headers: of every try. */
static void add_headers(struct s3_call *call, struct buffer *lines)
{
	struct reader *reader = call->user;

	reader->is_checked = false;
	s3_count(reader->store, S3_COUNT_CONTINUED, reader->received > 0);
	if (is_part(reader)) {
		buffer_printf(lines, "Range: bytes=%" PRIu64 "-%" PRIu64,
			      reader->offset + reader->received, reader->offset + reader->len - 1);
		buffer_append_char(lines, '\0');
	}
	if (reader->received > 0 && reader->tag[0]) {
		buffer_printf(lines, "If-Match: %s", reader->tag);
		buffer_append_char(lines, '\0');
	}
}

static bool refuse(struct reader *reader, enum cache_status status, const char *sentence)
{
	reader->wrong = (struct s3_verdict){
		.status = status, .sentence = sentence, .failure = FAILURE_BAD_ANSWER};
	s3_exchange_end(&reader->call.exchange);
	return false;
}

/* Whether the answer is of the bytes that were asked for. */
static bool check_head(struct reader *reader)
{
	const struct s3_exchange *exchange = &reader->call.exchange;
	const char *length = s3_exchange_header(exchange, "Content-Length");
	const char *range = s3_exchange_header(exchange, "Content-Range");
	const char *tag = s3_exchange_header(exchange, "ETag");
	uint64_t first = reader->offset + reader->received;
	const char *slash = range ? strchr(range, '/') : NULL;
	char expected[64];

	(void)snprintf(expected, sizeof(expected), "bytes %" PRIu64 "-%" PRIu64 "/", first,
		       reader->offset + reader->len - 1);
	if (is_part(reader) ? slash && strtoull(slash + 1, NULL, 10) != reader->object_len
			    : length && strtoull(length, NULL, 10) != reader->len)
		return refuse(reader, CACHE_CORRUPT,
			      "an object in the object store has another length than its value");
	if (is_part(reader) && (s3_exchange_status(exchange) != 206 || !slash ||
				strncmp(range, expected, strlen(expected)) != 0))
		return refuse(reader, CACHE_UNAVAILABLE,
			      "the object store does not serve the part of an object that it is "
			      "asked for (Range)");
	if (tag && strlen(tag) < TAG_SIZE)
		(void)snprintf(reader->tag, sizeof(reader->tag), "%s", tag);
	reader->is_checked = true;
	return true;
}

/* s3_call.receive */
static bool receive(struct s3_call *call, struct slice bytes)
{
	struct reader *reader = call->user;
	bool has_room;

	if (!reader->is_checked && !check_head(reader))
		return false;
	if (bytes.len > reader->len - reader->received)
		return refuse(reader, CACHE_CORRUPT,
			      "an object in the object store is longer than its value");
	(void)pthread_mutex_lock(&reader->lock);
	has_room = RING_BYTES - reader->filled >= bytes.len;
	if (has_room) {
		size_t at = (reader->start + reader->filled) % RING_BYTES;
		size_t first = RING_BYTES - at < bytes.len ? RING_BYTES - at : bytes.len;

		memcpy(reader->ring + at, bytes.data, first);
		memcpy(reader->ring, bytes.data + first, bytes.len - first);
		reader->filled += bytes.len;
	}
	reader->is_full = !has_room;
	wake_reader(reader);
	(void)pthread_mutex_unlock(&reader->lock);
	if (!has_room)
		return false;
	reader->received += bytes.len;
	s3_count(reader->store, S3_COUNT_RECEIVED, bytes.len);
	call->is_patient = true;
	s3_call_progress(call);
	return true;
}

/* s3_call.yield: others wait for a connection, and the reader takes nothing. */
static void yield(struct s3_call *call)
{
	struct reader *reader = call->user;

	s3_call_cancel(call);
	reader->has_yielded = true;
}

static void start(struct reader *reader);

/* s3_call.done */
static void on_done(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct reader *reader = call->user;

	if (reader->wrong.status != CACHE_OK) {
		if (reader->wrong.status == CACHE_CORRUPT)
			s3_count(reader->store, S3_COUNT_DAMAGED, 1);
		s3_call_count(call, &reader->wrong);
		end(reader, reader->wrong.status, reader->wrong.sentence);
	} else if (verdict->status == CACHE_NOT_FOUND) {
		s3_count(reader->store, S3_COUNT_DAMAGED, 1);
		end(reader, CACHE_CORRUPT,
		    "the object store does not have the bytes of this entry; put it again");
	} else if (call->exchange.outcome.status == 412 && reader->is_whole) {
		/* The same bytes, put again: the hash of the whole will tell. */
		reader->tag[0] = '\0';
		start(reader);
	} else if (call->exchange.outcome.status == 412) {
		end(reader, CACHE_UNAVAILABLE,
		    "the object was put again while a part of it was read; try again");
	} else if (call->exchange.outcome.status == 416 ||
		   (verdict->status == CACHE_OK && reader->received < reader->len)) {
		s3_count(reader->store, S3_COUNT_DAMAGED, 1);
		end(reader, CACHE_CORRUPT,
		    "an object in the object store is shorter than its value");
	} else {
		end(reader, verdict->status, verdict->sentence);
	}
}

static void start(struct reader *reader)
{
	struct s3_call *call = &reader->call;

	reader->has_yielded = false;
	*call = (struct s3_call){
		.method = "GET",
		.key = reader->key,
		.add_headers = add_headers,
		.file = -1,
		.is_long = true,
		.is_patient = reader->received > 0,
		.receive = receive,
		.yield = yield,
		.done = on_done,
		.user = reader,
	};
	s3_call_start(reader->store, call);
}

/* s3_post.run: it was opened, or has room again. */
static void on_turn(struct s3_post *post)
{
	struct reader *reader = (struct reader *)((char *)post - offsetof(struct reader, turn));

	if (!reader->is_started || reader->has_yielded) {
		reader->is_started = true;
		start(reader);
	} else {
		s3_exchange_resume(&reader->call.exchange, reader->store->io.now_us);
	}
}

/* s3_post.run: it is closed. */
static void on_close(struct s3_post *post)
{
	struct reader *reader = (struct reader *)((char *)post - offsetof(struct reader, close));

	s3_call_cancel(&reader->call);
	(void)atomic_fetch_sub(&reader->store->readers, 1);
	(void)pthread_mutex_destroy(&reader->lock);
	(void)pthread_cond_destroy(&reader->woken);
	free(reader->ring);
	free(reader);
}

/* ---- Bodies ---- */

/* cache_body_ops.open */
static struct body_reader *open_reader(struct cache_body *of, uint64_t offset, uint64_t len,
				       void (*wake)(void *user), void *user)
{
	const struct body *body = (const struct body *)of;
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->ring = malloc(RING_BYTES);
	if (!reader->ring) {
		free(reader);
		return NULL;
	}
	reader->reader.ops = &reader_ops;
	reader->store = body->store;
	memcpy(reader->sha256, of->sha256, sizeof(reader->sha256));
	reader->object_len = of->len_bytes;
	reader->offset = offset;
	reader->len = len;
	reader->is_whole = offset == 0 && len == of->len_bytes;
	sha256_init(&reader->hash);
	reader->wake = wake;
	reader->user = user;
	reader->turn.run = on_turn;
	reader->close.run = on_close;
	(void)pthread_mutex_init(&reader->lock, NULL);
	thread_condition_init(&reader->woken);
	s3_wire_key(&body->store->url, reader->sha256, reader->key);
	(void)atomic_fetch_add(&body->store->readers, 1);
	if (len > 0)
		s3_io_post(&body->store->io, &reader->turn);
	return &reader->reader;
}

/* cache_body_ops.file */
static int no_file(struct cache_body *body)
{
	(void)body;
	return -1;
}

/* cache_body_ops.free */
static void free_body(struct cache_body *body)
{
	free(body);
}

static const struct cache_body_ops body_ops = {
	.open = open_reader, .file = no_file, .free = free_body};

void s3_download_open(struct object_store *store, struct object_request *request)
{
	struct body *body = calloc(1, sizeof(*body));

	request->body = NULL;
	request->detail = NULL;
	request->status = body ? CACHE_OK : CACHE_NO_MEMORY;
	if (body) {
		body->body.ops = &body_ops;
		atomic_init(&body->body.refs, 1);
		body->body.len_bytes = request->len_bytes;
		memcpy(body->body.sha256, request->sha256, sizeof(body->body.sha256));
		body->store = (struct s3_store *)store;
		request->body = &body->body;
	}
	request->done(request);
}
