#include "tests/drivers/faulty.h"

#include <stdio.h>

#include "store/keeper/keeper.h"
#include "tests/drivers/hash.h"

struct faulty_hooks faulty_hooks;
struct driver *faulty_driver;

static enum driver_status faulty_open(const struct driver_config *config, struct driver **ret,
				      char *error, size_t error_size)
{
	enum driver_status status = hash_driver_ops.open(config, ret, error, error_size);

	if (status == DRIVER_OK)
		faulty_driver = *ret;
	return status;
}

static enum driver_status faulty_load(struct driver *driver, driver_visit *visit, void *user)
{
	enum driver_status status = faulty_hooks.load ? faulty_hooks.load() : DRIVER_OK;

	if (status == DRIVER_OK && faulty_hooks.loads_twice)
		status = hash_driver_ops.load(driver, visit, user);
	return status == DRIVER_OK ? hash_driver_ops.load(driver, visit, user) : status;
}

static enum driver_status faulty_get(struct driver *driver, struct slice ns, struct slice key,
				     char *room, uint64_t len)
{
	enum driver_status status = faulty_hooks.get ? faulty_hooks.get(ns, key) : DRIVER_OK;

	return status == DRIVER_OK ? hash_driver_ops.get(driver, ns, key, room, len) : status;
}

static enum driver_status faulty_apply(struct driver *driver, const struct driver_change *changes,
				       size_t count)
{
	enum driver_status status =
		faulty_hooks.apply ? faulty_hooks.apply(changes, count) : DRIVER_OK;

	return status == DRIVER_OK ? hash_driver_ops.apply(driver, changes, count) : status;
}

static enum driver_status faulty_check(struct driver *driver, char *detail, size_t detail_size)
{
	enum driver_status status = faulty_hooks.check ? faulty_hooks.check() : DRIVER_OK;

	if (status == DRIVER_OK)
		return hash_driver_ops.check(driver, detail, detail_size);
	(void)snprintf(detail, detail_size, "as the test says");
	return status;
}

static enum driver_status faulty_sync(struct driver *driver)
{
	(void)driver;
	return faulty_hooks.sync ? faulty_hooks.sync() : DRIVER_OK;
}

static void faulty_close(struct driver *driver)
{
	faulty_driver = NULL;
	hash_driver_ops.close(driver);
}

#define FAULTY(the_abi, the_can)                                                                   \
	{                                                                                          \
		.abi = (the_abi), .can = (the_can), .name = "faulty", .open = faulty_open,         \
		.load = faulty_load, .get = faulty_get, .apply = faulty_apply,                     \
		.check = faulty_check, .sync = faulty_sync, .close = faulty_close,                 \
	}

static const struct driver_ops plain = FAULTY(DRIVER_ABI, DRIVER_PERSISTS);
static const struct driver_ops blocking = FAULTY(DRIVER_ABI, DRIVER_BLOCKS | DRIVER_PERSISTS);
static const struct driver_ops forgetful = FAULTY(DRIVER_ABI, 0);
static const struct driver_ops future = FAULTY(DRIVER_ABI + 1, DRIVER_PERSISTS);

static struct backend *open_plain(const struct backend_config *config, char *error,
				  size_t error_size)
{
	return keeper_open(&plain, &faulty_backend_ops, config, error, error_size);
}

static struct backend *open_blocking(const struct backend_config *config, char *error,
				     size_t error_size)
{
	return keeper_open(&blocking, &faulty_blocking_backend_ops, config, error, error_size);
}

static struct backend *open_forgetful(const struct backend_config *config, char *error,
				      size_t error_size)
{
	return keeper_open(&forgetful, &faulty_forgetful_backend_ops, config, error, error_size);
}

static struct backend *open_future(const struct backend_config *config, char *error,
				   size_t error_size)
{
	return keeper_open(&future, &faulty_future_backend_ops, config, error, error_size);
}

const struct backend_ops faulty_backend_ops = {
	.name = "faulty", .open = open_plain, KEEPER_OPS(BACKEND_PERSISTS)};
const struct backend_ops faulty_blocking_backend_ops = {
	.name = "faulty", .open = open_blocking, KEEPER_OPS(BACKEND_PERSISTS)};
const struct backend_ops faulty_forgetful_backend_ops = {
	.name = "faulty", .open = open_forgetful, KEEPER_OPS(0)};
const struct backend_ops faulty_future_backend_ops = {
	.name = "faulty", .open = open_future, KEEPER_OPS(BACKEND_PERSISTS)};
