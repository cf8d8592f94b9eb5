/* A flush: what has changed since the last one, in steps of bounded size, each one transaction.
 *
 *     1. of each namespace that has changed: its clear (which may be a drop: then what follows is
 *        of one that was made anew), its settings, its removed keys
 *     2. of each of them: the entries that were set or used, in the order of their creation, in
 *        which the file has them too: so entries that share a page are written together
 *
 * Removals go first, so that on a full disk they make the room that the others need, and because of
 * the order of one key:
 *
 * - A key that was removed and set again has a tombstone and an entry. The tombstone is dropped
 *   when it is about to be written; until then both are kept, and the tombstone goes first.
 * - An entry that was set after a clear is not collected before the clear is written
 *   (mirror_collect). So the clear removes nothing that came after it.
 * - Removals and a clear during the flush are written after the entries of their namespace, of
 *   which they may have removed some before they were written.
 *
 * What is being written stays noted until its commit: an entry keeps ENTRY_UNSAVED, a removed key
 * is in this thread's hand. If the file refuses a step, the flush ends and returns what it has. */
#include "backends/persist/flush.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "store/notice.h"
#include "store/op_wait.h"

/* One transaction at most. The more it has, the fewer times a page of the file is written that
 * several of its entries share: most of a flush's work. */
#define STEP_ITEMS 8192
#define STEP_BYTES (UINT64_C(8) << 20)

/* Hashes that a flush has taken and not got through, because the file refused it. */
struct persist_left {
	struct namespace *ns;
	uint64_t *hashes; /* malloc'ed */
	size_t count, at;
};

struct flush {
	struct persist *persist;
	void (*between)(struct persist *persist);
	struct namespace **marked; /* those with changes */
	size_t marked_count;
	/* Of one step, STEP_ITEMS of each; malloc'ed. */
	struct mirror_change *changes;
	struct cache_item *items;
};

static bool prepare(struct flush *flush)
{
	flush->changes = malloc(STEP_ITEMS * sizeof(*flush->changes));
	flush->items = malloc(STEP_ITEMS * sizeof(*flush->items));
	return flush->changes && flush->items;
}

static void dispose(struct flush *flush)
{
	free(flush->changes);
	free(flush->items);
	free(flush->marked);
}

/* ---- One op on the file ---- */

static void note_failure(struct persist *persist, const struct cache_op *op)
{
	const char *detail = op->detail ? op->detail : cache_status_text(op->status);

	(void)pthread_mutex_lock(&persist->lock);
	persist->failure.status = op->status;
	(void)snprintf(persist->failure.sentence, sizeof(persist->failure.sentence), "%s", detail);
	(void)pthread_mutex_unlock(&persist->lock);
	atomic_fetch_add(&persist->counts.failures, 1);
	if (!atomic_exchange(&persist->counts.is_failing, true))
		notice_send(&persist->config, NOTICE_ERROR,
			    "changes cannot be written to the database, and would be lost with the "
			    "process: %s",
			    detail);
}

/* Has the file do it, and waits. False: it was refused. */
static bool run_op(struct persist *persist, struct cache_op *op,
		   void (*run)(struct backend *backend, struct cache_op *op))
{
	struct op_wait wait = OP_WAIT_INITIALIZER;

	op_wait_add(&wait, op);
	run(persist->file, op);
	op_wait_end(&wait);
	if (op->status == CACHE_OK || op->status == CACHE_NOT_FOUND)
		return true;
	note_failure(persist, op);
	return false;
}

/* ---- Settings, clears ---- */

static bool flush_settings(struct persist *persist, struct namespace *ns)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = mirror_name(ns);
	if (!mirror_take_settings(ns, &op.settings, &op.settings_mask))
		return true;
	if (run_op(persist, &op, persist->file->ops->configure))
		return true;
	mirror_return_settings(ns, op.settings_mask);
	return false;
}

static bool flush_clear(struct persist *persist, struct namespace *ns)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CLEAR);
	if (!mirror_take_clear(ns, &op.drop))
		return true;
	op.ns = mirror_name(ns);
	if (run_op(persist, &op, persist->file->ops->clear))
		return true;
	mirror_return_clear(ns, op.drop);
	return false;
}

/* ---- Removed keys ---- */

/* Removes the keys of the first entries of a list. *ret_count: how many it has got through. */
static bool remove_some(const struct flush *flush, struct namespace *ns, unsigned shard,
			const struct entry *removed, size_t *ret_count)
{
	struct persist *persist = flush->persist;
	struct cache_item *items = flush->items;
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_DELETE);
	op.ns = mirror_name(ns);
	op.items = items;
	op.item_count = 0;
	*ret_count = 0;
	for (; removed && op.item_count < STEP_ITEMS; removed = mirror_after(removed)) {
		++*ret_count;
		if (mirror_is_removed(ns, shard, removed))
			items[op.item_count++] = (struct cache_item){.key = mirror_key(removed)};
	}
	if (op.item_count == 0)
		return true;
	if (!run_op(persist, &op, persist->file->ops->remove))
		return false;
	atomic_fetch_add(&persist->counts.removed, op.item_count);
	return true;
}

static bool flush_removed_of(struct flush *flush, struct namespace *ns, unsigned shard)
{
	struct persist *persist = flush->persist;
	struct entry *removed = mirror_take_removed(ns, shard);
	size_t count = 0;
	bool ok = true;

	for (const struct entry *entry = removed; entry; entry = mirror_after(entry))
		count++;
	atomic_store(&persist->counts.in_hand, count);
	while (removed && ok) {
		size_t looked_at = 0;

		ok = remove_some(flush, ns, shard, removed, &looked_at);
		if (ok) {
			removed = mirror_free(removed, looked_at);
			atomic_fetch_sub(&persist->counts.in_hand, looked_at);
		}
		if (ok && flush->between)
			flush->between(persist);
	}
	if (removed)
		mirror_return_removed(ns, shard, removed);
	atomic_store(&persist->counts.in_hand, 0);
	return ok;
}

static bool flush_first(struct flush *flush, struct namespace *ns)
{
	bool ok = flush_clear(flush->persist, ns) && flush_settings(flush->persist, ns);

	for (unsigned shard = 0; shard < MIRROR_SHARDS && ok; shard++)
		ok = flush_removed_of(flush, ns, shard);
	return ok;
}

bool flush_removed(struct persist *persist)
{
	struct flush flush = {.persist = persist};
	bool ok = prepare(&flush);

	for (struct namespace *ns = mirror_first(persist->all); ns && ok; ns = mirror_next(ns))
		for (unsigned shard = 0; mirror_has_mark(ns) && shard < MIRROR_SHARDS && ok;
		     shard++)
			ok = flush_removed_of(&flush, ns, shard);
	dispose(&flush);
	return ok;
}

/* ---- Entries ---- */

/* Writes changes as one transaction; where the volume has no room for that, in halves. */
static bool write_changes(const struct flush *flush, struct namespace *ns,
			  const struct mirror_change *changes, size_t count)
{
	struct persist *persist = flush->persist;
	struct cache_item *items = flush->items;
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = mirror_name(ns);
	op.items = items;
	op.item_count = count;
	for (size_t i = 0; i < count; i++)
		items[i] = (struct cache_item){
			.key = changes[i].key,
			.value = changes[i].has_new_value ? changes[i].value : NULL,
			.size_bytes = changes[i].size_bytes,
			.history = &changes[i].history,
		};
	if (run_op(persist, &op, persist->file->ops->set)) {
		atomic_fetch_add(&persist->counts.written, count);
		return true;
	}
	return op.status == CACHE_NO_SPACE && count > 1 &&
	       write_changes(flush, ns, changes, count / 2) &&
	       write_changes(flush, ns, changes + count / 2, count - count / 2);
}

/* Writes the entries of the hashes that are left. True if none is left. */
static bool flush_hashes(struct flush *flush, struct persist_left *left)
{
	struct persist *persist = flush->persist;
	struct mirror_change *changes = flush->changes;
	bool ok = true;

	while (left->at < left->count && ok) {
		size_t looked_up = 0;
		size_t count =
			mirror_collect(left->ns, left->hashes + left->at, left->count - left->at,
				       changes, STEP_ITEMS, STEP_BYTES, &looked_up);

		/* They are of before the clear; what follows it is noted anew (mirror_take_hashes).
		 */
		if (count == SIZE_MAX) {
			mirror_return_mark(left->ns);
			left->at = left->count;
			break;
		}
		ok = count == 0 || write_changes(flush, left->ns, changes, count);
		if (ok) {
			mirror_saved(left->ns, changes, count);
			left->at += looked_up;
		}
		mirror_release(changes, count);
		if (ok && flush->between)
			flush->between(persist);
	}
	return ok;
}

/* Keeps what is left for the next flush: there is at most one of these, because a flush ends with
 * the first failure. */
static bool keep_left(struct persist *persist, const struct persist_left *left)
{
	*persist->left = *left;
	return false;
}

static bool flush_left(struct flush *flush)
{
	struct persist_left *left = flush->persist->left;

	if (!flush_hashes(flush, left))
		return false;
	struct namespace *ns = left->ns;

	free(left->hashes);
	*left = (struct persist_left){0};
	return !ns || flush_clear(flush->persist, ns);
}

/* What was removed meanwhile may be what this flush owes to those who wait for it: so the removal
 * belongs to it, and a clear. */
static bool flush_entries(struct flush *flush, struct namespace *ns)
{
	struct persist_left left = {.ns = ns};

	left.hashes = mirror_take_hashes(ns, &left.count);
	if (!left.hashes && left.count > 0)
		return false;
	if (left.hashes && !flush_hashes(flush, &left))
		return keep_left(flush->persist, &left);
	if (left.hashes) {
		free(left.hashes);
		for (unsigned shard = 0; shard < MIRROR_SHARDS; shard++)
			if (!flush_removed_of(flush, ns, shard))
				return false;
	}
	return flush_clear(flush->persist, ns);
}

/* ---- All of it ---- */

/* Collects the namespaces that may have changed. False: out of memory. */
static bool collect_marked(struct flush *flush)
{
	size_t capacity = 0;

	for (struct namespace *ns = mirror_first(flush->persist->all); ns; ns = mirror_next(ns)) {
		if (!mirror_take_mark(ns))
			continue;
		struct namespace **marked = array_with_room(flush->marked, flush->marked_count,
							    &capacity, sizeof(*marked));
		if (!marked) {
			mirror_return_mark(ns);
			return false;
		}
		flush->marked = marked;
		flush->marked[flush->marked_count++] = ns;
	}
	return true;
}

static bool run(struct flush *flush)
{
	bool ok = collect_marked(flush);

	for (size_t i = 0; i < flush->marked_count && ok; i++)
		ok = flush_first(flush, flush->marked[i]);
	if (ok)
		ok = flush_left(flush);
	for (size_t i = 0; i < flush->marked_count && ok; i++)
		ok = flush_entries(flush, flush->marked[i]);
	for (size_t i = 0; i < flush->marked_count && !ok; i++)
		mirror_return_mark(flush->marked[i]);
	return ok;
}

bool flush_all(struct persist *persist, void (*between)(struct persist *persist))
{
	struct flush flush = {.persist = persist, .between = between};
	int64_t began_us = monotonic_now_us();

	if (!persist->left)
		persist->left = calloc(1, sizeof(*persist->left));
	bool ok = persist->left && prepare(&flush) && run(&flush);
	dispose(&flush);
	atomic_fetch_add(&persist->counts.flushes, 1);
	atomic_fetch_add(&persist->counts.busy_us,
			 (unsigned long long)(monotonic_now_us() - began_us));
	if (!ok)
		return false;
	atomic_store(&persist->saved_until_us, began_us);
	(void)pthread_mutex_lock(&persist->lock);
	persist->failure.status = CACHE_OK;
	(void)pthread_mutex_unlock(&persist->lock);
	if (atomic_exchange(&persist->counts.is_failing, false))
		notice_send(&persist->config, NOTICE_INFO,
			    "changes are written to the database again");
	return true;
}

void flush_deinit(struct persist *persist)
{
	if (persist->left)
		free(persist->left->hashes);
	free(persist->left);
	persist->left = NULL;
}
