#include "library/settings.h"

#include "store/op.h"

#define ALL_BITS                                                                                   \
	(STEADYCACHE_MAX_SIZE | STEADYCACHE_CAPACITY | STEADYCACHE_DEFAULT_TTL |                   \
	 STEADYCACHE_POLICY | STEADYCACHE_MAX_IDLE)

_Static_assert((int)STEADYCACHE_MAX_SIZE == (int)SETTING_MAX_SIZE, "bits");
_Static_assert((int)STEADYCACHE_CAPACITY == (int)SETTING_CAPACITY, "bits");
_Static_assert((int)STEADYCACHE_DEFAULT_TTL == (int)SETTING_DEFAULT_TTL, "bits");
_Static_assert((int)STEADYCACHE_POLICY == (int)SETTING_POLICY, "bits");
_Static_assert((int)STEADYCACHE_MAX_IDLE == (int)SETTING_MAX_IDLE, "bits");
_Static_assert((int)STEADYCACHE_FRECENCY == (int)EVICT_FRECENCY, "policies");
_Static_assert((int)STEADYCACHE_LRU == (int)EVICT_LRU, "policies");
_Static_assert((int)STEADYCACHE_FIFO == (int)EVICT_FIFO, "policies");
_Static_assert((int)STEADYCACHE_KEEP == (int)EVICT_NONE, "policies");

const char *library_settings_fault(const struct steadycache_settings *settings)
{
	if (settings->bits & ~(uint32_t)ALL_BITS)
		return "settings.bits has a bit that this version does not know";
	if ((settings->bits & STEADYCACHE_POLICY) && settings->policy > STEADYCACHE_KEEP)
		return "settings.policy is none of enum steadycache_policy";
	if ((settings->bits & STEADYCACHE_DEFAULT_TTL) &&
	    (settings->default_ttl_s < 0 || settings->default_ttl_s > TTL_MAX_S))
		return "settings.default_ttl_s is 0 to 3153600000 seconds";
	if ((settings->bits & STEADYCACHE_MAX_IDLE) &&
	    (settings->max_idle_s < 0 || settings->max_idle_s > TTL_MAX_S))
		return "settings.max_idle_s is 0 to 3153600000 seconds";
	for (size_t i = 0; i < sizeof(settings->reserved) / sizeof(settings->reserved[0]); i++)
		if (settings->reserved[i] != 0)
			return "settings.reserved is not zero";
	return NULL;
}

unsigned library_settings_apply(const struct steadycache_settings *settings,
				struct namespace_settings *ret)
{
	if (settings->bits & STEADYCACHE_MAX_SIZE)
		ret->max_size_bytes = settings->max_size_bytes;
	if (settings->bits & STEADYCACHE_CAPACITY)
		ret->capacity = settings->capacity < 0 ? CAPACITY_UNLIMITED : settings->capacity;
	if (settings->bits & STEADYCACHE_DEFAULT_TTL)
		ret->default_ttl_s = settings->default_ttl_s;
	if (settings->bits & STEADYCACHE_POLICY)
		ret->policy = (enum eviction_policy)settings->policy;
	if (settings->bits & STEADYCACHE_MAX_IDLE)
		ret->max_idle_s = settings->max_idle_s;
	return settings->bits;
}

void library_settings_tell(const struct namespace_settings *settings,
			   struct steadycache_settings *ret)
{
	*ret = (struct steadycache_settings){
		.bits = ALL_BITS,
		.policy = (uint32_t)settings->policy,
		.max_size_bytes = settings->max_size_bytes,
		.capacity = settings->capacity,
		.default_ttl_s = settings->default_ttl_s,
		.max_idle_s = settings->max_idle_s,
	};
}
