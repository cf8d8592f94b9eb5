/* News of writes, as servers that share a Redis tell them to each other: the script publishes them
 * (script/10_model.lua, NOTIFY), subscriber.c hears them, and they go on to backend_config.news.
 *
 * I/O thread, but for what says otherwise. */
#ifndef STEADYCACHE_REDIS_NEWS_H
#define STEADYCACHE_REDIS_NEWS_H

#include <stdatomic.h>

#include "backends/remote/request.h"
#include "store/backend.h"

#define REDIS_NEWS_ID_LEN 8

struct redis_news {
	struct backend_config config;                            /* who is told of changes */
	void (*told)(void *user, const struct cache_news *news); /* NULL: nobody listens */
	void *user;
	void (*notice)(void *user, enum notice_level level, const char *sentence); /* or NULL */
	void *notice_user;
	const char *prefix; /* of all keys and channels */
	bool is_always_wanted;
	int64_t wanted_until_us;    /* monotonic */
	char id[REDIS_NEWS_ID_LEN]; /* whose news we tell */
	struct buffer notify;  /* the argument of calls of the script, as a word of a command */
	struct buffer pattern; /* of the channels, as a word of a command */
	bool is_barred_to_publish, is_barred_to_subscribe; /* by an ACL */

	atomic_bool are_heard;
	_Atomic uint64_t heard, own, malformed, lost;
};

/* `config` and `prefix` outlive it. False: out of memory. */
bool redis_news_init(struct redis_news *news, const struct backend_config *config,
		     const char *prefix);
/* A zeroed one is allowed. */
void redis_news_deinit(struct redis_news *news);

/* ---- Who wants to hear ---- */

/* They are wanted until then (monotonic) at least. The subscription is begun in the same turn, and
 * kept a while. */
void redis_news_want(struct redis_news *news, int64_t until_us);
bool redis_news_are_wanted(const struct redis_news *news, int64_t now_us);

/* Whether every write from now on is heard of, as far as is known. Any thread. The I/O thread takes
 * a turn when that has changed. */
bool redis_news_are_heard(const struct redis_news *news);

/* Whether an ACL forbids to tell or to hear them, as far as is known. */
bool redis_news_are_barred(const struct redis_news *news);

/* ---- Telling ---- */

/* Appends the command that finds out whether we may publish: to everybody, of nothing. */
void redis_news_write_hello(const char *prefix, struct remote_request *request);
/* Whether we may, as the reply to it was. If not, the owner is told what to change. */
void redis_news_may_publish(struct redis_news *news, bool may);

/* ---- Hearing (subscriber.c) ---- */

/* Appends PSUBSCRIBE. */
void redis_news_write_subscribe(const struct redis_news *news, struct remote_request *request);
void redis_news_may_subscribe(struct redis_news *news, bool may);

/* The subscription begins; what was written before was not heard of. */
void redis_news_begin(struct redis_news *news);
/* It ends; `is_lost`: by itself. */
void redis_news_end(struct redis_news *news, bool is_lost);
/* What a server published there. Anything may come. */
void redis_news_take(struct redis_news *news, struct slice channel, struct slice message);

/* backend_ops.gauges. Any thread. */
size_t redis_news_gauges(const struct redis_news *news, struct backend_gauge *ret, size_t max);

#endif
