/* The import of one file (import.h). */
#ifndef STEADYCACHE_STEADYTEXT_IMPORT_FILE_H
#define STEADYCACHE_STEADYTEXT_IMPORT_FILE_H

#include "steadytext/import.h"

/* Imports `name` of the folder `dir`, a descriptor, whose path without symbolic links is
 * `dir_path`, unless that was done before. Counts and tells what became of it. False: the store
 * does not say what was imported before, and so would not of other files. */
bool steadytext_import_file(struct steadytext_import *import, int dir, const char *dir_path,
			    const char *name);

#endif
