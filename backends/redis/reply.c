#include "backends/redis/reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

/* The least that an element takes in the stream: "+\r\n". */
#define ELEMENT_MIN_BYTES 3
/* A reader takes hold of a larger buffer than this only while a reply is read. */
#define IDLE_BYTES (64U << 10)

struct redis_reader {
	redisReader *hiredis;
	size_t max_bytes;
	size_t fed;  /* bytes since the last whole reply */
	size_t last; /* bytes of that */
};

/* ---- Values ---- */

void redis_reply_deinit(struct redis_reply *reply)
{
	/* hiredis takes no more than seven levels. */
	for (size_t i = 0; i < reply->count; i++)
		redis_reply_deinit(&reply->elements[i]);
	free(reply->elements);
	free((void *)(uintptr_t)reply->text.data);
	*reply = (struct redis_reply){0};
}

bool redis_reply_is_error(const struct redis_reply *reply, struct slice code)
{
	return reply->kind == REPLY_ERROR && slice_starts_with(reply->text, code) &&
	       (reply->text.len == code.len || reply->text.data[code.len] == ' ');
}

/* ---- What hiredis calls: each returns the place of the value, or NULL if memory is out ---- */

/* The root is allocated by itself; what is below it has its place in its parent already. */
static struct redis_reply *place_of(const redisReadTask *task)
{
	if (!task->parent)
		return calloc(1, sizeof(struct redis_reply));
	return &((struct redis_reply *)task->parent->obj)->elements[task->idx];
}

static void drop_place(const redisReadTask *task, struct redis_reply *place)
{
	if (!task->parent)
		free(place);
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
	struct redis_reply *place = place_of(task);
	char *copy = malloc(len + 1);

	if (!place || !copy) {
		if (place)
			drop_place(task, place);
		free(copy);
		return NULL;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	place->kind = task->type == REDIS_REPLY_ERROR    ? REPLY_ERROR
		      : task->type == REDIS_REPLY_STATUS ? REPLY_STATUS
							 : REPLY_STRING;
	place->text = (struct slice){.data = copy, .len = len};
	return place;
}

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

static void *create_array(const redisReadTask *task, element_count count)
{
	const struct redis_reader *reader = task->privdata;
	struct redis_reply *place;
	struct redis_reply *elements = NULL;

	if ((size_t)count > reader->max_bytes / ELEMENT_MIN_BYTES)
		return NULL;
	if (count > 0) {
		elements = calloc((size_t)count, sizeof(*elements));
		if (!elements)
			return NULL;
	}
	place = place_of(task);
	if (!place) {
		free(elements);
		return NULL;
	}
	place->kind = REPLY_ARRAY;
	place->elements = elements;
	place->count = (size_t)count;
	return place;
}

static void *create_integer(const redisReadTask *task, long long value)
{
	struct redis_reply *place = place_of(task);

	if (place) {
		place->kind = REPLY_INTEGER;
		place->integer = value;
	}
	return place;
}

static void *create_nil(const redisReadTask *task)
{
	struct redis_reply *place = place_of(task);

	if (place)
		place->kind = REPLY_NIL;
	return place;
}

/* Of a reply that was cut off: its root. */
static void free_root(void *root)
{
	if (!root)
		return;
	redis_reply_deinit(root);
	free(root);
}

static redisReplyObjectFunctions functions = {
	.createString = create_string,
	.createArray = create_array,
	.createInteger = create_integer,
	.createNil = create_nil,
	.freeObject = free_root,
};

/* ---- Reading ---- */

struct redis_reader *redis_reader_create(size_t max_bytes)
{
	struct redis_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->max_bytes = max_bytes;
	reader->hiredis = redisReaderCreateWithFunctions(&functions);
	if (!reader->hiredis) {
		free(reader);
		return NULL;
	}
	reader->hiredis->privdata = reader;
	reader->hiredis->maxbuf = IDLE_BYTES;
	return reader;
}

void redis_reader_free(struct redis_reader *reader)
{
	if (!reader)
		return;
	redisReaderFree(reader->hiredis);
	free(reader);
}

bool redis_reader_feed(struct redis_reader *reader, struct slice bytes)
{
	reader->fed += bytes.len;
	return redisReaderFeed(reader->hiredis, bytes.data, bytes.len) == REDIS_OK;
}

enum redis_read redis_reader_next(struct redis_reader *reader, struct redis_reply *ret)
{
	void *root = NULL;

	if (redisReaderGetReply(reader->hiredis, &root) != REDIS_OK)
		return reader->hiredis->err == REDIS_ERR_OOM ? READ_NO_MEMORY : READ_BAD;
	if (!root)
		return reader->fed > reader->max_bytes ? READ_BAD : READ_MORE;
	*ret = *(struct redis_reply *)root;
	free(root);
	size_t left = reader->hiredis->len - reader->hiredis->pos;
	reader->last = reader->fed - left;
	reader->fed = left;
	return READ_REPLY;
}

size_t redis_reader_last_bytes(const struct redis_reader *reader)
{
	return reader->last;
}
