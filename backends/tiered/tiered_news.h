/* What others did to the backend, of which the near cache is told. */
#ifndef STEADYCACHE_TIERED_TIERED_NEWS_H
#define STEADYCACHE_TIERED_TIERED_NEWS_H

#include "store/news.h"

/* backend_config.news of the inner backend; `user` is the struct tiered, which may have no inner
 * backend yet. */
void tiered_news(void *user, const struct cache_news *news);

#endif
