#include "server/life/flight_timer.h"

#include "base/thread.h"

/* Called under the table's lock. */
static void look_again(void *user)
{
	struct flight_timer_thread *timer = user;

	(void)pthread_mutex_lock(&timer->lock);
	timer->look = true;
	(void)pthread_cond_signal(&timer->wake);
	(void)pthread_mutex_unlock(&timer->lock);
}

/* Sleeps until `until_us`, or until something is new. False: the end. */
static bool sleep_until(struct flight_timer_thread *timer, int64_t until_us)
{
	(void)pthread_mutex_lock(&timer->lock);
	while (!timer->stop && !timer->look &&
	       thread_wait_until(&timer->wake, &timer->lock, until_us))
		;
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

bool flight_timer_init(struct flight_timer_thread *timer, size_t max_waiting,
		       struct backend *backend)
{
	const struct flights_config config = {
		.clock = &monotonic_clock,
		.earlier = look_again,
		.user = timer,
		.max_waiting = max_waiting,
		.backend = backend->ops->bits & BACKEND_LEASES || backend->ops->traits ? backend
										       : NULL,
		.keeps_nothing = backend->ops->bits & BACKEND_KEEPS_NOTHING,
	};

	timer->stop = false;
	timer->look = false;
	timer->flights = flights_create(&config);
	if (!timer->flights)
		return false;
	(void)pthread_mutex_init(&timer->lock, NULL);
	thread_condition_init(&timer->wake);
	if (thread_start(&timer->thread, NULL, timer_main, timer) == 0)
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
