/* Plugins with one fault each, MISFIT, which is one of the names below; and a sound one that keeps
 * nothing, MISFIT=none, which misbehaves as its settings say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <steadycache/driver.h>

/* The faults that a compiled plugin can have. */
#define none         0
#define no_entry     1 /* it lacks steadycache_driver */
#define no_driver    2 /* steadycache_driver returns NULL */
#define older        3
#define newer        4
#define cut          5 /* driver_ops.size is too small */
#define no_apply     6
#define bad_name     7
#define unknown_bits 8
#define unresolved   9  /* a function that nobody has */
#define crashing     10 /* in its constructor */

struct driver {
	const char *settings;
};

static bool says(const char *settings, const char *word)
{
	return settings && strcmp(settings, word) == 0;
}

/* What the compiler must not know. */
static char *volatile nowhere = (char *)8;
static int (*volatile again)(volatile char *above);

static int fill_stack(volatile char *above)
{
	volatile char room[4096];

	room[0] = *above;
	return again(room) + room[0];
}

static enum driver_status misfit_open(const struct driver_config *config, struct driver **ret,
				      char *error, size_t error_size)
{
	const char *settings = config->settings;
	static struct driver driver;

	if (says(settings, "fails"))
		(void)snprintf(error, error_size, "the moon is not full");
	if (says(settings, "fails") || says(settings, "is_mute"))
		return DRIVER_TIMEOUT;
	if (says(settings, "faults"))
		*nowhere = 1;
	if (says(settings, "recurses")) {
		again = fill_stack;
		return (enum driver_status)fill_stack((volatile char[]){'a'});
	}
	if (says(settings, "aborts"))
		abort();
	if (says(settings, "exits"))
		exit(0);
	while (says(settings, "hangs"))
		(void)usleep(1000);
	if (says(settings, "wants_dir") && !config->data_dir)
		config->notice(config->notice_user, DRIVER_WARN, "there is no folder");
	driver.settings = settings;
	*ret = &driver;
	return DRIVER_OK;
}

static enum driver_status misfit_load(struct driver *driver, driver_visit *visit, void *user)
{
	(void)driver;
	(void)visit;
	(void)user;
	return DRIVER_OK;
}

static enum driver_status misfit_get(struct driver *driver, struct slice ns, struct slice key,
				     char *room, uint64_t len)
{
	(void)driver;
	(void)ns;
	(void)key;
	(void)room;
	(void)len;
	return DRIVER_NOT_FOUND;
}

static enum driver_status misfit_apply(struct driver *driver, const struct driver_change *changes,
				       size_t count)
{
	(void)changes;
	(void)count;
	if (says(driver->settings, "faults_later"))
		*nowhere = 1;
	if (says(driver->settings, "aborts_later"))
		abort();
	if (says(driver->settings, "exits_later"))
		exit(0);
	return says(driver->settings, "odd_status") ? (enum driver_status)77 : DRIVER_OK;
}

static enum driver_status misfit_check(struct driver *driver, char *detail, size_t detail_size)
{
	(void)driver;
	(void)detail;
	(void)detail_size;
	return DRIVER_OK;
}

static void misfit_close(struct driver *driver)
{
	(void)driver;
}

#if MISFIT == unresolved
void nobody_has_this(void);
#endif

#if MISFIT == crashing
__attribute__((constructor)) static void crash(void)
{
	*nowhere = 1;
}
#endif

static const struct driver_ops ops = {
	.abi = MISFIT == older   ? DRIVER_ABI - 1
	       : MISFIT == newer ? DRIVER_ABI + 1
				 : DRIVER_ABI,
	.can = MISFIT == unknown_bits ? 1 << 20 : 0,
	.size = MISFIT == cut ? 24 : sizeof(struct driver_ops),
	.name = MISFIT == bad_name ? "Not A Name" : "misfit",
	.open = misfit_open,
	.load = misfit_load,
	.get = misfit_get,
	.apply = MISFIT == no_apply ? NULL : misfit_apply,
	.check = misfit_check,
	.close = misfit_close,
};

#if MISFIT != no_entry
const struct driver_ops *steadycache_driver(unsigned abi)
{
#if MISFIT == unresolved
	nobody_has_this();
#endif
	(void)abi;
	return MISFIT == no_driver ? NULL : &ops;
}
#else
const struct driver_ops *another_name = &ops;
#endif
