/* Whether the entries that came are as many as an export says that it has. An export that was
 * resumed after a cursor counts those since the cursor. One thread at a time. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_MARKS_H
#define STEADYCACHE_HANDLERS_IMPORT_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* Notes a cursor after `came` entries, which never gets less. `marks` are uint64_t; empty at first.
 * Of several cursors after the same number one is kept, and no more than the first 2^20. Without
 * memory marks->failed is set. */
void import_marks_note(struct buffer *marks, uint64_t came);

/* Whether `entries` is `came`, or how many came since one of the cursors. */
bool import_marks_fit(const struct buffer *marks, uint64_t came, uint64_t entries);

#endif
