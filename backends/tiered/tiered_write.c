/* Writes: the near cache is told before they begin and when they have ended. */
#include "backends/tiered/tiered_write.h"

#include "backends/tiered/pass.h"

/* ---- Items ---- */

/* A stored value has the time of that; one that a namespace of capacity 0 accepted has none, and
 * the outcome of a condition is not only ours to know. */
static bool is_stored(const struct cache_op *op, const struct cache_item *item)
{
	return op->type == CACHE_OP_SET && op->status == CACHE_OK && item->status == CACHE_OK &&
	       item->value->modified_at_us != 0 &&
	       (op->item_count > 1 || item->condition.kind == CONDITION_NONE);
}

static void write_done(struct cache_op *op)
{
	struct pass *pass = op->user;

	for (size_t i = 0; i < pass->count; i++) {
		struct cache_item *item = &op->items[i];

		near_end_write(pass->tiered->near, &pass->items[i].key,
			       is_stored(op, item) ? item->value : NULL, pass->began_us,
			       &pass->items[i].note);
	}
	if (pass->count > 1) {
		(void)atomic_fetch_add(&pass->tiered->batch_version, 1);
		(void)atomic_fetch_sub(&pass->tiered->batch_writers, 1);
	}
	pass_close(pass);
}

void tiered_write(struct backend *backend, struct cache_op *op)
{
	struct tiered *tiered = tiered_of(backend);
	struct pass *pass = pass_open(tiered, op, op->item_count);

	if (!pass) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	if (pass->count > 1) {
		(void)atomic_fetch_add(&tiered->batch_writers, 1);
		(void)atomic_fetch_add(&tiered->batch_version, 1);
	}
	for (size_t i = 0; i < pass->count; i++) {
		pass->items[i].key = near_key_of(tiered->near, op->ns, op->items[i].key);
		near_begin_write(tiered->near, &pass->items[i].key, &pass->items[i].note);
	}
	pass_forward(pass, write_done);
}

/* ---- Namespaces ---- */

/* Of what is known of the namespace. */
static void note_change(struct tiered *tiered, const struct cache_op *op)
{
	bool is_idle_time =
		op->type == CACHE_OP_CONFIGURE && (op->settings_mask & SETTING_MAX_IDLE);
	struct near_space *space = NULL;

	if (is_idle_time)
		space = near_spaces_find_or_add(&tiered->spaces, op->ns);
	else if (op->type == CACHE_OP_CLEAR && op->drop)
		space = near_spaces_find(&tiered->spaces, op->ns);
	if (!space)
		return;
	if (is_idle_time)
		near_space_set_max_idle(space, op->settings.max_idle_s);
	else
		near_space_forget(space);
	near_space_ask_again(space);
}

static void clear_done(struct cache_op *op)
{
	struct pass *pass = op->user;

	near_end_clear(pass->tiered->near, op->ns,
		       op->type == CACHE_OP_CLEAR ? op->prefix : SLICE(""));
	if (op->status == CACHE_OK)
		note_change(pass->tiered, op);
	pass_close(pass);
}

void tiered_clear(struct backend *backend, struct cache_op *op)
{
	struct tiered *tiered = tiered_of(backend);
	struct pass *pass = pass_open(tiered, op, 0);

	if (!pass) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	near_begin_clear(tiered->near, op->ns);
	pass_forward(pass, clear_done);
}
