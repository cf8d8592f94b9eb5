/* From the backend, which tells news from before there are leases to tell of, to their table. */
#ifndef STEADYCACHE_SERVER_NEWS_RELAY_H
#define STEADYCACHE_SERVER_NEWS_RELAY_H

#include <pthread.h>

#include "handlers/flight/flight.h"

struct news_relay {
	pthread_mutex_t lock;
	struct flights *flights; /* NULL: nobody listens */
};
#define NEWS_RELAY_INITIALIZER                                                                     \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}

/* backend_config.news, with the relay as `user`. */
void news_relay_tell(void *user, const struct cache_news *news);
/* Tells `flights` from now on; with NULL, nobody once it returns. */
void news_relay_connect(struct news_relay *relay, struct flights *flights);

#endif
