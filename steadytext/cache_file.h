/* SteadyText's own cache files, entry by entry, as its D1 client would look for them: key str(key)
 * as Python prints it, value base64 of the pickle.
 *
 *     NAME.db    SQLite: table cache(key, value, frequency, last_access, size); read while
 *                SteadyText has it open; never written
 *     NAME.pkl   pickle of {"data": {key: value}, "meta": {key: (frequency, counter)},
 *                "counter": n}
 *
 * The entries come in the order of their worth, the least first: a store that has to evict while it
 * takes them then keeps those that SteadyText would have kept. A key that Pythons of different
 * releases print differently comes once for each. Of two keys that print the same, the one that
 * was used last comes, and the other is skipped. */
#ifndef STEADYCACHE_STEADYTEXT_CACHE_FILE_H
#define STEADYCACHE_STEADYTEXT_CACHE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Room for a sentence. */
#define STEADYTEXT_REASON_SIZE 400

/* One entry. The slices stay until the next call for the same file. */
struct steadytext_entry {
	struct slice key;   /* UTF-8 */
	struct slice value; /* base64, one line */
	uint64_t frequency; /* 1 or more */
	int64_t last_access_us;
};

enum steadytext_step {
	STEADYTEXT_ENTRY,   /* *ret is the next entry */
	STEADYTEXT_SKIPPED, /* the next entry cannot be taken: `reason` says why and where it is in
			     * the file, without its key, which is in ret->key if it is known */
	STEADYTEXT_END,
	STEADYTEXT_FAILED, /* the file cannot be read on: `reason` says why */
};

/* What a store takes; 0: no limit is known. An entry beyond is skipped, unread if possible. */
struct steadytext_limits {
	size_t key_max_bytes;
	uint64_t value_max_bytes; /* in base64 */
};

struct steadytext_file;

/* Whether `name` ends in .db or .pkl; *ret_len (may be NULL) is the length of what is before. */
bool steadytext_file_is_named(const char *name, size_t *ret_len);

/* Opens PATH, a regular file whose name ends so; symbolic links in PATH are not followed. NULL with
 * a sentence in `reason`: it cannot be read, is damaged, or is no cache of SteadyText's
 * (*ret_foreign: true only for the last). `now_us`: later times of entries are this. */
struct steadytext_file *steadytext_file_open(const char *path,
					     const struct steadytext_limits *limits, int64_t now_us,
					     bool *ret_foreign, char *reason, size_t reason_size);
enum steadytext_step steadytext_file_next(struct steadytext_file *file,
					  struct steadytext_entry *ret, char *reason,
					  size_t reason_size);
/* Entries in all, those included that will be skipped. */
uint64_t steadytext_file_count(const struct steadytext_file *file);
/* Removes the .pkl if it is still the file that was read, unchanged; what is gone counts as
 * removed. False with a sentence in `reason`: it stays. A .db stays always. */
bool steadytext_file_remove(struct steadytext_file *file, char *reason, size_t reason_size);
/* NULL is allowed. */
void steadytext_file_close(struct steadytext_file *file);

#endif
