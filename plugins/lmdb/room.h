/* Room for changes: LMDB's map, which grows with the file, the limit max_size_mb, and the reserve.
 *
 * LMDB writes a changed page to another place, so that even a removal needs room. The map ends at
 * the limit; a removal that finds no page there gets a map that is a bit larger, until something is
 * to be added again. The disk's room is allocated ahead of the file's end (fallocate), and an apply
 * that adds something leaves LMDB_RESERVE_BYTES of it, or of free pages, for those that do not. */
#ifndef STEADYCACHE_PLUGIN_LMDB_ROOM_H
#define STEADYCACHE_PLUGIN_LMDB_ROOM_H

#include "state.h"

#define LMDB_RESERVE_BYTES (UINT64_C(2) << 20)

/* The size of the map of a file of that length. */
uint64_t lmdb_room_first_map(const struct driver *driver, uint64_t file_bytes);

/* After the environment was opened, and after a commit. */
void lmdb_room_measure(struct driver *driver);

/* A larger map may be refused (a limit of the process's memory). Then the environment is given up:
 * driver->env is NULL, after both functions that make it larger. */

/* Before changes that take some `needed` bytes and, if `adds`, more room than they leave.
 * DRIVER_NO_SPACE: the disk has none. DRIVER_UNAVAILABLE: the environment was given up, or no
 * checkpoint could be taken. */
enum driver_status lmdb_room_make(struct driver *driver, uint64_t needed, bool adds);

/* After MDB_MAP_FULL: a larger map. False: it is as large as it may be. */
bool lmdb_room_grow(struct driver *driver, bool adds);

/* After MDB_MAP_FULL or a full disk: lets pages be used again that only a checkpoint or the last
 * commit has kept. False: there are none. */
bool lmdb_room_reclaim(struct driver *driver);

/* The disk is full, or not any more, as far as can be seen without the environment. */
bool lmdb_room_disk_has_some(const struct driver *driver);

#endif
