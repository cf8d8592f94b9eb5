#include "store/merge.h"

#include <stdlib.h>
#include <string.h>

#include "store/op_wait.h"
#include "store/rules.h"

/* A key that changes more often than this while it is decided is newer than what comes. */
#define ROUNDS_MAX 4
/* Some backends keep the expiry to the second. */
#define SAME_EXPIRY_US US_PER_S
/* Values that are read to see how old they are: at a time, and their bytes. */
#define LOOKED_AT_ONCE 32
#define LOOKED_BYTES   (UINT64_C(32) << 20)

/* What is known of an entry until it has its outcome. */
struct candidate {
	struct merge_entry *entry;
	bool exists;
	struct etag etag; /* if it exists, and may be replaced */
};

static bool is_same(const struct cache_value *here, const struct cache_item *coming)
{
	if (!coming->history || coming->history->expires_at_us == HISTORY_TTL ||
	    !etag_equal(&here->etag, &coming->value->etag) ||
	    !slice_equal(cache_value_head(here), cache_value_head(coming->value)))
		return false;
	int64_t apart_us = here->expires_at_us - coming->history->expires_at_us;
	return (here->expires_at_us == 0) == (coming->history->expires_at_us == 0) &&
	       apart_us < SAME_EXPIRY_US && -apart_us < SAME_EXPIRY_US;
}

bool merge_keeps(enum merge_policy policy, const struct cache_value *here,
		 const struct cache_item *coming, int64_t modified_us)
{
	return policy == MERGE_KEEP ||
	       (policy == MERGE_NEWER &&
		(here->modified_at_us >= modified_us || is_same(here, coming)));
}

/* Whether the store failed, not the entry. */
static bool is_stores_fault(const struct cache_op *op)
{
	switch (op->status) {
	case CACHE_UNAVAILABLE:
	case CACHE_TIMEOUT:
	case CACHE_NO_MEMORY:
	case CACHE_INTERNAL:
	case CACHE_CORRUPT:
	case CACHE_READ_ONLY:
		return true;
	case CACHE_NO_SPACE:
		/* Of the disk; a namespace that is full has this sentence. */
		return !op->detail || strcmp(op->detail, RULES_REFUSAL_FULL) != 0;
	default:
		return false;
	}
}

static enum cache_status fail(struct merge *merge, const struct cache_op *op)
{
	merge->detail = op->detail;
	merge->retry_after_s = op->retry_after_s;
	return op->status;
}

static void decide(struct merge_entry *entry, enum merge_outcome outcome, enum cache_status status,
		   const char *detail)
{
	entry->outcome = outcome;
	entry->status = status;
	entry->detail = detail;
}

/* ---- Looking ---- */

/* Fills `op` with the keys of `count` candidates; `items` has room for them. */
static void ask_for(struct merge *merge, struct cache_op *op, enum cache_op_type type,
		    struct candidate *candidates, size_t count, struct cache_item *items)
{
	cache_op_init(op, type);
	op->ns = merge->ns;
	op->no_touch = true;
	/* Their times and ETags are those of the entries, and nobody reads the bytes. */
	op->takes_references = true;
	op->takes_encoded = true;
	op->items = items;
	op->item_count = count;
	for (size_t i = 0; i < count; i++)
		items[i] = (struct cache_item){.key = candidates[i].entry->item.key};
}

static enum cache_status look_which_exist(struct merge *merge, struct candidate *candidates,
					  size_t count, struct cache_item *items)
{
	struct cache_op op;

	ask_for(merge, &op, CACHE_OP_EXISTS, candidates, count, items);
	enum cache_status status = backend_call(merge->backend, &op);
	if (status != CACHE_OK && status != CACHE_NOT_FOUND)
		return fail(merge, &op);
	for (size_t i = 0; i < count; i++)
		candidates[i].exists = items[i].status == CACHE_OK;
	cache_op_deinit(&op);
	return CACHE_OK;
}

static bool keeps(const struct merge *merge, const struct merge_entry *entry,
		  const struct cache_value *here)
{
	if (entry->follows)
		return !etag_equal(&here->etag, entry->follows) || is_same(here, &entry->item);
	return merge_keeps(merge->policy, here, &entry->item, entry->modified_us);
}

static void compare(struct merge *merge, struct candidate *candidate, const struct cache_item *item)
{
	candidate->exists = item->status == CACHE_OK && item->value;
	if (!candidate->exists)
		return;
	candidate->etag = item->value->etag;
	if (keeps(merge, candidate->entry, item->value))
		decide(candidate->entry, MERGE_KEPT, CACHE_OK, NULL);
}

/* Reads those that exist, a few at a time, and compares their times. */
static enum cache_status look_how_old(struct merge *merge, struct candidate *candidates,
				      size_t count, struct cache_item *items)
{
	size_t step = LOOKED_AT_ONCE;

	for (size_t at = 0; at < count;) {
		size_t taken = count - at < step ? count - at : step;
		struct cache_op op;

		ask_for(merge, &op, CACHE_OP_GET, candidates + at, taken, items);
		op.max_value_bytes = taken > 1 ? LOOKED_BYTES : 0;
		enum cache_status status = backend_call(merge->backend, &op);
		if (status == CACHE_TOO_LARGE && taken > 1) {
			cache_op_deinit(&op);
			step = 1;
			continue;
		}
		if (status != CACHE_OK && status != CACHE_NOT_FOUND) {
			status = fail(merge, &op);
			cache_op_deinit(&op);
			return status;
		}
		for (size_t i = 0; i < taken; i++)
			compare(merge, &candidates[at + i], &items[i]);
		cache_op_deinit(&op);
		at += taken;
		step = LOOKED_AT_ONCE;
	}
	return CACHE_OK;
}

/* Moves those that `exists` says to the beginning; returns their number. */
static size_t put_existing_first(struct candidate *candidates, size_t count)
{
	size_t first = 0;

	for (size_t i = 0; i < count; i++) {
		struct candidate other = candidates[first];

		if (!candidates[i].exists)
			continue;
		candidates[first++] = candidates[i];
		candidates[i] = other;
	}
	return first;
}

static enum cache_status look(struct merge *merge, struct candidate *candidates, size_t count,
			      struct cache_item *items)
{
	if (merge->policy == MERGE_REPLACE)
		return CACHE_OK;
	enum cache_status status = look_which_exist(merge, candidates, count, items);
	if (status != CACHE_OK)
		return status;
	size_t existing = put_existing_first(candidates, count);
	bool asks_age = merge->policy == MERGE_NEWER;
	for (size_t i = 0; i < existing; i++)
		asks_age |= candidates[i].entry->follows != NULL;
	if (asks_age)
		status = look_how_old(merge, candidates, existing, items);
	for (size_t i = 0; status == CACHE_OK && i < count; i++) {
		bool is_over =
			candidates[i].exists ? !asks_age : candidates[i].entry->follows != NULL;

		if (is_over)
			decide(candidates[i].entry, MERGE_KEPT, CACHE_OK, NULL);
	}
	return status;
}

/* ---- Storing ---- */

static void fill_single(struct merge *merge, struct cache_op *op, const struct candidate *candidate)
{
	bool has_conditions = (merge->backend->ops->bits & BACKEND_CONDITIONS) != 0;

	cache_op_init(op, CACHE_OP_SET);
	op->ns = merge->ns;
	op->one = candidate->entry->item;
	if (merge->policy == MERGE_REPLACE || merge->is_alone || !has_conditions)
		return;
	op->one.condition = (struct cache_condition){
		.kind = candidate->exists ? CONDITION_MATCH : CONDITION_ABSENT,
		.etags = &candidate->etag,
		.etag_count = 1,
	};
	if (!candidate->exists)
		op->one.condition.etag_count = 0;
}

/* An op of its own for each, all at once. Those whose condition failed stay undecided. */
static enum cache_status store_singles(struct merge *merge, struct candidate *candidates,
				       size_t count)
{
	struct op_wait wait = OP_WAIT_INITIALIZER;
	struct cache_op *ops = calloc(count, sizeof(*ops));
	enum cache_status status = CACHE_OK;

	if (!ops)
		return CACHE_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		fill_single(merge, &ops[i], &candidates[i]);
		op_wait_add(&wait, &ops[i]);
		backend_submit(merge->backend, &ops[i]);
	}
	op_wait_end(&wait);
	for (size_t i = 0; i < count; i++) {
		if (ops[i].status == CACHE_OK) {
			decide(candidates[i].entry, MERGE_STORED, CACHE_OK, NULL);
			merge->history_lost += ops[i].history_lost;
		} else if (is_stores_fault(&ops[i])) {
			status = fail(merge, &ops[i]);
		} else if (ops[i].status != CACHE_PRECONDITION_FAILED) {
			decide(candidates[i].entry, MERGE_FAILED, ops[i].status, ops[i].detail);
		}
	}
	free(ops);
	return status;
}

/* One op. One that is refused is repeated entry by entry, so that each has its own answer. */
static enum cache_status store_batch(struct merge *merge, struct candidate *candidates,
				     size_t count, struct cache_item *items)
{
	struct cache_op op;

	if (count == 1)
		return store_singles(merge, candidates, count);
	cache_op_init(&op, CACHE_OP_SET);
	op.ns = merge->ns;
	op.items = items;
	op.item_count = count;
	for (size_t i = 0; i < count; i++)
		items[i] = candidates[i].entry->item;
	enum cache_status status = backend_call(merge->backend, &op);
	if (status != CACHE_OK && !is_stores_fault(&op))
		return store_singles(merge, candidates, count);
	merge->history_lost += op.history_lost;
	for (size_t i = 0; i < count; i++)
		if (items[i].status == CACHE_OK)
			decide(candidates[i].entry, MERGE_STORED, CACHE_OK, NULL);
	return status == CACHE_OK ? CACHE_OK : fail(merge, &op);
}

static enum cache_status store_batches(struct merge *merge, struct candidate *candidates,
				       size_t count, struct cache_item *items)
{
	size_t max = merge->backend->ops->set_max_items;
	enum cache_status status = CACHE_OK;

	if (max == 0 || max > count)
		max = count;
	for (size_t at = 0; status == CACHE_OK && at < count; at += max)
		status = store_batch(merge, candidates + at, count - at < max ? count - at : max,
				     items);
	return status;
}

/* ---- All of it ---- */

static size_t undecided(struct merge *merge, struct candidate *candidates)
{
	size_t count = 0;

	for (size_t i = 0; i < merge->count; i++)
		if (merge->entries[i].outcome == MERGE_UNDECIDED)
			candidates[count++] = (struct candidate){.entry = &merge->entries[i]};
	return count;
}

static size_t drop_decided(struct candidate *candidates, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (candidates[i].entry->outcome == MERGE_UNDECIDED)
			candidates[kept++] = candidates[i];
	return kept;
}

static enum cache_status run_round(struct merge *merge, struct candidate *candidates, size_t count,
				   struct cache_item *items)
{
	bool is_free = merge->policy == MERGE_REPLACE || merge->is_alone ||
		       !(merge->backend->ops->bits & BACKEND_CONDITIONS);
	enum cache_status status = look(merge, candidates, count, items);

	if (status != CACHE_OK)
		return status;
	count = drop_decided(candidates, count);
	if (merge->is_dry) {
		for (size_t i = 0; i < count; i++)
			decide(candidates[i].entry, MERGE_STORED, CACHE_OK, NULL);
		return CACHE_OK;
	}
	if (count == 0)
		return CACHE_OK;
	return is_free ? store_batches(merge, candidates, count, items)
		       : store_singles(merge, candidates, count);
}

enum cache_status merge_run(struct merge *merge)
{
	struct candidate *candidates = calloc(merge->count + 1, sizeof(*candidates));
	struct cache_item *items = calloc(merge->count + 1, sizeof(*items));
	enum cache_status status = candidates && items ? CACHE_OK : CACHE_NO_MEMORY;
	size_t count = 0;

	merge->detail = NULL;
	merge->retry_after_s = 0;
	for (unsigned round = 0;
	     status == CACHE_OK && round < ROUNDS_MAX && (count = undecided(merge, candidates)) > 0;
	     round++)
		status = run_round(merge, candidates, count, items);
	if (status == CACHE_OK)
		for (size_t i = 0; i < merge->count; i++)
			if (merge->entries[i].outcome == MERGE_UNDECIDED)
				decide(&merge->entries[i], MERGE_KEPT, CACHE_OK, NULL);
	free(candidates);
	free(items);
	return status;
}
