/* News of writes by others: where several servers share one store, what it tells each of them of
 * the writes of the others (backend_config.news). */
#ifndef STEADYCACHE_STORE_NEWS_H
#define STEADYCACHE_STORE_NEWS_H

#include "base/slice.h"

enum cache_news_kind {
	NEWS_WRITTEN,        /* ns, key: a value was stored */
	NEWS_DELETED,        /* ns, key */
	NEWS_CLEARED,        /* ns, key: its prefix; empty: the whole namespace */
	NEWS_LEASE_ENDED,    /* ns, key, token: without a value */
	NEWS_MAY_BE_MISSING, /* all that was heard before may be out of date, and more */
};

struct cache_news {
	enum cache_news_kind kind;
	struct slice ns, key, token; /* borrowed until the receiver returns */
};

#endif
