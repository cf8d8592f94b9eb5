/* A program that uses libsteadycache, static or shared, and has functions of its own under names
 * that the library uses inside. It keeps a value in each local backend.
 *
 * usage: stranger FOLDER */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <steadycache/steadycache.h>

/* A call of one of these means that two names clash. */
#define OURS(name)                                                                                 \
	void name(void);                                                                           \
	void name(void)                                                                            \
	{                                                                                          \
		(void)fprintf(stderr, "stranger: the library has called our " #name "\n");         \
		abort();                                                                           \
	}

OURS(evict_step)
OURS(table_find)
OURS(run_add)
OURS(namespace_lock)
OURS(entry_create)
OURS(set_items)
OURS(order_use)
OURS(order_add)
OURS(expiry_add)
OURS(classes_find)
OURS(namespace_find)
OURS(shard_init)
OURS(walk_page)
OURS(values_find)
OURS(uses_add)
OURS(writer_open)
OURS(reader_get)
OURS(readers_open)
OURS(database_run)
OURS(mapping_open)
OURS(near_find)
OURS(space_watch)
OURS(buffer_append)
OURS(utf8_is_valid)
OURS(thread_start)
OURS(remote_engine_start)
OURS(backend_submit)
OURS(cache_value_release)

static void fail(const char *url)
{
	(void)fprintf(stderr, "stranger: %s: %s\n", url, steadycache_error());
	exit(EXIT_FAILURE);
}

static void use(const char *url, bool is_near)
{
	struct steadycache_value *value = NULL;
	struct steadycache *store = NULL;
	struct steadycache_options options;

	steadycache_options_init(&options, sizeof(options));
	options.near_max_bytes = is_near ? 1 << 20 : 0;
	if (steadycache_open(url, &options, &store) != STEADYCACHE_OK)
		fail(url);
	if (steadycache_set(store, "stranger", "a key", 5, "a value", 7, NULL, 0) != STEADYCACHE_OK)
		fail(url);
	if (steadycache_get(store, "stranger", "a key", 5, &value) != STEADYCACHE_OK ||
	    steadycache_value_len(value) != 7 ||
	    memcmp(steadycache_value_data(value), "a value", 7) != 0)
		fail(url);
	if (steadycache_delete(store, "stranger", "a key", 5) != STEADYCACHE_OK ||
	    steadycache_exists(store, "stranger", "a key", 5) != STEADYCACHE_NOT_FOUND)
		fail(url);
	(void)steadycache_close(store);
	/* It lives longer than the store. */
	if (memcmp(steadycache_value_data(value), "a value", 7) != 0)
		fail(url);
	steadycache_value_release(value);
	(void)printf("stranger: %s keeps a value\n", url);
}

int main(int argc, char **argv)
{
	char url[4200];

	if (argc != 2)
		return EXIT_FAILURE;
	(void)snprintf(url, sizeof(url), "sqlite://%s", argv[1]);
	use("memory://", false);
	use(url, false);
	use(url, true);
	return EXIT_SUCCESS;
}
