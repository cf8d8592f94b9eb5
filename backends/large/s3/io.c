#include "backends/large/s3/io.h"

#include "base/clock.h"
#include "base/thread.h"

#define US_PER_MS   1000
#define WAIT_MAX_MS 60000

static void run_posts(struct s3_io *io)
{
	struct s3_post *post, *next;

	(void)pthread_mutex_lock(&io->lock);
	post = io->first;
	io->first = io->last = NULL;
	(void)pthread_mutex_unlock(&io->lock);
	for (; post; post = next) {
		/* It may be posted again as soon as it says that it is not, or freed by its run. */
		(void)pthread_mutex_lock(&io->lock);
		next = post->next;
		post->is_posted = false;
		(void)pthread_mutex_unlock(&io->lock);
		post->run(post);
	}
}

/* Those that are due at the beginning of the turn, once each. */
static void run_timers(struct s3_io *io)
{
	int64_t now_us = io->now_us;
	struct s3_timer *due = NULL, *timer;

	do {
		due = NULL;
		for (timer = io->timers; timer; timer = timer->next)
			if (timer->at_us <= now_us && (!due || timer->at_us < due->at_us))
				due = timer;
		if (due) {
			s3_timer_clear(io, due);
			due->run(due);
		}
	} while (due);
}

static int64_t next_us(const struct s3_io *io)
{
	int64_t at_us = s3_line_next_us(&io->line, io->now_us);

	for (const struct s3_timer *timer = io->timers; timer; timer = timer->next)
		at_us = earlier_us(at_us, timer->at_us);
	return at_us;
}

static void wait_for_something(struct s3_io *io)
{
	int64_t us = next_us(io) - monotonic_now_us();
	int64_t ms = us > 0 ? (us - 1) / US_PER_MS + 1 : 0;

	(void)curl_multi_poll(io->line.multi, NULL, 0, ms < WAIT_MAX_MS ? (int)ms : WAIT_MAX_MS,
			      NULL);
}

static bool has_work(struct s3_io *io)
{
	(void)pthread_mutex_lock(&io->lock);
	bool has = io->first || !io->is_ending;
	(void)pthread_mutex_unlock(&io->lock);
	return has;
}

static void *run(void *user)
{
	struct s3_io *io = user;

	while (has_work(io)) {
		wait_for_something(io);
		io->now_us = monotonic_now_us();
		run_posts(io);
		run_timers(io);
		s3_line_run(&io->line, io->now_us);
	}
	return NULL;
}

bool s3_io_open(struct s3_io *io)
{
	(void)pthread_mutex_init(&io->lock, NULL);
	io->now_us = monotonic_now_us();
	io->random = (uint64_t)io->now_us;
	io->is_started =
		s3_line_open(&io->line) && thread_start(&io->thread, "objects", run, io) == 0;
	if (!io->is_started) {
		s3_line_close(&io->line);
		(void)pthread_mutex_destroy(&io->lock);
	}
	return io->is_started;
}

void s3_io_close(struct s3_io *io)
{
	if (!io->is_started)
		return;
	(void)pthread_join(io->thread, NULL);
	s3_line_close(&io->line);
	(void)pthread_mutex_destroy(&io->lock);
}

void s3_io_post(struct s3_io *io, struct s3_post *post)
{
	bool is_new;

	(void)pthread_mutex_lock(&io->lock);
	is_new = !post->is_posted;
	if (is_new) {
		post->is_posted = true;
		post->next = NULL;
		if (io->last)
			io->last->next = post;
		else
			io->first = post;
		io->last = post;
	}
	(void)pthread_mutex_unlock(&io->lock);
	if (is_new)
		(void)curl_multi_wakeup(io->line.multi);
}

bool s3_io_is_here(const struct s3_io *io)
{
	return pthread_equal(pthread_self(), io->thread);
}

void s3_io_end(struct s3_io *io)
{
	(void)pthread_mutex_lock(&io->lock);
	io->is_ending = true;
	(void)pthread_mutex_unlock(&io->lock);
}

void s3_timer_set(struct s3_io *io, struct s3_timer *timer, int64_t at_us)
{
	s3_timer_clear(io, timer);
	timer->at_us = at_us > io->now_us ? at_us : io->now_us + 1; /* the next turn */
	timer->is_set = true;
	timer->previous = NULL;
	timer->next = io->timers;
	if (io->timers)
		io->timers->previous = timer;
	io->timers = timer;
}

void s3_timer_clear(struct s3_io *io, struct s3_timer *timer)
{
	if (!timer->is_set)
		return;
	timer->is_set = false;
	if (timer->previous)
		timer->previous->next = timer->next;
	else
		io->timers = timer->next;
	if (timer->next)
		timer->next->previous = timer->previous;
}
