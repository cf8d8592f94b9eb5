#include "server/life/flight_timer.h"

#include <time.h>

static int64_t read_monotonic(void *user)
{
	(void)user;
	return monotonic_now_us();
}

static const struct cache_clock monotonic_clock = {.now_us = read_monotonic};

/* Called under the table's lock. */
static void look_again(void *user)
{
	struct flight_timer_thread *timer = user;

	(void)pthread_mutex_lock(&timer->lock);
	timer->look = true;
	(void)pthread_cond_signal(&timer->wake);
	(void)pthread_mutex_unlock(&timer->lock);
}

/* Sleeps until `until_us`, or until there is something new. False: the end. */
static bool sleep_until(struct flight_timer_thread *timer, int64_t until_us)
{
	struct timespec until = {
		.tv_sec = until_us / US_PER_S,
		.tv_nsec = until_us % US_PER_S * 1000,
	};

	(void)pthread_mutex_lock(&timer->lock);
	while (!timer->stop && !timer->look) {
		if (until_us == INT64_MAX)
			(void)pthread_cond_wait(&timer->wake, &timer->lock);
		else if (pthread_cond_timedwait(&timer->wake, &timer->lock, &until) != 0)
			break;
	}
	timer->look = false;
	bool go_on = !timer->stop;
	(void)pthread_mutex_unlock(&timer->lock);
	return go_on;
}

static void *timer_main(void *arg)
{
	struct flight_timer_thread *timer = arg;

	while (sleep_until(timer, flight_expire(timer->flights)))
		;
	return NULL;
}

bool flight_timer_init(struct flight_timer_thread *timer, size_t max_waiting, bool keeps_nothing)
{
	const struct flights_config config = {
		.clock = &monotonic_clock,
		.earlier = look_again,
		.user = timer,
		.max_waiting = max_waiting,
		.keeps_nothing = keeps_nothing,
	};
	pthread_condattr_t monotonic;

	timer->stop = false;
	timer->look = false;
	timer->flights = flights_create(&config);
	if (!timer->flights)
		return false;
	(void)pthread_mutex_init(&timer->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&timer->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	if (pthread_create(&timer->thread, NULL, timer_main, timer) == 0)
		return true;
	(void)pthread_cond_destroy(&timer->wake);
	(void)pthread_mutex_destroy(&timer->lock);
	flights_destroy(timer->flights);
	return false;
}

void flight_timer_deinit(struct flight_timer_thread *timer)
{
	(void)pthread_mutex_lock(&timer->lock);
	timer->stop = true;
	(void)pthread_cond_signal(&timer->wake);
	(void)pthread_mutex_unlock(&timer->lock);
	(void)pthread_join(timer->thread, NULL);
	flights_destroy(timer->flights);
	(void)pthread_cond_destroy(&timer->wake);
	(void)pthread_mutex_destroy(&timer->lock);
}
