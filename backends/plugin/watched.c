#include "backends/plugin/watched.h"

#include <stdlib.h>

#include "backends/plugin/guard.h"

/* What is a struct driver to who calls. */
struct watched {
	const struct plugin_library *library;
	struct driver *driver; /* the plugin's */
};

static const struct plugin_library *chosen; /* with the guard */

static const struct watched *enter(const struct driver *driver)
{
	const struct watched *watched = (const struct watched *)(const void *)driver;

	plugin_guard_enter(watched->library->name);
	return watched;
}

static enum driver_status leave(enum driver_status status)
{
	plugin_guard_leave();
	return status;
}

static enum driver_status watched_open(const struct driver_config *config, struct driver **ret,
				       char *error, size_t error_size)
{
	struct watched *watched = calloc(1, sizeof(*watched));

	if (!watched)
		return DRIVER_NO_MEMORY;
	watched->library = chosen;
	enum driver_status status =
		chosen->driver->open(config, &watched->driver, error, error_size);
	if (status == DRIVER_OK)
		*ret = (struct driver *)(void *)watched;
	else
		free(watched);
	return status;
}

static enum driver_status watched_load(struct driver *driver, driver_visit *visit, void *user)
{
	const struct watched *watched = enter(driver);

	return leave(watched->library->driver->load(watched->driver, visit, user));
}

static enum driver_status watched_get(struct driver *driver, struct slice ns, struct slice key,
				      char *room, uint64_t len)
{
	const struct watched *watched = enter(driver);

	return leave(watched->library->driver->get(watched->driver, ns, key, room, len));
}

static enum driver_status watched_apply(struct driver *driver, const struct driver_change *changes,
					size_t count)
{
	const struct watched *watched = enter(driver);

	return leave(watched->library->driver->apply(watched->driver, changes, count));
}

static enum driver_status watched_check(struct driver *driver, char *detail, size_t detail_size)
{
	const struct watched *watched = enter(driver);

	return leave(watched->library->driver->check(watched->driver, detail, detail_size));
}

static enum driver_status watched_sync(struct driver *driver)
{
	const struct watched *watched = enter(driver);

	return leave(watched->library->driver->sync(watched->driver));
}

static void watched_hurry(struct driver *driver)
{
	const struct watched *watched = enter(driver);

	watched->library->driver->hurry(watched->driver);
	plugin_guard_leave();
}

static void watched_close(struct driver *driver)
{
	const struct watched *watched = enter(driver);

	watched->library->driver->close(watched->driver);
	plugin_guard_leave();
	free(driver);
}

void plugin_watched_fill(const struct driver_ops *driver, struct driver_ops *ret)
{
	*ret = (struct driver_ops){
		.abi = driver->abi,
		.can = driver->can,
		.size = sizeof(*ret),
		.name = driver->name,
		.open = watched_open,
		.load = watched_load,
		.get = watched_get,
		.apply = watched_apply,
		.check = watched_check,
		.sync = driver->sync ? watched_sync : NULL,
		.hurry = driver->hurry ? watched_hurry : NULL,
		.close = watched_close,
	};
}

void plugin_watched_choose(const struct plugin_library *library)
{
	chosen = library;
}
