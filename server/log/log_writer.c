#include "server/log/log_writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

/* How far a reader may be behind. Pages that are never reached take no memory. */
#define RING_BYTES ((size_t)4 << 20)
/* Most bytes written at once: a pipe takes that many atomically, whoever else writes to it. */
#define BATCH_BYTES PIPE_BUF
#define NS_PER_MS   INT64_C(1000000)
/* How long lines gather after a write. Under load that saves most of the writes, and logging
 * threads need not wake this one. */
#define GATHER_NS (2 * NS_PER_MS)
/* How often the thread tries to report dropped lines while no others come. */
#define TELL_EVERY_S 1

/* Precedes each line in the ring. */
struct entry {
	uint32_t len;
	uint32_t dropped; /* between the previous line and this one */
};

static struct {
	pthread_mutex_t lock;         /* guards all but `dropped_total` and what only the thread
				       * uses */
	pthread_cond_t filled, ended; /* on the monotonic clock */
	pthread_t thread;
	bool runs, is_asleep, shall_end, has_ended;
	uint64_t begin, end; /* bytes ever taken out and put in; 0 again when the ring is empty */
	uint32_t dropped;    /* since the last line that was put in */
	_Atomic uint64_t dropped_total;

	/* Belongs to the thread. */
	log_writer_notice notice;
	uint64_t untold; /* dropped lines that are not reported yet */
	bool is_torn;    /* the last line was written in part: its end must come first */
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static char ring[RING_BYTES];

/* ---- The ring; with the lock held ---- */

static void copy_in(const void *bytes, size_t len)
{
	size_t at = writer.end % RING_BYTES;
	size_t first = len < RING_BYTES - at ? len : RING_BYTES - at;

	memcpy(ring + at, bytes, first);
	memcpy(ring, (const char *)bytes + first, len - first);
	writer.end += len;
}

static void copy_out(void *bytes, size_t len, uint64_t from)
{
	size_t at = from % RING_BYTES;
	size_t first = len < RING_BYTES - at ? len : RING_BYTES - at;

	memcpy(bytes, ring + at, first);
	memcpy((char *)bytes + first, ring, len - first);
}

static void put(const char *line, size_t len)
{
	struct entry entry = {.len = (uint32_t)len, .dropped = writer.dropped};

	if (writer.end - writer.begin + sizeof(entry) + len > RING_BYTES) {
		writer.dropped += writer.dropped < UINT32_MAX;
		(void)atomic_fetch_add_explicit(&writer.dropped_total, 1, memory_order_relaxed);
		return;
	}
	if (writer.begin == writer.end) /* the same pages again */
		writer.begin = writer.end = 0;
	copy_in(&entry, sizeof(entry));
	copy_in(line, len);
	writer.dropped = 0;
}

/* ---- Writing; by the thread, without the lock ---- */

/* The bytes of one write. */
struct batch {
	char text[BATCH_BYTES];
	size_t len;
	size_t lines;    /* without the end of a torn one and the notice */
	bool has_notice; /* of all unreported ones */
};

/* Writes all that it can. Waits for a slow reader. */
static size_t write_all(const char *text, size_t len)
{
	struct pollfd pipe = {.fd = STDERR_FILENO, .events = POLLOUT};
	size_t written = 0;

	while (written < len) {
		ssize_t took = write(STDERR_FILENO, text + written, len - written);

		if (took >= 0)
			written += (size_t)took;
		else if (errno == EAGAIN) /* another process that shares it set this mode */
			(void)poll(&pipe, 1, -1);
		else if (errno != EINTR)
			break;
	}
	return written;
}

static size_t count_ends(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '\n';
	return count;
}

static void write_batch(const struct batch *batch)
{
	size_t written = write_all(batch->text, batch->len);
	size_t lines = count_ends(batch->text, written);

	if (written > 0) {
		lines -= writer.is_torn;
		writer.is_torn = batch->text[written - 1] != '\n';
	}
	if (batch->has_notice && lines > 0) {
		writer.untold = 0;
		lines--;
	}
	writer.untold += batch->lines - lines;
	(void)atomic_fetch_add_explicit(&writer.dropped_total, batch->lines - lines,
					memory_order_relaxed);
}

/* ---- The thread ---- */

static void begin_batch(struct batch *batch, uint32_t dropped)
{
	batch->len = batch->lines = 0;
	if (writer.is_torn)
		batch->text[batch->len++] = '\n';
	writer.untold += dropped;
	batch->has_notice = writer.untold > 0;
	if (batch->has_notice)
		batch->len += writer.notice(batch->text + batch->len, writer.untold);
}

/* Takes lines out of the ring, up to where some were dropped; with the lock held. */
static void take_batch(struct batch *batch)
{
	struct entry entry;

	if (writer.begin == writer.end) {
		begin_batch(batch, writer.dropped);
		writer.dropped = 0;
		return;
	}
	copy_out(&entry, sizeof(entry), writer.begin);
	begin_batch(batch, entry.dropped);
	do {
		if (entry.len > sizeof(batch->text) - batch->len)
			return;
		copy_out(batch->text + batch->len, entry.len, writer.begin + sizeof(entry));
		batch->len += entry.len;
		batch->lines++;
		writer.begin += sizeof(entry) + entry.len;
		if (writer.begin == writer.end)
			return;
		copy_out(&entry, sizeof(entry), writer.begin);
	} while (entry.dropped == 0);
}

/* Waits for a line, or for the time to report dropped lines again; with the lock held. */
static void await_lines(void)
{
	int64_t until_us =
		writer.untold == 0 ? INT64_MAX : monotonic_now_us() + TELL_EVERY_S * US_PER_S;

	writer.is_asleep = true;
	(void)thread_wait_until(&writer.filled, &writer.lock, until_us);
	writer.is_asleep = false;
}

static void *writer_main(void *unused)
{
	static struct batch batch;

	(void)pthread_mutex_lock(&writer.lock);
	while (!writer.shall_end || writer.begin != writer.end || writer.dropped > 0) {
		if (!writer.shall_end && writer.begin == writer.end && writer.dropped == 0)
			await_lines();
		take_batch(&batch);
		bool is_all = writer.begin == writer.end;
		(void)pthread_mutex_unlock(&writer.lock);
		write_batch(&batch);
		if (is_all)
			(void)nanosleep(&(struct timespec){.tv_nsec = GATHER_NS}, NULL);
		(void)pthread_mutex_lock(&writer.lock);
	}
	writer.has_ended = true;
	(void)pthread_cond_signal(&writer.ended);
	(void)pthread_mutex_unlock(&writer.lock);
	return unused;
}

/* ---- What others call ---- */

bool log_writer_start(log_writer_notice notice)
{
	writer.notice = notice;
	thread_condition_init(&writer.filled);
	thread_condition_init(&writer.ended);
	writer.runs = thread_start(&writer.thread, "log-writer", writer_main, NULL) == 0;
	return writer.runs;
}

void log_writer_stop(unsigned timeout_ms)
{
	int64_t until_us = monotonic_now_us() + (int64_t)timeout_ms * 1000;

	if (!writer.runs)
		return;
	(void)pthread_mutex_lock(&writer.lock);
	writer.shall_end = true;
	(void)pthread_cond_signal(&writer.filled);
	while (!writer.has_ended && thread_wait_until(&writer.ended, &writer.lock, until_us))
		;
	bool has_ended = writer.has_ended;
	(void)pthread_mutex_unlock(&writer.lock);
	/* A thread that hangs in its write stays until the process is gone. */
	if (!has_ended)
		return;
	(void)pthread_join(writer.thread, NULL);
	writer.runs = writer.shall_end = writer.has_ended = false;
	(void)pthread_cond_destroy(&writer.filled);
	(void)pthread_cond_destroy(&writer.ended);
}

void log_writer_put(const char *line, size_t len)
{
	if (!writer.runs) {
		(void)write_all(line, len);
		return;
	}
	(void)pthread_mutex_lock(&writer.lock);
	put(line, len);
	if (writer.is_asleep)
		(void)pthread_cond_signal(&writer.filled);
	(void)pthread_mutex_unlock(&writer.lock);
}

uint64_t log_writer_dropped(void)
{
	return atomic_load_explicit(&writer.dropped_total, memory_order_relaxed);
}
