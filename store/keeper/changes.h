/* A write in progress: what it has changed in the namespaces, and what the driver must be told.
 *
 * Each step changes the namespaces at once, so that a later step, of the same operation or of
 * another one of its group, sees the effect of earlier ones. The driver hears of all steps in one
 * apply, at the commit. If that fails, all steps are undone, the last one first: nobody has seen
 * them, because the gate was held all the time. So store and namespaces never disagree.
 *
 *     write ──▶ step, step, step ──▶ commit ──▶ apply ──▶ OK: what was replaced is freed
 *                    │                              └───▶ failure: undo all
 *                    └──▶ the operation is refused: undo to the mark
 *
 * A step that runs out of memory changes nothing and says so. Undoing needs no memory.
 *
 * Threads: the gate is held for writing from the first step to the end of the commit. */
#ifndef STEADYCACHE_KEEPER_CHANGES_H
#define STEADYCACHE_KEEPER_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "steadycache/driver.h"
#include "store/backend.h"
#include "store/keeper/space.h"

struct keeper;
struct keeper_step;

/* A zeroed one is empty and valid. Its memory is kept for the next write. */
struct keeper_changes {
	struct keeper_step *steps;
	size_t count, capacity;
	/* Of the commit: what the driver is told, and the heads of the records in it. */
	struct driver_change *told;
	size_t told_capacity;
	char *heads;
	size_t heads_len, heads_capacity;
	bool is_unknown; /* whether the driver has made the changes; they are undone here */
	/* Of what a clear removes only what was changed since is told of (tell.h); 0: all that is
	 * removed is. */
	int64_t told_since_us;
};

void keeper_changes_deinit(struct keeper_changes *changes);

/* Puts `fresh`, of the same key, in the place of `old` (NULL: there is none). If `old` is not live
 * it counts as expired. Counts a set. `body` is borrowed until the commit. `fresh`, and `owned`
 * (which is freed; NULL is allowed), belong to the changes if the result is true. */
bool keeper_changes_put(struct keeper_changes *changes, struct keeper_space *space,
			struct keeper_entry *old, bool old_is_live, struct keeper_entry *fresh,
			struct slice body, char *owned);

/* Gives `entry` another expiry. `body` (malloc'ed) is what the driver has of it, and belongs to the
 * changes if the result is true. */
bool keeper_changes_retime(struct keeper_changes *changes, struct keeper_space *space,
			   struct keeper_entry *entry, int64_t expires_at_us, char *body);

/* Removes `entry`, and counts it in `counter`, one of the namespace's. */
bool keeper_changes_remove(struct keeper_changes *changes, struct keeper_space *space,
			   struct keeper_entry *entry, uint64_t *counter);

/* Takes `entry` off the list of those with uses that the driver does not know, and reports it. */
bool keeper_changes_tell_use(struct keeper_changes *changes, struct keeper_space *space,
			     struct keeper_entry *entry);

/* Creates the namespace `name`, which must not exist; NULL: out of memory. */
struct keeper_space *keeper_changes_add_space(struct keeper *keeper, struct slice name,
					      const struct namespace_settings *settings);

/* Lets an empty namespace exist no more. */
bool keeper_changes_drop_space(struct keeper *keeper, struct keeper_space *space);

/* Gives a namespace other settings. */
bool keeper_changes_configure(struct keeper_changes *changes, struct keeper_space *space,
			      const struct namespace_settings *settings, unsigned configured);

/* Undoes the steps after the first `mark` ones: changes->count of an earlier moment. */
void keeper_changes_undo(struct keeper *keeper, size_t mark);

/* Tells the driver of all steps, and of a changed order clock. On a failure everything is undone.
 * Either way no step is left. */
enum cache_status keeper_changes_commit(struct keeper *keeper);

#endif
