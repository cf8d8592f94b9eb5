/* Replies of a Redis server (RESP 2) as values, made by hiredis' reader.
 *
 * The transport hands the replies to a request to the dialect as remote_answer.native: an array of
 * request.replies of them, in the order of the commands. */
#ifndef STEADYCACHE_REDIS_REPLY_H
#define STEADYCACHE_REDIS_REPLY_H

#include <stdint.h>

#include "backends/remote/request.h"
#include "base/slice.h"

enum redis_reply_kind {
	REPLY_NIL,
	REPLY_STRING,  /* text: any bytes */
	REPLY_STATUS,  /* text, such as OK */
	REPLY_ERROR,   /* text, beginning with a code, such as OOM */
	REPLY_INTEGER, /* integer */
	REPLY_ARRAY,   /* elements, count */
};

struct redis_reply {
	enum redis_reply_kind kind;
	int64_t integer;
	struct slice text;            /* NUL-terminated behind its end; belongs to the reply */
	struct redis_reply *elements; /* NULL if count is 0 */
	size_t count;
};

/* Frees what `reply` refers to, not `reply` itself, and makes it REPLY_NIL. */
void redis_reply_deinit(struct redis_reply *reply);

/* Reply number `i` of an answer, of the request's `replies`. */
static inline const struct redis_reply *redis_reply_of(const struct remote_answer *answer, size_t i)
{
	return (const struct redis_reply *)answer->native + i;
}

/* The element number `i` of an array if it is of `kind`; NULL: it is not, or is not there. */
static inline const struct redis_reply *redis_reply_element(const struct redis_reply *reply,
							    size_t i, enum redis_reply_kind kind)
{
	if (reply->kind != REPLY_ARRAY || i >= reply->count || reply->elements[i].kind != kind)
		return NULL;
	return &reply->elements[i];
}

/* Whether `reply` is an error whose code, its first word, is `code`. */
bool redis_reply_is_error(const struct redis_reply *reply, struct slice code);

/* ---- Reading ---- */

/* Reads replies from the pieces of a stream of bytes, however it was cut. */
struct redis_reader;

enum redis_read {
	READ_REPLY,     /* one is whole */
	READ_MORE,      /* the bytes are used up: feed more */
	READ_BAD,       /* what came is not of the protocol, or larger than is read */
	READ_NO_MEMORY, /* the stream is lost with it */
};

/* No reply of more than `max_bytes`, and no array of more elements than fit into that. NULL: out of
 * memory. */
struct redis_reader *redis_reader_create(size_t max_bytes);
/* NULL is allowed. */
void redis_reader_free(struct redis_reader *reader);

/* False: out of memory. */
bool redis_reader_feed(struct redis_reader *reader, struct slice bytes);

/* The next reply of what was fed; *ret is the caller's to deinit. */
enum redis_read redis_reader_next(struct redis_reader *reader, struct redis_reply *ret);

/* How many bytes of the stream the last reply took. */
size_t redis_reader_last_bytes(const struct redis_reader *reader);

#endif
