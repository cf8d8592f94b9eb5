#include "backends/large/whole.h"

/* What is copied and hashed on the caller's thread. */
#define SMALL_BYTES 65536

static void end(struct whole *whole, enum cache_status status, const char *detail)
{
	whole->reader->ops->close(whole->reader);
	whole->status = status;
	whole->detail = detail;
	whole->done(whole);
}

static void check_hash(struct whole *whole)
{
	struct etag etag = etag_of(cache_value_bytes(whole->value));

	if (whole->at == whole->value->len_bytes &&
	    memcmp(etag.bytes, whole->body->sha256, sizeof(etag.bytes)) == 0)
		end(whole, CACHE_OK, NULL);
	else
		end(whole, CACHE_CORRUPT,
		    "the bytes of this value are damaged in the store of large values; write the "
		    "entry again");
}

/* Reads until it has to wait. */
static void go_on(struct whole *whole)
{
	struct body_reader *reader = whole->reader;

	for (;;) {
		size_t left = whole->value->len_bytes - whole->at, len = 0;
		char surplus;
		bool is_full = left == 0;
		enum body_step step = reader->ops->read(
			reader, is_full ? &surplus : cache_value_data(whole->value) + whole->at,
			is_full ? 1 : left, &len);

		switch (step) {
		case BODY_STEP_BYTES:
			whole->at += len;
			break;
		case BODY_STEP_WAIT:
			return; /* another thread may have gone on by now */
		case BODY_STEP_END:
			check_hash(whole);
			return;
		case BODY_STEP_FAILED:
			end(whole, reader->failure, reader->detail);
			return;
		}
		if (is_full) { /* more than the body's length */
			check_hash(whole);
			return;
		}
	}
}

static void run(struct pool_job *job)
{
	go_on(job->user);
}

static void wake(void *user)
{
	struct whole *whole = user;

	pool_submit(whole->pool, &whole->job);
}

void whole_read(struct whole *whole)
{
	whole->at = 0;
	whole->job = (struct pool_job){.run = run, .user = whole};
	whole->reader = whole->body->ops->open(whole->body, 0, whole->body->len_bytes, wake, whole);
	if (!whole->reader) {
		whole->status = CACHE_NO_MEMORY;
		whole->detail = NULL;
		whole->done(whole);
	} else if (whole->body->len_bytes <= SMALL_BYTES) {
		go_on(whole);
	} else {
		pool_submit(whole->pool, &whole->job);
	}
}
