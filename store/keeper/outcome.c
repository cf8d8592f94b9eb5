#include "store/keeper/outcome.h"

#include "store/keeper/keeper_state.h"

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
	return (size_t)status < sizeof(statuses) / sizeof(statuses[0]) ? statuses[status]
								       : CACHE_INTERNAL;
}
