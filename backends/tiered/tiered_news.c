/* News end copies, and fills that are under way; whoever opened the near cache hears of them
 * afterwards, so that a request which looks again finds no copy. */
#include "backends/tiered/tiered_news.h"

#include "backends/tiered/tiered_state.h"

void tiered_news(void *user, const struct cache_news *news)
{
	struct tiered *tiered = user;

	switch (news->kind) {
	case NEWS_WRITTEN:
	case NEWS_DELETED: {
		struct near_key key = near_key_of(tiered->near, news->ns, news->key);

		near_forget(tiered->near, &key);
		break;
	}
	case NEWS_CLEARED:
		near_forget_namespace(tiered->near, news->ns);
		break;
	case NEWS_LEASE_ENDED:
		break;
	case NEWS_MAY_BE_MISSING:
		near_forget_all(tiered->near);
		break;
	}
	if (tiered->news)
		tiered->news(tiered->news_user, news);
}
