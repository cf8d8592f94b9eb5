#include "backends/memory/shard.h"

#include "base/invariant.h"

void shard_init(struct shard *shard, enum eviction_policy policy, struct usage *usage,
		struct usage *total)
{
	*shard = (struct shard){.usage = usage, .total = total};
	(void)pthread_mutex_init(&shard->lock, NULL);
	order_init(&shard->order, policy);
}

void shard_deinit(struct shard *shard)
{
	table_deinit(&shard->table);
	order_deinit(&shard->order);
	expiry_deinit(&shard->expiry);
	alarms_deinit(&shard->late);
	alarms_deinit(&shard->idle);
	noted_deinit(&shard->changes);
	(void)pthread_mutex_destroy(&shard->lock);
}

/* ---- Room for alarms, which counts as memory ---- */

static bool reserve_alarms(struct shard *shard, struct alarms *alarms, size_t extra)
{
	size_t before = alarms->capacity;
	bool is_done = alarms_reserve(alarms, extra);

	(void)usage_add(&shard->total->memory_bytes,
			(alarms->capacity - before) * sizeof(struct alarm_slot));
	return is_done;
}

static void free_alarms(struct shard *shard, struct alarms *alarms)
{
	usage_subtract(&shard->total->memory_bytes, alarms->capacity * sizeof(struct alarm_slot));
	alarms_deinit(alarms);
}

/* ---- Expiry ---- */

static void leave_expiry(struct shard *shard, struct entry *entry)
{
	if (entry_has_tail(entry))
		expiry_remove(&shard->expiry, &entry_tail(entry)->expiry);
	/* The alarm of another one finds that it is over. */
}

/* For an entry that expires. There must be room: shard_prepare, shard_prepare_retime. */
static void join_expiry(struct shard *shard, uint64_t hash, struct entry *entry)
{
	int64_t expires_at_us = entry_value(entry)->expires_at_us;

	if (entry_has_tail(entry)) {
		expiry_add(&shard->expiry, &entry_tail(entry)->expiry, expires_at_us);
	} else {
		alarms_add(&shard->late, expires_at_us, hash);
		entry_mark(entry, ENTRY_ALARMED);
	}
}

static void stop_expiring(struct shard *shard, struct entry *entry)
{
	if (entry_value(entry)->expires_at_us == 0)
		return;
	leave_expiry(shard, entry);
	usage_subtract(&shard->usage->expiring, 1);
	usage_subtract(&shard->total->expiring, 1);
}

static bool start_expiring(struct shard *shard, uint64_t hash, struct entry *entry)
{
	if (entry_value(entry)->expires_at_us == 0)
		return false;
	join_expiry(shard, hash, entry);
	(void)usage_add(&shard->usage->expiring, 1);
	return usage_add(&shard->total->expiring, 1) == 0;
}

bool shard_prepare_retime(struct shard *shard, size_t entries)
{
	return expiry_reserve(&shard->expiry, entries) &&
	       reserve_alarms(shard, &shard->late, entries) &&
	       noted_reserve(&shard->changes, entries);
}

bool shard_retime(struct shard *shard, uint64_t hash, struct entry *entry, int64_t expires_at_us)
{
	struct cache_value *value = entry_value(entry);
	int64_t before_us = value->expires_at_us;
	bool wakes = false;

	/* Most are put off: then the alarm that it has rings early, and is set anew. */
	bool keeps_alarm =
		entry_has(entry, ENTRY_ALARMED) && before_us != 0 && before_us <= expires_at_us;
	if (keeps_alarm) {
		value->expires_at_us = expires_at_us;
	} else {
		stop_expiring(shard, entry);
		value->expires_at_us = expires_at_us;
		wakes = start_expiring(shard, hash, entry);
	}
	noted_retime(&shard->changes, hash, entry);
	shard_tell(shard, CHANGE_SET, entry_key(entry));
	return wakes;
}

/* ---- Alarms ---- */

/* When `entry` must be looked at next; INT64_MAX: no alarm is for it. */
typedef int64_t due_fn(const struct shard *shard, const struct entry *entry);

static int64_t late_due(const struct shard *shard, const struct entry *entry)
{
	int64_t expires_at_us = entry_value_const(entry)->expires_at_us;

	(void)shard;
	return entry_has_tail(entry) || expires_at_us == 0 ? INT64_MAX : expires_at_us;
}

static int64_t idle_due(const struct shard *shard, const struct entry *entry)
{
	return entry->order.last_access_us + shard->idle_us;
}

/* Sets one alarm for each entry, in the room that there is. */
static void set_alarms(const struct shard *shard, struct alarms *alarms, due_fn *due)
{
	alarms->count = 0;
	for (uint32_t bucket = 0; bucket < shard->table.bucket_count; bucket++) {
		struct entry *entry;

		table_prefetch(&shard->table, bucket + 2);
		for (size_t at = 0; (entry = table_at(&shard->table, bucket, at)); at++) {
			int64_t due_us = due(shard, entry);

			if (due_us != INT64_MAX)
				alarms_add(alarms, due_us, entry_hash(entry_key(entry)));
		}
	}
}

/* Removes what is due of the entries of the alarm, which nearly always is for one or none; sets an
 * alarm for those that stay. */
static void answer_alarm(struct shard *shard, struct alarms *alarms, due_fn *due,
			 const struct alarm_slot *alarm, int64_t until_us, struct entry **trash)
{
	struct entry *entry = NULL;
	int64_t next_us = INT64_MAX;

	while ((entry = table_find_by_hash(&shard->table, alarm->hash, entry))) {
		int64_t due_us = due(shard, entry);

		if (due_us <= until_us) {
			shard_drop_expired(shard, entry, trash);
			next_us = INT64_MAX;
			entry = NULL; /* from the first one again */
		} else if (due_us < next_us) {
			next_us = due_us;
		}
	}
	if (next_us != INT64_MAX)
		alarms_add(alarms, next_us, alarm->hash);
}

/* Answers up to `max`; returns how many. One that finds nothing to remove is work, too. */
static size_t answer_alarms(struct shard *shard, struct alarms *alarms, due_fn *due,
			    int64_t until_us, size_t max, struct entry **trash)
{
	struct alarm_slot alarm;
	size_t answered = 0;

	if (alarms_are_stale(alarms, shard->table.entry_count))
		set_alarms(shard, alarms, due);
	for (; answered < max && alarms_take_due(alarms, until_us, &alarm); answered++)
		answer_alarm(shard, alarms, due, &alarm, until_us, trash);
	return answered;
}

bool shard_set_idle(struct shard *shard, int64_t idle_us)
{
	if (idle_us == 0)
		free_alarms(shard, &shard->idle);
	else if (!reserve_alarms(shard, &shard->idle, shard->table.entry_count))
		return false;
	shard->idle_us = idle_us;
	if (idle_us > 0)
		set_alarms(shard, &shard->idle, idle_due);
	return true;
}

static void watch_idle(struct shard *shard, uint64_t hash, const struct entry *entry)
{
	if (shard->idle_us > 0)
		alarms_add(&shard->idle, idle_due(shard, entry), hash);
}

void shard_restored(struct shard *shard, uint64_t hash, const struct entry *entry)
{
	watch_idle(shard, hash, entry);
}

/* ---- Entries ---- */

void shard_drop_expired(struct shard *shard, struct entry *entry, struct entry **trash)
{
	shard_tell(shard, CHANGE_EXPIRE, entry_key(entry));
	shard_remove(shard, entry, trash);
	shard->counters.expirations++;
}

struct entry *shard_find(struct shard *shard, uint64_t hash, struct slice key,
			 struct shard_time time, bool *ret_stale, struct entry **trash)
{
	struct entry *entry = table_find(&shard->table, hash, key);

	*ret_stale = entry && entry_is_expired(entry, time.now_us);
	if (!entry || (!(*ret_stale && entry_is_expired(entry, time.now_us - shard->stale_us)) &&
		       !entry_is_idle(entry, shard->idle_us, time.order_us)))
		return entry;
	shard_drop_expired(shard, entry, trash);
	*ret_stale = false;
	return NULL;
}

/* Each may be added and restored. */
static bool prepare_idle(struct shard *shard, size_t entries)
{
	if (alarms_are_stale(&shard->idle, shard->table.entry_count))
		set_alarms(shard, &shard->idle, idle_due);
	return reserve_alarms(shard, &shard->idle, 2 * entries + 1);
}

bool shard_prepare(struct shard *shard, size_t entries, size_t expiring)
{
	expiry_trim(&shard->expiry);
	return table_prepare(&shard->table) && order_prepare(&shard->order) &&
	       noted_reserve(&shard->changes, entries) &&
	       (expiring == 0 || expiry_reserve(&shard->expiry, expiring)) &&
	       (shard->idle_us == 0 || prepare_idle(shard, entries));
}

bool shard_add(struct shard *shard, uint64_t hash, struct entry *entry)
{
	shard->size_bytes += entry_size_bytes(entry);
	table_add(&shard->table, hash, entry);
	order_add(&shard->order, &entry->order);
	noted_set(&shard->changes, hash, NULL, entry);
	watch_idle(shard, hash, entry);
	return start_expiring(shard, hash, entry);
}

bool shard_adopt(struct shard *shard, uint64_t hash, struct entry *entry)
{
	shard->size_bytes += entry_size_bytes(entry);
	table_add(&shard->table, hash, entry);
	order_restore(&shard->order, &entry->order);
	noted_adopt(&shard->changes, entry);
	watch_idle(shard, hash, entry);
	return start_expiring(shard, hash, entry);
}

bool shard_exchange(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		    struct entry **trash)
{
	int64_t expires_at_us = entry_value(entry)->expires_at_us;
	int64_t growth = (int64_t)entry_memory_bytes(fresh) - (int64_t)entry_memory_bytes(entry);

	if (expires_at_us != 0 &&
	    (!expiry_reserve(&shard->expiry, 1) || !reserve_alarms(shard, &shard->late, 1)))
		return false;
	entry_value(fresh)->modified_at_us = entry_value(entry)->modified_at_us;
	entry_value(fresh)->expires_at_us = expires_at_us;
	/* Not by stop_expiring: the sweeper must not see that nothing expires. */
	if (expires_at_us != 0) {
		leave_expiry(shard, entry);
		join_expiry(shard, hash, fresh);
	}
	table_swap(&shard->table, hash, entry, fresh);
	order_swap(&shard->order, &entry->order, &fresh->order);
	noted_exchange(&shard->changes, entry, fresh);
	(void)usage_grow(&shard->usage->memory_bytes, growth, UINT64_MAX);
	if (growth < 0)
		usage_subtract(&shard->total->memory_bytes, (uint64_t)-growth);
	entry_discard(entry, trash);
	return true;
}

bool shard_overwrite(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		     int64_t now_us, struct entry **trash)
{
	stop_expiring(shard, entry);
	shard->size_bytes += entry_size_bytes(fresh) - entry_size_bytes(entry);
	table_swap(&shard->table, hash, entry, fresh);
	order_swap(&shard->order, &entry->order, &fresh->order);
	noted_set(&shard->changes, hash, entry, fresh);
	entry_discard(entry, trash);
	order_use(&shard->order, &fresh->order, now_us);
	return start_expiring(shard, hash, fresh);
}

bool shard_replace(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		   struct entry **trash)
{
	stop_expiring(shard, entry);
	shard->size_bytes += entry_size_bytes(fresh) - entry_size_bytes(entry);
	order_remove(&shard->order, &entry->order);
	table_swap(&shard->table, hash, entry, fresh);
	noted_set(&shard->changes, hash, entry, fresh);
	entry_discard(entry, trash);
	shard->counters.expirations++;
	order_add(&shard->order, &fresh->order);
	return start_expiring(shard, hash, fresh);
}

void shard_remove(struct shard *shard, struct entry *entry, struct entry **trash)
{
	uint64_t memory_bytes = entry_memory_bytes(entry);

	INVARIANT(shard->size_bytes >= entry_size_bytes(entry));
	stop_expiring(shard, entry);
	order_remove(&shard->order, &entry->order);
	table_remove(&shard->table, entry_hash(entry_key(entry)), entry);
	usage_subtract(&shard->usage->entry_count, 1);
	shard->size_bytes -= entry_size_bytes(entry);
	usage_subtract(&shard->usage->used_bytes, entry_used_bytes(entry));
	usage_subtract(&shard->usage->memory_bytes, memory_bytes);
	usage_subtract(&shard->total->memory_bytes, memory_bytes);
	expiry_trim(&shard->expiry);
	if (!noted_removal(&shard->changes, entry))
		entry_discard(entry, trash);
}

size_t shard_expire(struct shard *shard, struct shard_time time, size_t max, struct entry **trash)
{
	int64_t until_us = time.now_us - shard->stale_us;
	struct expiry_node *due;
	size_t removed = 0;

	while (removed < max && (due = expiry_due(&shard->expiry, until_us))) {
		shard_drop_expired(shard, entry_of_expiry(due), trash);
		removed++;
	}
	removed += answer_alarms(shard, &shard->late, late_due, until_us, max - removed, trash);
	removed +=
		answer_alarms(shard, &shard->idle, idle_due, time.order_us, max - removed, trash);
	return removed;
}

void shard_empty(struct shard *shard, struct table *ret, enum eviction_policy policy,
		 struct entry **tombstones)
{
	*ret = shard->table;
	shard->table = (struct table){.visits = ret->visits};
	order_deinit(&shard->order);
	order_init(&shard->order, policy);
	expiry_deinit(&shard->expiry);
	free_alarms(shard, &shard->late);
	free_alarms(shard, &shard->idle);
	shard->size_bytes = 0;
	noted_forget(&shard->changes, tombstones);
}
