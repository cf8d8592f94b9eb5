/* A program that uses only libsteadycache.a and its headers of this project, and has functions of
 * its own under names that the library uses inside. It keeps a value in each local backend.
 *
 * usage: stranger FOLDER */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/tiered/tiered.h"
#include "store/backend.h"
#include "store/find.h"

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

static void fail(const char *backend, const char *what)
{
	(void)fprintf(stderr, "stranger: %s: %s\n", backend, what);
	exit(EXIT_FAILURE);
}

static void keep_defaults(void *user, struct slice ns, struct namespace_settings *ret)
{
	(void)user;
	(void)ns;
	(void)ret;
}

static enum cache_status call(struct backend *backend, enum cache_op_type type,
			      struct cache_value *value, struct cache_op *op)
{
	cache_op_init(op, type);
	op->ns = SLICE("stranger");
	op->one.key = SLICE("a key");
	op->one.value = value;
	return backend_call(backend, op);
}

static void use(const char *name, const char *folder, bool is_near)
{
	const struct tiered_config near = {.max_bytes = 1 << 20, .ttl_us = 1000000};
	const struct backend_config config = {.data_dir = folder, .defaults = keep_defaults};
	const struct backend_ops *ops = backend_find(name);
	char error[600] = "";
	struct cache_op op;

	struct backend *backend = ops ? ops->open(&config, error, sizeof(error)) : NULL;
	if (backend && is_near)
		backend = tiered_wrap(backend, &near);
	if (!backend)
		fail(name, error);
	struct cache_value *value = cache_value_copy(SLICE("a value"), SLICE(CONTENT_TYPE_TEXT));
	if (!value || call(backend, CACHE_OP_SET, value, &op) != CACHE_OK)
		fail(name, "cannot set");
	cache_value_release(value);
	if (call(backend, CACHE_OP_GET, NULL, &op) != CACHE_OK ||
	    !slice_equal(cache_value_bytes(op.one.value), SLICE("a value")))
		fail(name, "cannot get");
	cache_op_deinit(&op);
	if (call(backend, CACHE_OP_DELETE, NULL, &op) != CACHE_OK ||
	    call(backend, CACHE_OP_GET, NULL, &op) != CACHE_NOT_FOUND)
		fail(name, "cannot delete");
	cache_op_deinit(&op);
	backend->ops->close(backend);
	(void)printf("stranger: %s keeps a value\n", name);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return EXIT_FAILURE;
	use("memory", NULL, false);
	use("sqlite", argv[1], false);
	use("sqlite", argv[1], true);
	return EXIT_SUCCESS;
}
