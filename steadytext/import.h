/* Takes the caches in a folder of SteadyText's (~/.cache/steadytext/caches) into a store: each file
 * once. What was taken is written down in the store itself, as entries of the namespace
 * STEADYTEXT_MARKS, so that it holds for all servers of a store, and a memory that is empty again
 * is filled again; deleting such an entry makes the file count as new.
 *
 * Entries that are in the store already stay. A .pkl is removed once the store has confirmed
 * all of it and its mark, unless something of it could not be taken or `keeps`; a .db is never
 * changed. */
#ifndef STEADYCACHE_STEADYTEXT_IMPORT_H
#define STEADYCACHE_STEADYTEXT_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steadytext/cache_file.h"

#define STEADYTEXT_MARKS "steadytext_imports"

/* Where the entries go. All calls block; each failure has a sentence in `reason`. */
struct steadytext_sink;
enum steadytext_put { STEADYTEXT_STORED, STEADYTEXT_KEPT, STEADYTEXT_REFUSED };

struct steadytext_sink_ops {
	/* Stores entries of one namespace, those that are not there yet, and says of each what
	 * became of it (`ret` has room for `count`; reasons[i], of REASON_SIZE... is the sentence
	 * of one that was refused). False: the store failed as a whole. */
	bool (*put)(struct steadytext_sink *sink, const char *ns,
		    const struct steadytext_entry *entries, size_t count, enum steadytext_put *ret,
		    char *reason, size_t reason_size);
	/* Everything put before survives the end of the store's process. */
	bool (*settle)(struct steadytext_sink *sink, char *reason, size_t reason_size);
	/* Whether the store has the mark `key`, and stores it with `text` (JSON), without a time to
	 * live. */
	bool (*has_mark)(struct steadytext_sink *sink, const char *key, bool *ret, char *reason,
			 size_t reason_size);
	bool (*set_mark)(struct steadytext_sink *sink, const char *key, struct slice text,
			 char *reason, size_t reason_size);
};

struct steadytext_sink {
	const struct steadytext_sink_ops *ops;
};

enum steadytext_level { STEADYTEXT_INFO, STEADYTEXT_WARN, STEADYTEXT_ERROR };

struct steadytext_import {
	const char *dir;
	bool keeps;  /* .pkl files stay */
	bool is_dry; /* reads and decides, stores and removes nothing */
	bool again;  /* also files that were imported before */
	struct steadytext_sink *sink;
	/* Told what was taken, skipped and why, a sentence at a time. */
	void (*tell)(void *user, enum steadytext_level level, const char *sentence);
	/* Asked between batches; true ends the import, which a later one completes. May be NULL. */
	bool (*is_over)(void *user);
	void *user;

	/* out */
	uint64_t files, files_before, files_failed; /* taken; imported before; failed */
	uint64_t entries, kept, skipped;
};

/* False: something failed (told); the rest was done. */
bool steadytext_import_run(struct steadytext_import *import);

#endif
