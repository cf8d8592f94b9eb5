/* The thread that ends leases and waits when their time is over. It sleeps until the earliest. */
#ifndef STEADYCACHE_SERVER_FLIGHT_TIMER_H
#define STEADYCACHE_SERVER_FLIGHT_TIMER_H

#include <pthread.h>
#include <stdbool.h>

#include "handlers/flight/flight.h"

struct flight_timer_thread {
	struct flights *flights;
	pthread_t thread;
	pthread_mutex_t lock; /* taken inside the table's lock, never around it */
	pthread_cond_t wake;
	bool stop;
	bool look; /* something is due earlier than was known */
};

/* Creates the table (struct flights_config) for `backend` and starts the thread. False: out of
 * memory, or no thread could be started. */
bool flight_timer_init(struct flight_timer_thread *timer, size_t max_waiting,
		       struct backend *backend);
/* Ends the thread and frees the table. Nobody may be parked. */
void flight_timer_deinit(struct flight_timer_thread *timer);

#endif
