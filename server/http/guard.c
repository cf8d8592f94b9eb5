#include "server/http/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/guard_held.h"
#include "server/http/stand_in.h"

/* How much of a chunked body is read at once, and initially of a head that did not arrive whole. */
#define CHUNKS_READ_BYTES 16384
#define HEAD_READ_BYTES   2048
/* Limit of empty lines before a request. They give the library nothing, so a fast sender could keep
 * the event loop reading for ever. */
#define EMPTY_MAX_BYTES 1024
/* A size in hexadecimal digits and two line ends. */
#define CHUNK_FRAME_BYTES 20
/* The same with eight digits, and the part before the data. */
#define LONG_FRAME_BYTES 12
#define LONG_HEAD_BYTES  10

static const char last_chunk[] = "0\r\n\r\n";

/* The source, during one call of guard_receive. */
struct intake {
	const struct guard_source *source;
	bool is_empty; /* nothing more is available */
	bool has_read; /* something was */
	ssize_t last;  /* the result if nothing is passed on */
	int error;     /* its errno */
};

static size_t read_more(struct intake *in, char *room, size_t size)
{
	if (in->is_empty || size == 0)
		return 0;
	ssize_t got = in->source->read(in->source->user, room, size);
	if (got <= 0) {
		in->is_empty = true;
		in->last = got;
		in->error = errno;
		return 0;
	}
	in->has_read = true;
	in->is_empty = in->source->short_means_empty && (size_t)got < size;
	return (size_t)got;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- Held bytes ---- */

/* False: nothing has arrived, or out of memory. */
static bool hold_more(struct guard *guard, struct intake *in, size_t size)
{
	if (in->is_empty || !guard_held_make_room(guard, size))
		return false;
	size_t got =
		read_more(in, guard->held + guard->held_len, guard->held_size - guard->held_len);
	guard->held_len += got;
	return got > 0;
}

static void give_up(struct guard *guard)
{
	guard_held_drop(guard);
	guard->state = GUARD_BROKEN;
}

/* ---- Heads ---- */

/* The length of empty lines before a request, which some clients send after a body (RFC 9112,
 * 2.2). */
static size_t empty_lines(const char *bytes, size_t len)
{
	size_t at = 0;

	while (at < len &&
	       (bytes[at] == '\n' || (bytes[at] == '\r' && at + 1 < len && bytes[at + 1] == '\n')))
		at += bytes[at] == '\r' ? 2 : 1;
	return at;
}

/* Holds a substitute for a head that was refused. */
static void hold_stand_in(struct guard *guard, struct slice refused)
{
	size_t len = 0;
	char *text = stand_in_make(refused, guard->head.kept, &len);

	if (!text) {
		give_up(guard);
		return;
	}
	guard_held_drop(guard);
	guard->held = text;
	guard->held_size = len;
	guard->held_len = len;
	guard->head_left = len;
}

static void refuse_head(struct guard *guard, const char *bytes, size_t len)
{
	guard->is_refused = true;
	guard->state = GUARD_SHUT;
	/* The substitute has neither. */
	guard->head.query_at = 0;
	guard->head.content_length = 0;
	hold_stand_in(guard, (struct slice){.data = bytes, .len = len});
}

static void begin_body(struct guard *guard)
{
	uint64_t length = guard->head.content_length;

	guard->chunks = (struct chunks){0};
	guard->left = length;
	guard->state = length == LENGTH_UNKNOWN ? GUARD_CHUNKS
		       : guard->head.is_long    ? GUARD_LONG
		       : length > 0             ? GUARD_BODY
						: GUARD_COMPLETE;
}

/* False: there were too many of them, and the request is refused. */
static bool count_empty(struct guard *guard, size_t len)
{
	guard->empty_bytes += len;
	if (guard->empty_bytes <= EMPTY_MAX_BYTES)
		return true;
	guard->head.status = 400;
	guard->head.problem = "there are more than 1 KB of empty lines before the request line";
	refuse_head(guard, "", 0);
	return false;
}

/* Reads directly to where the library wants it. Returns how much of it may be passed on. */
static size_t read_head(struct guard *guard, struct intake *in, char *room, size_t size)
{
	size_t got = read_more(in, room, size);
	size_t skipped = empty_lines(room, got);

	if (skipped > 0) {
		got -= skipped;
		memmove(room, room + skipped, got);
		if (!count_empty(guard, skipped))
			return 0;
	}
	enum head_verdict verdict = got > 0 ? head_scan(&guard->head, room, got) : HEAD_INCOMPLETE;
	if (verdict == HEAD_REFUSED) {
		refuse_head(guard, room, got);
		return 0;
	}
	size_t passed = 0;
	if (verdict == HEAD_WHOLE) {
		size_t left_out = guard->head.line_at - guard->head.kept;

		passed = guard->head.kept;
		got -= left_out;
		if (left_out > 0)
			memmove(room + passed, room + guard->head.line_at, got - passed);
		begin_body(guard);
		if (guard->state == GUARD_BODY) {
			size_t body = smaller(got - passed, (size_t)guard->left);

			guard->left -= body;
			passed += body;
			if (guard->left == 0)
				guard->state = GUARD_COMPLETE;
		}
	}
	if (!guard_held_add(guard, room + passed, got - passed))
		give_up(guard);
	return passed;
}

/* False: the request is refused. */
static bool skip_empty_lines(struct guard *guard)
{
	size_t len = guard->head.seen == 0
			     ? empty_lines(guard->held + guard->held_at, guard->held_len)
			     : 0;

	guard_held_forget(guard, len);
	return count_empty(guard, len);
}

/* Continues a head of which the beginning is held. */
static void gather_head(struct guard *guard, struct intake *in)
{
	enum head_verdict verdict;

	do {
		if (!skip_empty_lines(guard) || guard->held_len == 0)
			return;
		verdict = head_scan(&guard->head, guard->held + guard->held_at, guard->held_len);
	} while (verdict == HEAD_INCOMPLETE && hold_more(guard, in, HEAD_READ_BYTES));
	if (verdict == HEAD_REFUSED) {
		refuse_head(guard, guard->held + guard->held_at, guard->held_len);
	} else if (verdict == HEAD_WHOLE) {
		/* What is left of it moves up to what follows it. */
		size_t left_out = guard->head.line_at - guard->head.kept;

		guard->head_left = guard->head.kept;
		memmove(guard->held + guard->held_at + left_out, guard->held + guard->held_at,
			guard->head.kept);
		guard_held_forget(guard, left_out);
		begin_body(guard);
	} else if (!in->is_empty) {
		give_up(guard);
	}
}

/* ---- Bodies ---- */

static size_t pass_body(struct guard *guard, struct intake *in, char *room, size_t size)
{
	size_t passed = 0;

	if (guard->body_ends) {
		/* The library waits for as many as were declared, whatever they are. */
		passed = smaller(size, (size_t)guard->left);
	} else if (guard->held_len > 0) {
		passed = guard_held_pass(guard, room, smaller(size, (size_t)guard->left));
	} else {
		size_t got = read_more(in, room, size);

		passed = smaller(got, (size_t)guard->left);
		if (!guard_held_add(guard, room + passed, got - passed))
			give_up(guard);
	}
	guard->left -= passed;
	if (guard->left == 0 && guard->state == GUARD_BODY)
		guard->state = guard->body_ends ? GUARD_SHUT : GUARD_COMPLETE;
	return passed;
}

static void pend(struct guard *guard, const char *text, size_t len)
{
	memcpy(guard->pending, text, len);
	guard->pending_at = 0;
	guard->pending_len = (unsigned)len;
}

static size_t pass_pending(struct guard *guard, char *room, size_t size)
{
	size_t len = smaller(size, guard->pending_len);

	memcpy(room, guard->pending + guard->pending_at, len);
	guard->pending_at += (unsigned)len;
	guard->pending_len -= (unsigned)len;
	return len;
}

static void end_chunks(struct guard *guard, enum guard_state state)
{
	pend(guard, last_chunk, sizeof(last_chunk) - 1);
	if (state == GUARD_SHUT)
		guard_held_drop(guard);
	guard->state = state;
}

/* Writes `data` as a chunk; there must be room. */
static size_t write_chunk(char *room, size_t size, struct slice data)
{
	size_t len = (size_t)snprintf(room, size, "%zx\r\n", data.len);

	memcpy(room + len, data.data, data.len);
	len += data.len;
	memcpy(room + len, "\r\n", 2);
	return len + 2;
}

static size_t pass_chunks(struct guard *guard, struct intake *in, char *room, size_t size)
{
	/* If there is little room, a chunk of one byte is passed on piece by piece. */
	bool is_tight = size <= CHUNK_FRAME_BYTES;
	struct slice data;
	char single[sizeof(guard->pending)];

	if (guard->body_ends) {
		end_chunks(guard, GUARD_SHUT);
		return 0;
	}
	if (guard->held_len == 0 && !hold_more(guard, in, CHUNKS_READ_BYTES)) {
		if (!in->is_empty)
			give_up(guard);
		return 0;
	}
	size_t read = chunks_read(&guard->chunks, guard->held + guard->held_at, guard->held_len,
				  is_tight ? 1 : size - CHUNK_FRAME_BYTES, &data);
	size_t passed = 0;
	if (data.len > 0 && is_tight)
		pend(guard, single, write_chunk(single, sizeof(single), data));
	else if (data.len > 0)
		passed = write_chunk(room, size, data);
	guard_held_forget(guard, read);
	if (guard->chunks.state == CHUNKS_BROKEN) {
		guard->is_refused = true;
		guard->head.status = 400;
		guard->head.problem = guard->chunks.problem;
		end_chunks(guard, GUARD_SHUT);
	} else if (guard->chunks.state == CHUNKS_END) {
		end_chunks(guard, GUARD_COMPLETE);
	}
	return passed;
}

/* Reads directly to where the library wants it, behind the room for a chunk's size. */
static size_t pass_long(struct guard *guard, struct intake *in, char *room, size_t size)
{
	size_t max = size > LONG_FRAME_BYTES ? size - LONG_FRAME_BYTES : 0;
	char head[LONG_HEAD_BYTES + 1], byte;
	struct slice single = {.data = &byte, .len = 1};
	char *to = max > 0 ? room + LONG_HEAD_BYTES : &byte;

	if (guard->body_ends) {
		end_chunks(guard, GUARD_SHUT);
		return 0;
	}
	max = smaller(max > 0 ? max : 1, (size_t)guard->left);
	size_t got = guard->held_len > 0 ? guard_held_pass(guard, to, max) : read_more(in, to, max);
	if (got == 0)
		return 0;
	guard->left -= got;
	if (to == &byte) {
		char text[sizeof(guard->pending)];

		pend(guard, text, write_chunk(text, sizeof(text), single));
		return 0;
	}
	(void)snprintf(head, sizeof(head), "%08x\r\n", (unsigned)got);
	memcpy(room, head, LONG_HEAD_BYTES);
	memcpy(to + got, "\r\n", 2);
	if (guard->left == 0)
		end_chunks(guard, GUARD_COMPLETE);
	return got + LONG_FRAME_BYTES;
}

/* ---- All of it ---- */

/* Whether another step may bring more. */
static bool goes_on(const struct guard *guard, const struct intake *in)
{
	if (guard->pending_len > 0 || guard->head_left > 0)
		return true;
	if (guard->state >= GUARD_COMPLETE)
		return false;
	if (guard->state == GUARD_LONG && guard->left == 0)
		return true;
	return !in->is_empty || (guard->held_len > 0 && guard->state != GUARD_HEAD) ||
	       guard->body_ends;
}

/* Returns what may be passed on at once; 0: one more step may be needed. */
static size_t step(struct guard *guard, struct intake *in, char *room, size_t size)
{
	if (guard->pending_len > 0)
		return pass_pending(guard, room, size);
	if (guard->head_left > 0) {
		size_t passed = smaller(size, guard->head_left);

		guard->head_left -= passed;
		return guard_held_pass(guard, room, passed);
	}
	switch (guard->state) {
	case GUARD_HEAD:
		if (guard->held_len == 0)
			return read_head(guard, in, room, size);
		gather_head(guard, in);
		return 0;
	case GUARD_BODY:
		return pass_body(guard, in, room, size);
	case GUARD_CHUNKS:
		return pass_chunks(guard, in, room, size);
	case GUARD_LONG:
		if (guard->left > 0)
			return pass_long(guard, in, room, size);
		end_chunks(guard, GUARD_COMPLETE);
		return 0;
	case GUARD_COMPLETE:
	case GUARD_SHUT:
	case GUARD_BROKEN:
		break;
	}
	return 0;
}

/* Whether a part of a request has come, and the rest is wanted. */
static bool awaits_rest(const struct guard *guard)
{
	switch (guard->state) {
	case GUARD_HEAD:
		return guard->held_len > 0;
	case GUARD_BODY:
	case GUARD_CHUNKS:
	case GUARD_LONG:
		return !guard->body_ends;
	case GUARD_COMPLETE:
	case GUARD_SHUT:
	case GUARD_BROKEN:
		break;
	}
	return false;
}

ssize_t guard_receive(struct guard *guard, const struct guard_source *source, char *room,
		      size_t size)
{
	struct intake in = {.source = source, .last = source->nothing_yet, .error = EAGAIN};
	size_t given = 0;

	wake_list_remove(&guard->wake);
	while (given < size && goes_on(guard, &in))
		given += step(guard, &in, room + given, size - given);
	guard->owes = !in.is_empty || in.last == 0 || guard->held_len > 0;
	if (in.has_read && in.is_empty && !guard->is_silent && awaits_rest(guard))
		guard->is_silent = !source->acknowledge(source->user);
	if (given > 0)
		return (ssize_t)given;
	errno = in.error;
	return guard->state == GUARD_BROKEN ? 0 : in.last;
}

void guard_init(struct guard *guard, size_t max_head_bytes, bool is_tls, void *connection)
{
	*guard = (struct guard){
		.max_head_bytes = max_head_bytes,
		.head.max_bytes = max_head_bytes,
		.wake.connection = connection,
		.is_tls = is_tls,
	};
}

void guard_deinit(struct guard *guard)
{
	wake_list_remove(&guard->wake);
	guard_held_drop(guard);
}

void guard_end_body(struct guard *guard)
{
	if (guard->state != GUARD_CHUNKS && guard->state != GUARD_BODY &&
	    guard->state != GUARD_LONG)
		return;
	if (guard->state == GUARD_BODY)
		guard_held_drop(guard);
	guard->body_ends = true;
	wake_list_add(&guard->wake);
}

void guard_end_request(struct guard *guard)
{
	if (guard->state != GUARD_COMPLETE) {
		guard_held_drop(guard);
		guard->state = GUARD_SHUT;
		return;
	}
	guard->state = GUARD_HEAD;
	guard->empty_bytes = 0;
	guard->head = (struct head_scan){.max_bytes = guard->max_head_bytes};
	if (guard->owes)
		wake_list_add(&guard->wake);
}
