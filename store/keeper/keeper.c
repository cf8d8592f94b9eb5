#include "store/keeper/keeper.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/invariant.h"
#include "store/keeper/keeper_state.h"
#include "store/keeper/load.h"
#include "store/keeper/outcome.h"
#include "store/keeper/passes.h"
#include "store/notice.h"

static struct keeper *keeper_of(struct backend *backend)
{
	return (struct keeper *)(void *)backend;
}

void keeper_submit(struct backend *backend, struct cache_op *op)
{
	keeper_work_submit(keeper_of(backend), op);
}

void keeper_hurry(struct backend *backend)
{
	keeper_work_hurry(keeper_of(backend));
}

size_t keeper_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	const struct keeper *keeper = keeper_of(backend);
	const struct backend_gauge gauges[] = {
		GAUGE_COUNTER("keeper", "applies", atomic_load(&keeper->applies),
			      "Groups of changes that the driver was given."),
		GAUGE_COUNTER("keeper", "applied_operations", atomic_load(&keeper->applied_ops),
			      "Sets and deletes in those groups."),
		GAUGE_COUNTER("keeper", "driver_failures", atomic_load(&keeper->failures),
			      "Calls of the driver that failed."),
		GAUGE_LEVEL("keeper", "damaged_records", keeper->damaged,
			    "Records that could not be read when the store was opened."),
	};
	size_t count = sizeof(gauges) / sizeof(gauges[0]);

	count = count < max ? count : max;
	memcpy(ret, gauges, count * sizeof(gauges[0]));
	return count;
}

/* ---- Open and close ---- */

static void tell_owner(void *user, enum driver_notice level, const char *sentence)
{
	static const enum notice_level levels[] = {
		[DRIVER_DEBUG] = NOTICE_DEBUG,
		[DRIVER_INFO] = NOTICE_INFO,
		[DRIVER_WARN] = NOTICE_WARN,
		[DRIVER_ERROR] = NOTICE_ERROR,
	};
	notice_send(user, level <= DRIVER_ERROR ? levels[level] : NOTICE_ERROR, "%s", sentence);
}

static bool open_driver(struct keeper *keeper, char *error, size_t error_size)
{
	struct driver_config config = {
		.size = sizeof(config),
		.settings = keeper->config.settings,
		.data_dir = keeper->config.data_dir,
		.durability = keeper->config.durability == DURABILITY_FULL
				      ? DRIVER_SURVIVES_POWER
				      : DRIVER_SURVIVES_PROCESS,
		.notice = tell_owner,
		.notice_user = &keeper->config,
	};

	if (keeper->ops->abi != DRIVER_ABI) {
		(void)snprintf(error, error_size,
			       "%s: the driver is made for version %u of driver.h, and this server "
			       "has version %d",
			       keeper->backend.ops->name, keeper->ops->abi, DRIVER_ABI);
		return false;
	}
	error[0] = '\0';
	enum driver_status status = keeper->ops->open(&config, &keeper->driver, error, error_size);
	if (status == DRIVER_OK)
		return true;
	error[error_size - 1] = '\0';
	if (error[0] == '\0')
		(void)snprintf(error, error_size, "%s: the store cannot be opened: %s",
			       keeper->backend.ops->name,
			       cache_status_text(keeper_outcome(keeper, status)));
	return false;
}

static void init_gate(pthread_rwlock_t *gate)
{
	pthread_rwlockattr_t attributes;

	(void)pthread_rwlockattr_init(&attributes);
	/* Otherwise overlapping readers would keep writers out for ever. */
	(void)pthread_rwlockattr_setkind_np(&attributes,
					    PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(gate, &attributes);
	(void)pthread_rwlockattr_destroy(&attributes);
}

static void free_keeper(struct keeper *keeper)
{
	struct keeper_space *space;

	while ((space = keeper_space_next(&keeper->spaces, NULL)))
		keeper_space_destroy(&keeper->spaces, space);
	keeper_changes_deinit(&keeper->changes);
	(void)pthread_rwlock_destroy(&keeper->gate);
	free(keeper);
}

struct backend *keeper_open(const struct driver_ops *driver, const struct backend_ops *ops,
			    const struct backend_config *config, char *error, size_t error_size)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	INVARIANT(!(ops->bits & BACKEND_PERSISTS) == !(driver->can & DRIVER_PERSISTS));
	if (!keeper) {
		(void)snprintf(error, error_size, "%s: out of memory", ops->name);
		return NULL;
	}
	keeper->backend.ops = ops;
	keeper->config = *config;
	if (!config->clock)
		keeper->config.clock = &system_clock;
	keeper->ops = driver;
	init_gate(&keeper->gate);
	if (!open_driver(keeper, error, error_size))
		goto fail;
	if (!keeper_load(keeper, error, error_size))
		goto fail_close;
	if (keeper_work_start(keeper))
		return &keeper->backend;
	(void)snprintf(error, error_size, "%s: no thread could be started", ops->name);
	keeper_work_stop(keeper);
fail_close:
	driver->close(keeper->driver);
fail:
	free_keeper(keeper);
	return NULL;
}

void keeper_close(struct backend *backend)
{
	struct keeper *keeper = keeper_of(backend);

	keeper_work_stop(keeper);
	(void)keeper_passes_tell_uses(keeper); /* nobody is left who could be told of a failure */
	keeper->ops->close(keeper->driver);
	free_keeper(keeper);
}
