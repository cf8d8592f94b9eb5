#include "store/keeper/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/keeper/outcome.h"
#include "store/keeper/settings.h"
#include "store/notice.h"

struct loading {
	struct keeper *keeper;
	struct order_clock_state clock;
	int64_t latest_us;   /* of all readings that entries have */
	const char *trouble; /* why it stopped, or NULL */
};

static bool stop(struct loading *loading, const char *trouble)
{
	loading->trouble = trouble;
	return false;
}

static struct keeper_space *space_of(struct keeper *keeper, struct slice name)
{
	struct keeper_space *space = keeper_space_find(&keeper->spaces, name);
	struct namespace_settings settings;

	if (space)
		return space;
	keeper_settings_default(keeper, name, &settings);
	return keeper_space_create(&keeper->spaces, name, &settings);
}

static bool load_settings(struct loading *loading, struct slice name,
			  const struct keeper_record *record)
{
	struct keeper_space *space = space_of(loading->keeper, name);

	if (!space)
		return stop(loading, "out of memory");
	struct namespace_settings settings = space->settings;
	keeper_settings_merge(&settings, record->settings.configured, &record->settings.values);
	if (!keeper_space_prepare_idle(space, &settings))
		return stop(loading, "out of memory");
	keeper_space_configure(space, &settings, record->settings.configured);
	return true;
}

static void reach(struct loading *loading, int64_t order_us)
{
	if (loading->latest_us < order_us)
		loading->latest_us = order_us;
}

static bool load_entry(struct loading *loading, struct slice ns, struct slice key,
		       const struct keeper_record *record)
{
	struct keeper_space *space = space_of(loading->keeper, ns);
	struct keeper_entry *entry = space ? keeper_entry_create(key, record, NULL) : NULL;

	if (!entry || !keeper_space_reserve(space, entry->expires_at_us != 0)) {
		free(entry);
		return stop(loading, "out of memory");
	}
	if (keeper_index_find(&space->index, key)) { /* nobody knows which of both is right */
		free(entry);
		return stop(loading, "the driver reports an entry twice, which is a fault of the "
				     "driver");
	}
	keeper_space_add(space, entry);
	if (space->last_stamp < record->entry.stamp)
		space->last_stamp = record->entry.stamp;
	reach(loading, record->entry.last_access_us);
	reach(loading, (int64_t)(record->entry.stamp >> KEEPER_STAMP_TICK_BITS));
	return true;
}

static bool visit(void *user, struct slice ns, struct slice key, struct slice head,
		  uint64_t body_len)
{
	struct loading *loading = user;
	struct keeper_record record;
	enum keeper_record_verdict verdict = keeper_record_unpack(head, ns, key, &record);

	if (verdict == RECORD_LATER)
		return stop(loading, "it was written by a later version of the server");
	if (verdict == RECORD_GOOD && record.kind == RECORD_ENTRY &&
	    ((uint64_t)record.entry.len_bytes + record.entry.body_type_len != body_len ||
	     !namespace_name_is_valid(ns)))
		verdict = RECORD_DAMAGED;
	if (verdict == RECORD_DAMAGED) {
		loading->keeper->damaged++;
		return true;
	}
	if (record.kind == RECORD_CLOCK) {
		loading->clock = record.clock;
		return true;
	}
	return record.kind == RECORD_ENTRY ? load_entry(loading, ns, key, &record)
					   : load_settings(loading, key, &record);
}

static void tell_damage(const struct keeper *keeper)
{
	if (keeper->damaged > 0)
		notice_send(&keeper->config, NOTICE_WARN,
			    "%s: %" PRIu64
			    " damaged records are left out: their entries are misses",
			    keeper->ops->name, keeper->damaged);
}

static const char *reason_of(struct keeper *keeper, enum driver_status status)
{
	if (status == DRIVER_CORRUPT)
		return "it is damaged; restore a backup, or move it away and start empty";
	return cache_status_text(keeper_outcome(keeper, status));
}

bool keeper_load(struct keeper *keeper, char *error, size_t error_size)
{
	struct loading loading = {.keeper = keeper};
	enum driver_status status = keeper->ops->load(keeper->driver, visit, &loading);

	if (status != DRIVER_OK || loading.trouble) {
		(void)snprintf(error, error_size, "%s: what is stored cannot be read: %s",
			       keeper->ops->name,
			       loading.trouble ? loading.trouble : reason_of(keeper, status));
		return false;
	}
	keeper->kept_clock = loading.clock;
	order_clock_restore(&keeper->order_clock, &loading.clock);
	order_clock_reach(&keeper->order_clock, loading.latest_us);
	tell_damage(keeper);
	return true;
}
