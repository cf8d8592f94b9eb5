/* The entries of one file on their way into a store. */
#ifndef STEADYCACHE_STEADYTEXT_IMPORT_ENTRIES_H
#define STEADYCACHE_STEADYTEXT_IMPORT_ENTRIES_H

#include "steadytext/import.h"
#include "store/namespace.h"

struct steadytext_taking {
	struct steadytext_import *import;
	const char *name; /* of the file */
	char ns[NAMESPACE_MAX_LEN + 1];
	struct steadytext_file *file;
	uint64_t entries, kept, skipped, history_lost, evicted; /* evicted: the caller's */
	int64_t told_us; /* when something was told of how far it is */
	/* Sentences about entries that were skipped: how many were told, and the last one. */
	uint64_t told_count;
	char told[STEADYTEXT_REASON_SIZE + 100];
	char reason[STEADYTEXT_REASON_SIZE];
};

/* Reads the file to its end, stores all of it, and tells what is skipped. False: a sentence is in
 * taking->reason, or import->was_ended. */
bool steadytext_import_entries(struct steadytext_taking *taking);
/* Tells how many were taken, and what is to know of that. */
void steadytext_import_tell_taken(const struct steadytext_taking *taking);

#endif
