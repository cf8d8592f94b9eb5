#include "store/keeper/changes.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/invariant.h"
#include "store/keeper/keeper_state.h"
#include "store/keeper/outcome.h"
#include "store/tell.h"

enum step_kind {
	STEP_PUT,
	STEP_RETIME,
	STEP_REMOVE,
	STEP_USE,
	STEP_ADD_SPACE,
	STEP_DROP_SPACE,
	STEP_CONFIGURE,
};

struct keeper_step {
	enum step_kind kind;
	struct keeper_space *space;
	union {
		struct {
			struct keeper_entry *entry;
			struct keeper_entry *old; /* PUT: the replaced entry, or NULL */
			struct slice body;        /* PUT, RETIME */
			char *owned;              /* the same: memory of the body, or NULL */
			int64_t expires_at_us;    /* RETIME: the previous one */
			uint64_t *counter; /* REMOVE: the counter for it; PUT: the counter for an
					    * old entry, or NULL */
		};
		struct { /* CONFIGURE: the previous ones */
			struct namespace_settings settings;
			unsigned configured;
		};
	};
};

void keeper_changes_deinit(struct keeper_changes *changes)
{
	free(changes->steps);
	free(changes->told);
	free(changes->heads);
}

/* ---- Steps ---- */

/* Appends a step for the caller to fill. NULL: out of memory. */
static struct keeper_step *add_step(struct keeper_changes *changes)
{
	struct keeper_step *steps =
		array_with_room(changes->steps, changes->count, &changes->capacity, sizeof(*steps));

	if (!steps)
		return NULL;
	changes->steps = steps;
	return &steps[changes->count++];
}

bool keeper_changes_put(struct keeper_changes *changes, struct keeper_space *space,
			struct keeper_entry *old, bool old_is_live, struct keeper_entry *fresh,
			struct slice body, char *owned)
{
	struct keeper_step *step = NULL;

	if (keeper_space_reserve(space, fresh->expires_at_us != 0))
		step = add_step(changes);
	if (!step)
		return false;
	*step = (struct keeper_step){.kind = STEP_PUT, .space = space};
	step->entry = fresh;
	step->old = old;
	step->body = body;
	step->owned = owned;
	step->counter = old && !old_is_live ? &space->counters.expirations : NULL;
	if (old)
		keeper_space_replace(space, old, fresh);
	else
		keeper_space_add(space, fresh);
	space->counters.sets++;
	if (step->counter)
		++*step->counter;
	return true;
}

bool keeper_changes_retime(struct keeper_changes *changes, struct keeper_space *space,
			   struct keeper_entry *entry, int64_t expires_at_us, char *body)
{
	struct keeper_step *step = NULL;

	if (keeper_space_reserve(space, true))
		step = add_step(changes);
	if (!step)
		return false;
	*step = (struct keeper_step){.kind = STEP_RETIME, .space = space};
	step->entry = entry;
	step->body = (struct slice){body, (size_t)keeper_entry_body_len(entry)};
	step->owned = body;
	step->expires_at_us = entry->expires_at_us;
	keeper_space_retime(space, entry, expires_at_us);
	return true;
}

bool keeper_changes_remove(struct keeper_changes *changes, struct keeper_space *space,
			   struct keeper_entry *entry, uint64_t *counter)
{
	struct keeper_step *step = add_step(changes);

	if (!step)
		return false;
	*step = (struct keeper_step){.kind = STEP_REMOVE, .space = space};
	step->entry = entry;
	step->counter = counter;
	keeper_space_remove(space, entry);
	++*counter;
	return true;
}

bool keeper_changes_tell_use(struct keeper_changes *changes, struct keeper_space *space,
			     struct keeper_entry *entry)
{
	struct keeper_step *step = add_step(changes);

	if (!step)
		return false;
	*step = (struct keeper_step){.kind = STEP_USE, .space = space};
	step->entry = entry;
	keeper_space_forget_use(entry);
	return true;
}

struct keeper_space *keeper_changes_add_space(struct keeper *keeper, struct slice name,
					      const struct namespace_settings *settings)
{
	struct keeper_step *step = add_step(&keeper->changes);

	if (!step)
		return NULL;
	struct keeper_space *space = keeper_space_create(&keeper->spaces, name, settings);
	*step = (struct keeper_step){.kind = STEP_ADD_SPACE, .space = space};
	if (!space)
		keeper->changes.count--;
	return space;
}

bool keeper_changes_drop_space(struct keeper *keeper, struct keeper_space *space)
{
	struct keeper_step *step = add_step(&keeper->changes);

	if (!step)
		return false;
	*step = (struct keeper_step){.kind = STEP_DROP_SPACE, .space = space};
	keeper_space_unlink(&keeper->spaces, space);
	return true;
}

bool keeper_changes_configure(struct keeper_changes *changes, struct keeper_space *space,
			      const struct namespace_settings *settings, unsigned configured)
{
	struct keeper_step *step = add_step(changes);

	if (!step)
		return false;
	*step = (struct keeper_step){.kind = STEP_CONFIGURE, .space = space};
	step->settings = space->settings;
	step->configured = space->configured;
	keeper_space_configure(space, settings, configured);
	return true;
}

/* ---- Undo ---- */

/* An entry that is put back may have had uses to report: then it has them again. */
static void put_back(const struct keeper *keeper, struct keeper_space *space,
		     struct keeper_entry *entry)
{
	keeper_space_add(space, entry);
	entry->is_uncertain |= keeper->changes.is_unknown;
	keeper_space_note_use(space, entry);
}

static void undo_step(struct keeper *keeper, const struct keeper_step *step)
{
	switch (step->kind) {
	case STEP_PUT:
		keeper_space_remove(step->space, step->entry);
		free(step->entry);
		free(step->owned);
		step->space->counters.sets--;
		if (step->counter)
			--*step->counter;
		if (step->old)
			put_back(keeper, step->space, step->old);
		break;
	case STEP_RETIME:
		keeper_space_retime(step->space, step->entry, step->expires_at_us);
		free(step->owned);
		break;
	case STEP_REMOVE:
		put_back(keeper, step->space, step->entry);
		--*step->counter;
		break;
	case STEP_USE:
		keeper_space_note_use(step->space, step->entry);
		break;
	case STEP_ADD_SPACE:
		INVARIANT(step->space->index.count == 0);
		keeper_space_destroy(&keeper->spaces, step->space);
		break;
	case STEP_DROP_SPACE:
		keeper_space_link(&keeper->spaces, step->space);
		break;
	case STEP_CONFIGURE:
		keeper_space_configure(step->space, &step->settings, step->configured);
		break;
	}
}

void keeper_changes_undo(struct keeper *keeper, size_t mark)
{
	struct keeper_changes *changes = &keeper->changes;

	while (changes->count > mark)
		undo_step(keeper, &changes->steps[--changes->count]);
}

/* ---- Commit ---- */

/* The most that the head of a step takes. */
static size_t head_bytes(const struct keeper_step *step)
{
	bool is_entry =
		step->kind == STEP_PUT || step->kind == STEP_RETIME || step->kind == STEP_USE;

	if (step->kind == STEP_REMOVE || step->kind == STEP_DROP_SPACE)
		return 0;
	return RECORD_NUMBERS_BYTES + (is_entry ? step->entry->type_len : 0);
}

/* Makes room for what the driver is told: about each step, and about the clock. */
static bool prepare(struct keeper_changes *changes)
{
	size_t wanted = changes->count + 1;
	size_t wanted_bytes = RECORD_NUMBERS_BYTES;

	for (size_t i = 0; i < changes->count; i++)
		wanted_bytes += head_bytes(&changes->steps[i]);
	if (wanted > changes->told_capacity) {
		free(changes->told);
		changes->told = malloc(wanted * sizeof(*changes->told));
		changes->told_capacity = changes->told ? wanted : 0;
	}
	if (wanted_bytes > changes->heads_capacity) {
		free(changes->heads);
		changes->heads = malloc(wanted_bytes);
		changes->heads_capacity = changes->heads ? wanted_bytes : 0;
	}
	changes->heads_len = 0;
	return changes->told && changes->heads;
}

/* Adds the change of a record with a head. */
static struct driver_change *add_head(struct keeper_changes *changes, size_t *count,
				      const struct keeper_record *record, struct slice ns,
				      struct slice key)
{
	char *head = changes->heads + changes->heads_len;
	struct driver_change *change = &changes->told[(*count)++];

	*change = (struct driver_change){.kind = DRIVER_PUT, .ns = ns, .key = key};
	change->head = (struct slice){head, keeper_record_pack(record, ns, key, head)};
	changes->heads_len += change->head.len;
	INVARIANT(changes->heads_len <= changes->heads_capacity);
	return change;
}

static void tell_step(struct keeper_changes *changes, size_t *count, const struct keeper_step *step)
{
	struct slice ns = slice_of(step->space->name);
	struct keeper_record record;
	struct driver_change *change;

	switch (step->kind) {
	case STEP_REMOVE:
		changes->told[(*count)++] = (struct driver_change){
			.kind = DRIVER_REMOVE, .ns = ns, .key = keeper_entry_key(step->entry)};
		break;
	case STEP_DROP_SPACE:
		changes->told[(*count)++] =
			(struct driver_change){.kind = DRIVER_REMOVE, .key = ns};
		break;
	case STEP_PUT:
	case STEP_RETIME: /* a driver may leave a USE out */
	case STEP_USE:
		keeper_entry_record(step->entry, &record);
		change = add_head(changes, count, &record, ns, keeper_entry_key(step->entry));
		change->kind = step->kind == STEP_USE ? DRIVER_USE : DRIVER_PUT;
		change->body = step->kind == STEP_USE ? (struct slice){0} : step->body;
		break;
	case STEP_ADD_SPACE:
	case STEP_CONFIGURE:
		record = (struct keeper_record){.kind = RECORD_SETTINGS};
		record.settings.values = step->space->settings;
		record.settings.configured = step->space->configured;
		(void)add_head(changes, count, &record, (struct slice){0}, ns);
		break;
	}
}

/* Whether the clock was set back, or caught up, since the driver was told of it. */
static bool clock_has_changed(const struct keeper *keeper, struct order_clock_state *ret)
{
	order_clock_save(&keeper->order_clock, ret);
	return ret->ahead_us != keeper->kept_clock.ahead_us ||
	       ret->since_us != keeper->kept_clock.since_us;
}

static enum cache_status tell_all(struct keeper *keeper)
{
	struct keeper_changes *changes = &keeper->changes;
	struct keeper_record clock = {.kind = RECORD_CLOCK};
	size_t count = 0;

	if (!prepare(changes))
		return CACHE_NO_MEMORY;
	for (size_t i = 0; i < changes->count; i++)
		tell_step(changes, &count, &changes->steps[i]);
	bool is_another_clock = clock_has_changed(keeper, &clock.clock);
	if (is_another_clock)
		(void)add_head(changes, &count, &clock, (struct slice){0}, RECORD_CLOCK_KEY);
	enum driver_status status = keeper->ops->apply(keeper->driver, changes->told, count);
	(void)atomic_fetch_add(&keeper->applies, 1);
	/* Of a number that is no status nobody knows what it means. */
	changes->is_unknown = (unsigned)status >= DRIVER_UNKNOWN;
	if (status == DRIVER_OK && is_another_clock)
		keeper->kept_clock = clock.clock;
	/* It is not a valid answer to changes. */
	return status == DRIVER_NOT_FOUND ? CACHE_INTERNAL : keeper_outcome(keeper, status);
}

/* Who listens may have begun to while this was made: nothing was seen before the gate opens. */
static void tell_change_of(const struct keeper *keeper, const struct keeper_step *step)
{
	enum cache_change_kind kind = CHANGE_SET;

	if (step->kind == STEP_REMOVE) {
		kind = step->counter == &step->space->counters.expirations ? CHANGE_EXPIRE
		       : step->counter == &step->space->counters.evictions ? CHANGE_EVICT
									   : CHANGE_DELETE;
		if (step->entry->modified_at_us < keeper->changes.told_since_us)
			return;
	} else if (step->kind != STEP_PUT && step->kind != STEP_RETIME) {
		return;
	}
	tell_change(&keeper->config, kind, slice_of(step->space->name),
		    keeper_entry_key(step->entry));
}

/* What is uncertain may have happened. */
static void tell_changes(const struct keeper *keeper, enum cache_status status)
{
	const struct keeper_changes *changes = &keeper->changes;

	if (!tell_is_wanted(&keeper->config))
		return;
	if (changes->is_unknown)
		tell_change(&keeper->config, CHANGE_MISSED, (struct slice){0}, (struct slice){0});
	for (size_t i = 0; status == CACHE_OK && i < changes->count; i++)
		tell_change_of(keeper, &changes->steps[i]);
}

static void free_replaced(const struct keeper_step *step)
{
	if (step->kind == STEP_PUT) {
		free(step->old);
		free(step->owned);
	} else if (step->kind == STEP_RETIME) {
		free(step->owned);
	} else if (step->kind == STEP_REMOVE) {
		free(step->entry);
	} else if (step->kind == STEP_DROP_SPACE) {
		keeper_space_free(step->space);
	}
}

/* Memory of a write that was much larger than most is freed. */
#define KEPT_CAPACITY 1024

static void give_back(struct keeper_changes *changes)
{
	if (changes->capacity <= KEPT_CAPACITY && changes->told_capacity <= KEPT_CAPACITY)
		return;
	keeper_changes_deinit(changes);
	*changes = (struct keeper_changes){0};
}

enum cache_status keeper_changes_commit(struct keeper *keeper)
{
	struct keeper_changes *changes = &keeper->changes;
	enum cache_status status = CACHE_OK;

	if (changes->count > 0)
		status = tell_all(keeper);
	tell_changes(keeper, status);
	if (status != CACHE_OK)
		keeper_changes_undo(keeper, 0);
	changes->is_unknown = false;
	for (size_t i = 0; i < changes->count; i++)
		free_replaced(&changes->steps[i]);
	changes->count = 0;
	give_back(changes);
	return status;
}
