#include "store/keeper/settings.h"

#include "store/rules.h"

void keeper_settings_default(const struct keeper *keeper, struct slice name,
			     struct namespace_settings *ret)
{
	rules_default_settings(&keeper->config, keeper->backend.ops->default_policy, name, ret);
}

void keeper_settings_merge(struct namespace_settings *settings, unsigned mask,
			   const struct namespace_settings *wanted)
{
	if (mask & SETTING_MAX_SIZE)
		settings->max_size_bytes = wanted->max_size_bytes;
	if (mask & SETTING_CAPACITY)
		settings->capacity = wanted->capacity;
	if (mask & SETTING_DEFAULT_TTL)
		settings->default_ttl_s = wanted->default_ttl_s;
	if (mask & SETTING_POLICY)
		settings->policy = wanted->policy;
	if (mask & SETTING_STALE_TTL)
		settings->stale_ttl_s = wanted->stale_ttl_s;
	if (mask & SETTING_MAX_IDLE)
		settings->max_idle_s = wanted->max_idle_s;
	if (mask & SETTING_COMPRESSION)
		settings->compression = wanted->compression;
	if (mask & SETTING_PUT_STATUS)
		settings->put_status = wanted->put_status;
}

enum cache_status keeper_settings_space(struct keeper *keeper, struct slice name,
					struct keeper_space **ret)
{
	struct namespace_settings settings;
	unsigned max = keeper->config.max_namespaces;

	*ret = keeper_space_find(&keeper->spaces, name);
	if (*ret)
		return CACHE_OK;
	if (max > 0 && keeper->spaces.count >= max)
		return CACHE_TOO_MANY_NAMESPACES;
	keeper_settings_default(keeper, name, &settings);
	*ret = keeper_changes_add_space(keeper, name, &settings);
	return *ret ? CACHE_OK : CACHE_NO_MEMORY;
}

enum cache_status keeper_settings_change(struct keeper *keeper, const struct cache_op *op)
{
	struct keeper_space *space = NULL;
	enum cache_status status = keeper_settings_space(keeper, op->ns, &space);

	if (status != CACHE_OK)
		return status;
	struct namespace_settings settings = space->settings;
	keeper_settings_merge(&settings, op->settings_mask, &op->settings);
	if (!keeper_space_prepare_idle(space, &settings))
		return CACHE_NO_MEMORY;
	return keeper_changes_configure(&keeper->changes, space, &settings,
					space->configured | op->settings_mask)
		       ? CACHE_OK
		       : CACHE_NO_MEMORY;
}
