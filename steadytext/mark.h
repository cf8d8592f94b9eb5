/* What a store knows of files that were imported (import.h): a key that stands for the file, and
 * JSON that says what was taken of it. */
#ifndef STEADYCACHE_STEADYTEXT_MARK_H
#define STEADYCACHE_STEADYTEXT_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

#define STEADYTEXT_MARK_KEY_SIZE 256

/* "NAME INODE BIRTH", for a .pkl "NAME INODE BIRTH SIZE CHANGED", of the regular file `name` in the
 * folder `dir` (a descriptor). Where the file system knows no birth times, the number of the device
 * stands for it; elsewhere that may be another one after a restart. False with a clause in
 * `reason`: it is no regular file, or cannot be looked at. */
bool steadytext_mark_key(int dir, const char *name, char ret[STEADYTEXT_MARK_KEY_SIZE],
			 char *reason, size_t reason_size);

struct steadytext_mark {
	const char *name;
	int64_t imported_us;
	uint64_t entries, kept, skipped, evicted;
	bool is_removable; /* a .pkl: it may be removed if it is still there */
};

/* Appends the JSON. */
void steadytext_mark_write(const struct steadytext_mark *mark, struct buffer *ret);
/* Whether the file of a mark may be removed. */
bool steadytext_mark_is_removable(struct slice text);

#endif
