/* Reads: from the near cache, else from the backend; and if that is out of order, from expired
 * answers. */
#include "backends/tiered/tiered_read.h"

#include "backends/tiered/learn.h"
#include "backends/tiered/pass.h"
#include "store/rules.h"

/* ---- Get ---- */

/* The fault is the backend's, not the request's. */
static bool is_outage(enum cache_status status)
{
	switch (status) {
	case CACHE_OK:
	case CACHE_NOT_FOUND:
	case CACHE_PRECONDITION_FAILED:
	case CACHE_INVALID:
	case CACHE_TOO_LARGE:
	case CACHE_UNSUPPORTED:
		return false;
	default:
		return true;
	}
}

/* A read that is not a use is not kept: an export would drive out everything in use. */
static void keep_answers(struct pass *pass, const struct cache_op *answered)
{
	if (answered->no_touch)
		return;
	for (size_t i = 0; i < pass->count; i++)
		if (answered->items[i].status == CACHE_OK && answered->items[i].value &&
		    !answered->items[i].stale)
			near_fill(pass->tiered->near, &pass->items[i].key, answered->items[i].value,
				  pass->began_us, &pass->items[i].note);
}

static void drop_values(struct cache_op *op)
{
	for (size_t i = 0; i < op->item_count; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
	}
}

/* Answers what was asked of the backend from expired answers. False: some are missing, and nothing
 * was answered. */
static bool answer_stale(struct pass *pass, struct cache_op *asked)
{
	struct tiered *tiered = pass->tiered;
	int64_t now_us = cache_clock_now_us(tiered->clock);
	int64_t oldest_us = now_us - tiered->config.ttl_us - tiered->config.stale_us;
	size_t found = 0;

	drop_values(asked);
	for (; found < pass->count; found++) {
		struct cache_item *item = &asked->items[found];

		item->value =
			near_find(tiered->near, &pass->items[found].key, now_us, oldest_us, NULL);
		if (!item->value)
			break;
		item->status = CACHE_OK;
	}
	if (found == pass->count) {
		near_count_stale(tiered->near);
		return true;
	}
	drop_values(asked);
	return false;
}

static void get_done(struct cache_op *op)
{
	struct pass *pass = op->user;

	if (!is_outage(op->status)) {
		keep_answers(pass, op);
	} else if (answer_stale(pass, op)) {
		op->status = rules_status_of_items(op);
		op->detail = NULL;
	}
	pass_close(pass);
}

/* Answers items from the near cache; returns how many. *ret_oldest_us: when the oldest was fetched.
 */
static size_t look_near(struct tiered *tiered, struct cache_op *op, struct near_space *space,
			int64_t now_us, int64_t *ret_oldest_us)
{
	int64_t ttl_us = tiered->config.ttl_us;
	int64_t fetched_us;
	size_t found = 0;

	if (space)
		ttl_us = earlier_us(ttl_us, near_space_max_age_us(space));
	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];
		struct near_key key = near_key_of(tiered->near, op->ns, item->key);

		item->value = near_find(tiered->near, &key, now_us, now_us - ttl_us, &fetched_us);
		if (item->value && fetched_us < *ret_oldest_us)
			*ret_oldest_us = fetched_us;
		item->status = CACHE_OK;
		found += item->value != NULL;
	}
	return found;
}

/* The notes for near_fill: taken before the backend is asked. */
static void take_notes(struct pass *pass)
{
	for (size_t i = 0; i < pass->count; i++) {
		struct pass_item *item = &pass->items[i];

		item->key = near_key_of(pass->tiered->near, pass->op->ns, pass->op->items[i].key);
		near_note(pass->tiered->near, &item->key, &item->note);
	}
}

/* A batch is answered from memory as a whole or not at all, and not if a batch was written
 * meanwhile: so nobody sees a part of it from before and a part from after. */
void tiered_get(struct backend *backend, struct cache_op *op)
{
	struct tiered *tiered = tiered_of(backend);
	bool is_batch = op->item_count > 1;
	uint64_t version = atomic_load(&tiered->batch_version);
	bool is_still = !is_batch || atomic_load(&tiered->batch_writers) == 0;
	struct near_space *space = near_spaces_find_or_add(&tiered->spaces, op->ns);
	int64_t now_us = cache_clock_now_us(tiered->clock);
	int64_t oldest_us = now_us;

	if (look_near(tiered, op, space, now_us, &oldest_us) == op->item_count && is_still &&
	    (!is_batch || atomic_load(&tiered->batch_version) == version)) {
		if (!op->no_touch && space)
			near_space_add_hits(space, op->item_count);
		if (space && now_us - oldest_us > NEAR_SPACE_AGE_MIN_US)
			learn_settings(tiered, space, now_us);
		rules_complete_items(op);
		return;
	}
	drop_values(op);
	struct pass *pass = pass_open(tiered, op, op->item_count);
	if (!pass) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	take_notes(pass);
	pass_forward(pass, get_done);
}

/* ---- Exists ---- */

static void exists_done(struct cache_op *op)
{
	struct pass *pass = op->user;
	struct tiered *tiered = pass->tiered;
	int64_t now_us = cache_clock_now_us(tiered->clock);
	int64_t oldest_us = now_us - tiered->config.ttl_us - tiered->config.stale_us;
	size_t found = 0;

	if (!is_outage(op->status)) {
		pass_close(pass);
		return;
	}
	for (; found < op->item_count; found++) {
		struct near_key key = near_key_of(tiered->near, op->ns, op->items[found].key);
		struct cache_value *value = near_find(tiered->near, &key, now_us, oldest_us, NULL);

		if (!value)
			break;
		cache_value_release(value);
	}
	if (found == op->item_count) {
		for (size_t i = 0; i < found; i++)
			op->items[i].status = CACHE_OK;
		op->status = CACHE_OK;
		op->detail = NULL;
		near_count_stale(tiered->near);
	}
	pass_close(pass);
}

void tiered_exists(struct backend *backend, struct cache_op *op)
{
	struct pass *pass = pass_open(tiered_of(backend), op, 0);

	if (pass)
		pass_forward(pass, exists_done);
	else
		cache_op_complete(op, CACHE_NO_MEMORY);
}
