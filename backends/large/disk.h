/* What went wrong with a file, for the user. */
#ifndef STEADYCACHE_LARGE_DISK_H
#define STEADYCACHE_LARGE_DISK_H

#include "base/status.h"

/* The status for an error number of a system call, and a sentence for it (static storage). */
enum cache_status disk_status(int error, const char **ret_detail);

#endif
