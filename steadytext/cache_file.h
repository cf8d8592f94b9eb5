/* SteadyText's own cache files, entry by entry, as its D1 client would look for them: key str(key)
 * as Python prints it, value base64 of the pickle.
 *
 *     NAME.db    SQLite: table cache(key, value, frequency, last_access, size); read while
 *                SteadyText has it open; never written
 *     NAME.pkl   pickle of {"data": {key: value}, "meta": {key: (frequency, counter)}, "counter":
 * n} */
#ifndef STEADYCACHE_STEADYTEXT_CACHE_FILE_H
#define STEADYCACHE_STEADYTEXT_CACHE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* One entry. The slices stay until the next call for the same file. */
struct steadytext_entry {
	struct slice key;   /* UTF-8 */
	struct slice value; /* base64, one line */
	uint64_t frequency; /* 1 or more */
	int64_t last_access_us;
};

enum steadytext_step {
	STEADYTEXT_ENTRY,   /* *ret is the next entry */
	STEADYTEXT_SKIPPED, /* the next entry cannot be taken: `reason` says why, and which */
	STEADYTEXT_END,
	STEADYTEXT_FAILED, /* the file cannot be read on: `reason` says why */
};

enum steadytext_file_kind { STEADYTEXT_DB, STEADYTEXT_PKL };

struct steadytext_file;

/* Opens PATH, whose name ends in .db or .pkl. NULL with a sentence in `reason`: it cannot be read,
 * is damaged, or is no cache of SteadyText's (*ret_foreign, may be NULL: true only for the last).
 */
struct steadytext_file *steadytext_file_open(const char *path, bool *ret_foreign, char *reason,
					     size_t reason_size);
enum steadytext_step steadytext_file_next(struct steadytext_file *file,
					  struct steadytext_entry *ret, char *reason,
					  size_t reason_size);
/* Entries in all, about. */
uint64_t steadytext_file_count(const struct steadytext_file *file);
/* NULL is allowed. */
void steadytext_file_close(struct steadytext_file *file);

#endif
