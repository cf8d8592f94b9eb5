/* The template, but it breaks one rule of driver.h, which its settings name. */
#include <steadycache/driver.h>

#define steadycache_driver sound_driver
#include "examples/plugin/log.c"
#undef steadycache_driver

static const char *broken;

static bool breaks(const char *rule)
{
	return broken && strcmp(broken, rule) == 0;
}

static enum driver_status unruly_open(const struct driver_config *config, struct driver **ret,
				      char *error, size_t error_size)
{
	struct driver_config own = *config;

	broken = config->settings;
	own.settings = NULL;
	enum driver_status status = log_open(&own, ret, error, error_size);
	if (status == DRIVER_OK && breaks("one_opener"))
		(void)flock((*ret)->lock, LOCK_UN);
	return status;
}

static bool go_on(void *user, struct slice ns, struct slice key, struct slice head,
		  uint64_t body_len)
{
	void **visitor = user;
	driver_visit *visit;

	memcpy(&visit, &visitor[0], sizeof(visit));
	(void)visit(visitor[1], ns, key, head, body_len);
	return true;
}

static enum driver_status unruly_load(struct driver *driver, driver_visit *visit, void *user)
{
	void *visitor[2] = {NULL, user};

	memcpy(&visitor[0], &visit, sizeof(visit));
	enum driver_status status =
		breaks("stop") ? log_load(driver, go_on, visitor) : log_load(driver, visit, user);
	if (status == DRIVER_OK && breaks("once") && driver->list.after != &driver->list)
		(void)visit(user, driver->list.after->ns, driver->list.after->key,
			    (struct slice){"", 0}, driver->list.after->body_len);
	return status;
}

static enum driver_status unruly_get(struct driver *driver, struct slice ns, struct slice key,
				     char *room, uint64_t len)
{
	const struct node *node = find(driver, ns, key);

	if (breaks("length") && node && node->body_len > len)
		return DRIVER_OK;
	return log_get(driver, ns, key, room, len);
}

static enum driver_status unruly_apply(struct driver *driver, const struct driver_change *changes,
				       size_t count)
{
	struct driver_change *own = malloc(count * sizeof(*own));
	static bool skips;
	enum driver_status status = DRIVER_OK;

	for (size_t i = 0; i < count; i++) {
		own[i] = changes[breaks("order") ? count - 1 - i : i];
		if (breaks("names") && own[i].key.len > 1)
			own[i].key.len = strnlen(own[i].key.data, own[i].key.len);
		if (breaks("uses") && own[i].kind == DRIVER_USE)
			own[i].kind = DRIVER_REMOVE;
		if (breaks("removal") && own[i].kind == DRIVER_REMOVE && count == 16)
			own[i].kind = DRIVER_USE;
	}
	if (breaks("all_or_none"))
		for (size_t i = 0; i < count && status == DRIVER_OK; i++)
			status = log_apply(driver, &own[i], 1);
	else if (!breaks("acknowledged") || !skips)
		status = log_apply(driver, own, count);
	skips = own[0].key.len > 6 && memcmp(own[0].key.data, "killed", 6) == 0;
	free(own);
	return status;
}

static const struct driver_ops unruly_driver = {
	.abi = DRIVER_ABI,
	.can = DRIVER_BLOCKS | DRIVER_PERSISTS | DRIVER_WANTS_DIR,
	.size = sizeof(struct driver_ops),
	.name = "unruly",
	.open = unruly_open,
	.load = unruly_load,
	.get = unruly_get,
	.apply = unruly_apply,
	.check = log_check,
	.sync = log_sync,
	.close = log_close,
};

const struct driver_ops *steadycache_driver(unsigned abi)
{
	(void)sound_driver(abi);
	return &unruly_driver;
}
