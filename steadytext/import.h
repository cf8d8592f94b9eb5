/* Takes the caches in a folder of SteadyText's (~/.cache/steadytext/caches) into a store: each file
 * once. NAME.db and NAME.pkl go into the namespace NAME; the .db first, as SteadyText would have
 * made it of the .pkl.
 *
 * What was taken is written down in the store itself, as entries of the namespace
 * STEADYTEXT_MARKS, so that it holds for all servers of a store, and a memory that is empty again
 * is filled again; deleting such an entry makes the file count as new. A file is known by its name,
 * its inode and the time at which that was made, a .pkl by its size and time of change too: so a
 * .db into which SteadyText writes on is not imported twice, and what is another file is.
 *
 * Entries that are in the store already stay. A .pkl is removed once the store has confirmed all of
 * it and its mark; it stays if something of it could not be taken, if the store evicts or forgets,
 * or with `keeps`. A .db is never changed. */
#ifndef STEADYCACHE_STEADYTEXT_IMPORT_H
#define STEADYCACHE_STEADYTEXT_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steadytext/sink.h"

enum steadytext_level { STEADYTEXT_INFO, STEADYTEXT_WARN, STEADYTEXT_ERROR };

struct steadytext_import {
	/* If it has neither .db nor .pkl files: its folders models/caches and caches, as far as it
	 * has them. No other folder is looked into. */
	const char *dir;
	bool keeps;      /* .pkl files stay */
	bool is_dry;     /* reads and decides, stores and removes nothing */
	bool again;      /* also files that were imported before */
	bool shows_keys; /* in what is told: keys of entries, shortened */
	struct steadytext_sink *sink;
	/* Told what was taken, skipped and why, a sentence at a time; a bounded number of them for
	 * each file. */
	void (*tell)(void *user, enum steadytext_level level, const char *sentence);
	/* Asked between batches; true ends the import, which a later one completes. May be NULL. */
	bool (*is_over)(void *user);
	void *user;

	/* out */
	uint64_t files, files_before, files_failed; /* taken; imported before; failed */
	uint64_t entries, kept, skipped;            /* of the files taken or failed */
	uint64_t evicted;                           /* by the store, while they came */
	bool was_ended;                             /* by is_over */
	bool found_none;                            /* no such file in any of the folders (told) */
};

/* False: something failed, or was ended (told); the rest was done. */
bool steadytext_import_run(struct steadytext_import *import);

#endif
