#include "server/life/news_relay.h"

void news_relay_tell(void *user, const struct cache_news *news)
{
	struct news_relay *relay = user;

	(void)pthread_mutex_lock(&relay->lock);
	if (relay->flights)
		flight_news(relay->flights, news);
	(void)pthread_mutex_unlock(&relay->lock);
}

void news_relay_connect(struct news_relay *relay, struct flights *flights)
{
	(void)pthread_mutex_lock(&relay->lock);
	relay->flights = flights;
	(void)pthread_mutex_unlock(&relay->lock);
}
