#include "tests/drivers/slow.h"

#include <stdatomic.h>
#include <time.h>

#include "base/invariant.h"
#include "store/keeper/keeper.h"
#include "tests/drivers/hash.h"

#define GET_NS   20000
#define APPLY_NS 100000

/* driver.h promises that apply runs alone. */
static _Atomic int gets, applies;

static void wait_ns(long ns)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static enum driver_status slow_open(const struct driver_config *config, struct driver **ret,
				    char *error, size_t error_size)
{
	return hash_driver_ops.open(config, ret, error, error_size);
}

static enum driver_status slow_load(struct driver *driver, driver_visit *visit, void *user)
{
	return hash_driver_ops.load(driver, visit, user);
}

static enum driver_status slow_get(struct driver *driver, struct slice ns, struct slice key,
				   char *room, uint64_t len)
{
	(void)atomic_fetch_add(&gets, 1);
	INVARIANT(atomic_load(&applies) == 0);
	wait_ns(GET_NS);
	enum driver_status status = hash_driver_ops.get(driver, ns, key, room, len);
	INVARIANT(atomic_load(&applies) == 0);
	(void)atomic_fetch_sub(&gets, 1);
	return status;
}

static enum driver_status slow_apply(struct driver *driver, const struct driver_change *changes,
				     size_t count)
{
	(void)atomic_fetch_add(&applies, 1);
	INVARIANT(atomic_load(&applies) == 1 && atomic_load(&gets) == 0);
	wait_ns(APPLY_NS);
	enum driver_status status = hash_driver_ops.apply(driver, changes, count);
	INVARIANT(atomic_load(&applies) == 1 && atomic_load(&gets) == 0);
	(void)atomic_fetch_sub(&applies, 1);
	return status;
}

static enum driver_status slow_check(struct driver *driver, char *detail, size_t detail_size)
{
	return hash_driver_ops.check(driver, detail, detail_size);
}

static void slow_close(struct driver *driver)
{
	hash_driver_ops.close(driver);
}

static const struct driver_ops slow_driver_ops = {
	.abi = DRIVER_ABI,
	.size = sizeof(struct driver_ops),
	.can = DRIVER_BLOCKS | DRIVER_PERSISTS,
	.name = "slow",
	.open = slow_open,
	.load = slow_load,
	.get = slow_get,
	.apply = slow_apply,
	.check = slow_check,
	.close = slow_close,
};

static struct backend *slow_backend_open(const struct backend_config *config, char *error,
					 size_t error_size)
{
	return keeper_open(&slow_driver_ops, &slow_backend_ops, config, error, error_size);
}

const struct backend_ops slow_backend_ops = {
	.name = "slow",
	.open = slow_backend_open,
	KEEPER_OPS(BACKEND_PERSISTS),
};
