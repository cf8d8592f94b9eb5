#include "tests/drivers/hash.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "store/keeper/keeper.h"

#define BUCKETS 65536

struct node {
	struct node *next;
	size_t ns_len, key_len, head_len, body_len;
	char bytes[]; /* namespace, key, head, body */
};

struct driver {
	struct driver *next;
	char *name; /* the data_dir */
	bool is_open;
	struct node *buckets[BUCKETS];
};

static pthread_mutex_t media_lock = PTHREAD_MUTEX_INITIALIZER;
static struct driver *media;

static void copy(char **at, struct slice bytes)
{
	if (bytes.len > 0)
		memcpy(*at, bytes.data, bytes.len);
	*at += bytes.len;
}

static struct node *make_node(const struct driver_change *change)
{
	struct node *node = malloc(sizeof(*node) + change->ns.len + change->key.len +
				   change->head.len + change->body.len);

	if (!node)
		return NULL;
	*node = (struct node){NULL, change->ns.len, change->key.len, change->head.len,
			      change->body.len};
	char *at = node->bytes;
	copy(&at, change->ns);
	copy(&at, change->key);
	copy(&at, change->head);
	copy(&at, change->body);
	return node;
}

static bool is_named(const struct node *node, struct slice ns, struct slice key)
{
	return slice_equal(ns, (struct slice){node->bytes, node->ns_len}) &&
	       slice_equal(key, (struct slice){node->bytes + node->ns_len, node->key_len});
}

static struct node **place_of(struct driver *driver, struct slice ns, struct slice key)
{
	XXH64_hash_t seed = XXH3_64bits(ns.data, ns.len);
	struct node **at =
		&driver->buckets[XXH3_64bits_withSeed(key.data, key.len, seed) % BUCKETS];

	while (*at && !is_named(*at, ns, key))
		at = &(*at)->next;
	return at;
}

static enum driver_status hash_open(const struct driver_config *config, struct driver **ret,
				    char *error, size_t error_size)
{
	const char *name = config->data_dir ? config->data_dir : "";
	enum driver_status status = DRIVER_UNAVAILABLE;

	(void)pthread_mutex_lock(&media_lock);
	struct driver *driver = media;
	while (driver && strcmp(driver->name, name) != 0)
		driver = driver->next;
	if (!driver && (driver = calloc(1, sizeof(*driver)))) {
		driver->name = strdup(name);
		driver->next = media;
		media = driver;
	}
	if (driver && !driver->is_open) {
		driver->is_open = true;
		*ret = driver;
		status = DRIVER_OK;
	}
	(void)pthread_mutex_unlock(&media_lock);
	if (status != DRIVER_OK)
		(void)snprintf(error, error_size, "hash: %s is in use", name);
	return status;
}

static enum driver_status hash_load(struct driver *driver, driver_visit *visit, void *user)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct node *node = driver->buckets[i]; node; node = node->next) {
			struct slice ns = {node->bytes, node->ns_len};
			struct slice key = {ns.data + ns.len, node->key_len};
			struct slice head = {key.data + key.len, node->head_len};

			if (!visit(user, ns, key, head, node->body_len))
				return DRIVER_STOPPED;
		}
	return DRIVER_OK;
}

static enum driver_status hash_get(struct driver *driver, struct slice ns, struct slice key,
				   char *room, uint64_t len)
{
	const struct node *node = *place_of(driver, ns, key);

	if (!node)
		return DRIVER_NOT_FOUND;
	if (node->body_len != len)
		return DRIVER_CORRUPT;
	if (len > 0)
		memcpy(room, node->bytes + node->ns_len + node->key_len + node->head_len, len);
	return DRIVER_OK;
}

/* Cannot fail. `made`: of a PUT. */
static void carry_out(struct driver *driver, const struct driver_change *change, struct node *made)
{
	struct node **at = place_of(driver, change->ns, change->key);
	struct node *old = *at;

	if (change->kind == DRIVER_USE) {
		if (old && old->head_len == change->head.len)
			memcpy(old->bytes + old->ns_len + old->key_len, change->head.data,
			       change->head.len);
		return;
	}
	*at = made ? made : old ? old->next : NULL;
	if (made)
		made->next = old ? old->next : NULL;
	free(old);
}

static enum driver_status hash_apply(struct driver *driver, const struct driver_change *changes,
				     size_t count)
{
	struct node *one = NULL;
	struct node **made = count > 1 ? calloc(count, sizeof(struct node *)) : &one;
	bool is_complete = made != NULL;

	for (size_t i = 0; is_complete && i < count; i++)
		if (changes[i].kind == DRIVER_PUT)
			is_complete = (made[i] = make_node(&changes[i])) != NULL;
	for (size_t i = 0; made && i < count; i++) {
		if (is_complete)
			carry_out(driver, &changes[i], made[i]);
		else
			free(made[i]);
	}
	if (made != &one)
		free(made);
	return is_complete ? DRIVER_OK : DRIVER_NO_MEMORY;
}

static enum driver_status hash_check(struct driver *driver, char *detail, size_t detail_size)
{
	(void)driver;
	(void)detail;
	(void)detail_size;
	return DRIVER_OK;
}

static void hash_close(struct driver *driver)
{
	(void)pthread_mutex_lock(&media_lock);
	driver->is_open = false;
	(void)pthread_mutex_unlock(&media_lock);
}

const struct driver_ops hash_driver_ops = {
	.abi = DRIVER_ABI,
	.size = sizeof(struct driver_ops),
	.can = DRIVER_PERSISTS,
	.name = "hash",
	.open = hash_open,
	.load = hash_load,
	.get = hash_get,
	.apply = hash_apply,
	.check = hash_check,
	.close = hash_close,
};

static struct backend *hash_backend_open(const struct backend_config *config, char *error,
					 size_t error_size)
{
	return keeper_open(&hash_driver_ops, &hash_backend_ops, config, error, error_size);
}

const struct backend_ops hash_backend_ops = {
	.name = "hash",
	.open = hash_backend_open,
	KEEPER_OPS(BACKEND_PERSISTS),
};
