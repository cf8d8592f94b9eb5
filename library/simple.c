#include "library/simple.h"

#include <string.h>

#include "library/error.h"

static void init(struct steadycache_request *request, enum steadycache_type type, const char *ns)
{
	steadycache_request_init(request, sizeof(*request), type);
	request->ns = ns;
}

enum steadycache_status steadycache_batch(struct steadycache *store, const char *ns,
					  enum steadycache_type type,
					  struct steadycache_item *items, size_t item_count)
{
	struct steadycache_request request;

	if (type > STEADYCACHE_EXISTS && type != STEADYCACHE_EXPIRE)
		return library_error_keep(STEADYCACHE_INVALID,
					  "a batch is of GET, SET, DELETE, EXISTS or EXPIRE");
	init(&request, type, ns);
	request.items = items;
	request.item_count = item_count;
	return steadycache_call(store, &request);
}

static enum steadycache_status call_of_key(struct steadycache *store, enum steadycache_type type,
					   const char *ns, struct steadycache_item *item,
					   const void *key, size_t key_len)
{
	item->key = key;
	item->key_len = key_len;
	return steadycache_batch(store, ns, type, item, 1);
}

enum steadycache_status steadycache_get(struct steadycache *store, const char *ns, const void *key,
					size_t key_len, struct steadycache_value **ret)
{
	struct steadycache_item item = {0};
	enum steadycache_status status =
		call_of_key(store, STEADYCACHE_GET, ns, &item, key, key_len);

	if (status == STEADYCACHE_OK)
		*ret = item.found;
	return status;
}

enum steadycache_status steadycache_set(struct steadycache *store, const char *ns, const void *key,
					size_t key_len, const void *value, size_t value_len,
					const char *content_type, int64_t ttl_s)
{
	struct steadycache_item item = {
		.value = value,
		.value_len = value_len,
		.content_type = content_type,
		.ttl_s = ttl_s,
	};

	return call_of_key(store, STEADYCACHE_SET, ns, &item, key, key_len);
}

enum steadycache_status steadycache_delete(struct steadycache *store, const char *ns,
					   const void *key, size_t key_len)
{
	struct steadycache_item item = {0};

	return call_of_key(store, STEADYCACHE_DELETE, ns, &item, key, key_len);
}

enum steadycache_status steadycache_expire(struct steadycache *store, const char *ns,
					   const void *key, size_t key_len, int64_t ttl_s)
{
	struct steadycache_item item = {.ttl_s = ttl_s};

	return call_of_key(store, STEADYCACHE_EXPIRE, ns, &item, key, key_len);
}

enum steadycache_status steadycache_exists(struct steadycache *store, const char *ns,
					   const void *key, size_t key_len)
{
	struct steadycache_item item = {0};

	return call_of_key(store, STEADYCACHE_EXISTS, ns, &item, key, key_len);
}

enum steadycache_status steadycache_clear(struct steadycache *store, const char *ns,
					  const void *prefix, size_t prefix_len)
{
	struct steadycache_request request;

	init(&request, STEADYCACHE_CLEAR, ns);
	request.prefix = prefix;
	request.prefix_len = prefix_len;
	return steadycache_call(store, &request);
}

enum steadycache_status steadycache_drop(struct steadycache *store, const char *ns)
{
	struct steadycache_request request;

	init(&request, STEADYCACHE_DROP, ns);
	return steadycache_call(store, &request);
}

enum steadycache_status steadycache_configure(struct steadycache *store, const char *ns,
					      const struct steadycache_settings *settings)
{
	struct steadycache_request request;

	init(&request, STEADYCACHE_CONFIGURE, ns);
	request.settings = settings;
	return steadycache_call(store, &request);
}

enum steadycache_status steadycache_stats(struct steadycache *store, const char *ns,
					  struct steadycache_stats *ret)
{
	struct steadycache_request request;

	if (!ns || *ns == '\0')
		return library_error_keep(STEADYCACHE_INVALID,
					  "steadycache_stats() is of one namespace; ask for all "
					  "with a request");
	init(&request, STEADYCACHE_STATS, ns);
	enum steadycache_status status = steadycache_call(store, &request);
	if (status == STEADYCACHE_OK && request.stats_count > 0)
		*ret = request.stats[0];
	steadycache_request_deinit(&request);
	return status;
}

enum steadycache_status steadycache_length(struct steadycache *store, const char *ns, uint64_t *ret)
{
	struct steadycache_stats stats = {.entry_count = 0};
	enum steadycache_status status = steadycache_stats(store, ns, &stats);

	if (status == STEADYCACHE_OK)
		*ret = stats.entry_count;
	return status;
}

enum steadycache_status steadycache_sync(struct steadycache *store)
{
	struct steadycache_request request;

	init(&request, STEADYCACHE_SYNC, NULL);
	return steadycache_call(store, &request);
}
