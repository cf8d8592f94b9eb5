/* Lines whose value is too large to be in memory, where the backend keeps such: as an export writes
 * them, with "value_base64" as the last member. The line up to the value is read as any other; the
 * value goes to a spool (base/spool.h) as it arrives. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_LARGE_H
#define STEADYCACHE_HANDLERS_IMPORT_LARGE_H

#include "handlers/transfer/import_state.h"

/* For a line that has begun and is not complete. True: its value is large, import->large has a
 * spool, and import_large_step reads on. False: it is a line like others, as far as is known. */
bool import_large_begin(struct import *import);

enum import_large_step {
	LARGE_NEEDS_INPUT,
	LARGE_IS_WHOLE, /* *ret is the entry */
	LARGE_FAILED,   /* reported; the rest of the line is to be dropped */
};

/* Whether import_large_step would do anything, which takes long. */
bool import_large_is_ready(const struct import *import, bool is_end);
/* Reads what has come of the value. Waits for a disk. */
enum import_large_step import_large_step(struct import *import, bool is_end,
					 struct import_entry *ret);
void import_large_deinit(struct import *import);

#endif
