/* What is found after a loss of power, as commits do not wait for the disk.
 *
 * LMDB without syncs survives the end of the process: the pages are the kernel's. After a loss of
 * power the disk may have the file's first pages (which name all others) without the pages that
 * they name. So there are checkpoints, every second while something changes, and after each apply
 * that must survive a loss of power:
 *
 *   1. A read transaction pins the pages of the latest commit: LMDB writes to others from then on.
 *      The first pages are copied at that moment.
 *   2. The file is synced.
 *   3. The copy is written to the file "checkpoint", and that is synced.
 *   4. The pin of the checkpoint before is removed.
 *
 * At any time all pages of the last checkpoint are on the disk, and remain there. An open after a
 * loss of power writes the copy back, and so finds that state: whole, and at most a second old.
 * Whether there was one is told by the kernel's number of the boot, which the checkpoint has: if it
 * is the same, only a process ended, and nothing is lost.
 *
 * The file has two slots, written in turn and never extended, so that a full disk does not matter.
 *
 * If the number of the boot is unknown, LMDB syncs each commit, and this file does nothing but obey
 * a checkpoint of an earlier time. */
#ifndef STEADYCACHE_PLUGIN_LMDB_CHECKPOINT_H
#define STEADYCACHE_PLUGIN_LMDB_CHECKPOINT_H

#include "state.h"

/* Before the environment is opened: opens the file, and after a loss of power returns the store to
 * the checkpoint. On failure one sentence in `error`. */
enum driver_status lmdb_checkpoint_prepare(struct driver *driver, char *error, size_t error_size);

/* After the environment was opened: takes the first one and starts the thread. An LMDB code. */
int lmdb_checkpoint_start(struct driver *driver);

/* Whether the pages of the last checkpoint are pinned; otherwise nothing may be written. */
bool lmdb_checkpoint_is_pinned(const struct driver *driver);

/* Before a change: the same. Waits for another checkpoint if there is no pin, or if the file has
 * grown by much since. */
bool lmdb_checkpoint_allows(struct driver *driver);

/* Commits, and lets a checkpoint follow. */
int lmdb_checkpoint_commit(struct driver *driver, MDB_txn *txn);

/* Returns once all that was committed survives a loss of power. An LMDB code. Any thread. */
int lmdb_checkpoint_take(struct driver *driver);

/* LMDB writes to pages again that were given up before this commit, if `last` is the latest. While
 * apply runs. */
size_t lmdb_checkpoint_oldest(struct driver *driver, size_t last);

/* Between these two no transaction of it exists, and the map may change. False: no checkpoint could
 * be taken. */
void lmdb_checkpoint_stop_pinning(struct driver *driver);
bool lmdb_checkpoint_pin_again(struct driver *driver);

/* Ends the thread and the pin. `is_sound`: the environment, which is still open, is synced, and the
 * next open needs no checkpoint. */
void lmdb_checkpoint_stop(struct driver *driver, bool is_sound);

/* Closes the file. */
void lmdb_checkpoint_close(struct driver *driver);

#endif
