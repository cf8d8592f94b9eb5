#include "store/keeper/outcome.h"

#include "store/keeper/keeper_state.h"
#include "store/notice.h"

enum cache_status keeper_outcome(struct keeper *keeper, enum driver_status status)
{
	static const enum cache_status statuses[] = {
		[DRIVER_OK] = CACHE_OK,
		[DRIVER_NOT_FOUND] = CACHE_NOT_FOUND,
		[DRIVER_NO_MEMORY] = CACHE_NO_MEMORY,
		[DRIVER_NO_SPACE] = CACHE_NO_SPACE,
		[DRIVER_READ_ONLY] = CACHE_READ_ONLY,
		[DRIVER_UNAVAILABLE] = CACHE_UNAVAILABLE,
		[DRIVER_TIMEOUT] = CACHE_TIMEOUT,
		[DRIVER_CORRUPT] = CACHE_CORRUPT,
		[DRIVER_TOO_LARGE] = CACHE_TOO_LARGE,
		[DRIVER_STOPPED] = CACHE_INTERNAL,
		[DRIVER_UNKNOWN] = CACHE_UNAVAILABLE,
	};

	if (status != DRIVER_OK && status != DRIVER_NOT_FOUND)
		(void)atomic_fetch_add(&keeper->failures, 1);
	if ((size_t)status < sizeof(statuses) / sizeof(statuses[0]))
		return statuses[status];
	if (!atomic_exchange(&keeper->has_told_status, true))
		notice_send(
			&keeper->config, NOTICE_ERROR,
			"%s: the driver answered %d, which is no enum driver_status: a fault of "
			"the driver",
			keeper->backend.ops->name, (int)status);
	return CACHE_INTERNAL;
}
