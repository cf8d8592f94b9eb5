#include "handlers/watch/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"

#define RING_MIN_BYTES 4096
/* The kind, and the length of the key. */
#define HEAD_BYTES (1 + sizeof(uint32_t))

/* ---- Bytes ---- */

static void write_bytes(struct watch_ring *ring, uint64_t position, const char *bytes, size_t len)
{
	size_t at = position & (ring->capacity - 1);
	size_t first = len < ring->capacity - at ? len : ring->capacity - at;

	if (first > 0)
		memcpy(ring->data + at, bytes, first);
	if (len > first)
		memcpy(ring->data, bytes + first, len - first);
}

static void read_bytes(const struct watch_ring *ring, uint64_t position, char *ret, size_t len)
{
	size_t at = position & (ring->capacity - 1);
	size_t first = len < ring->capacity - at ? len : ring->capacity - at;

	memcpy(ret, ring->data + at, first);
	if (len > first)
		memcpy(ret + first, ring->data, len - first);
}

/* Of the record at `position`. */
static size_t record_len(const struct watch_ring *ring, uint64_t position)
{
	char head[HEAD_BYTES];
	uint32_t key_len;

	read_bytes(ring, position, head, sizeof(head));
	memcpy(&key_len, head + 1, sizeof(key_len));
	return HEAD_BYTES + key_len;
}

/* ---- Room ---- */

/* Makes the ring larger, so that it has room for `needed` bytes in all, unless it may not be. */
static void grow(struct watch_ring *ring, size_t needed, atomic_size_t *all_bytes)
{
	size_t capacity = ring->capacity ? ring->capacity : RING_MIN_BYTES;

	while (capacity < needed)
		capacity *= 2;
	size_t more = capacity - ring->capacity;
	if (capacity > WATCH_RING_MAX_BYTES ||
	    (capacity > RING_MIN_BYTES && atomic_load(all_bytes) + more > WATCH_RINGS_MAX_BYTES))
		return;
	struct watch_ring grown = {
		.data = malloc(capacity),
		.capacity = capacity,
		.tail = ring->tail,
		.head = ring->head,
	};
	if (!grown.data)
		return;
	size_t len = ring->head - ring->tail;
	size_t at = ring->capacity ? ring->tail & (ring->capacity - 1) : 0;
	size_t first = len < ring->capacity - at ? len : ring->capacity - at;
	write_bytes(&grown, ring->tail, ring->data + at, first);
	if (len > first)
		write_bytes(&grown, ring->tail + first, ring->data, len - first);
	free(ring->data);
	*ring = grown;
	(void)atomic_fetch_add(all_bytes, more);
}

void watch_ring_gap(struct watch_ring *ring)
{
	ring->head++;
	ring->tail = ring->head;
}

void watch_ring_append(struct watch_ring *ring, enum cache_change_kind kind, struct slice key,
		       atomic_size_t *all_bytes)
{
	char head[HEAD_BYTES] = {(char)kind};
	size_t needed = HEAD_BYTES + key.len;
	uint32_t key_len = (uint32_t)key.len;

	if (needed > WATCH_RING_MAX_BYTES) {
		watch_ring_gap(ring);
		return;
	}
	if (ring->head - ring->tail + needed > ring->capacity)
		grow(ring, ring->head - ring->tail + needed, all_bytes);
	if (needed > ring->capacity) {
		watch_ring_gap(ring);
		return;
	}
	while (ring->head - ring->tail + needed > ring->capacity)
		ring->tail += record_len(ring, ring->tail);
	INVARIANT(ring->tail <= ring->head);
	memcpy(head + 1, &key_len, sizeof(key_len));
	write_bytes(ring, ring->head, head, sizeof(head));
	write_bytes(ring, ring->head + sizeof(head), key.data, key.len);
	ring->head += needed;
}

void watch_ring_deinit(struct watch_ring *ring, atomic_size_t *all_bytes)
{
	(void)atomic_fetch_sub(all_bytes, ring->capacity);
	free(ring->data);
	*ring = (struct watch_ring){0};
}

/* ---- Reading ---- */

bool watch_ring_has(const struct watch_ring *ring, uint64_t position)
{
	uint64_t at = position == ring->head ? position : ring->tail;

	while (at < position && at < ring->head)
		at += record_len(ring, at);
	return at == position;
}

uint64_t watch_ring_copy(const struct watch_ring *ring, uint64_t position, size_t max_bytes,
			 struct buffer *ret)
{
	uint64_t end = position;

	while (end < ring->head) {
		size_t len = record_len(ring, end);

		if (end > position && end - position + len > max_bytes)
			break;
		end += len;
	}
	size_t len = end - position;
	if (len == 0 || !buffer_reserve(ret, len))
		return position;
	read_bytes(ring, position, ret->data + ret->len, len);
	ret->len += len;
	return end;
}

bool watch_record_take(struct slice *left, struct watch_record *ret)
{
	uint32_t key_len;

	if (left->len == 0)
		return false;
	memcpy(&key_len, left->data + 1, sizeof(key_len));
	*ret = (struct watch_record){
		.kind = (enum cache_change_kind)left->data[0],
		.key = {.data = left->data + HEAD_BYTES, .len = key_len},
		.len = HEAD_BYTES + key_len,
	};
	left->data += ret->len;
	left->len -= ret->len;
	return true;
}

bool watch_record_concerns(const struct watch_record *record, struct slice prefix)
{
	return slice_starts_with(record->key, prefix) ||
	       (record->kind == CHANGE_CLEAR && slice_starts_with(prefix, record->key));
}
