/* Reads a .pkl of SteadyText's (cache_file.h). The whole of it is in memory, as a pickle can only
 * be read from its beginning, and a file may be cut off while it is read.
 *
 * Its counters say in which order entries were used, not when: the last use is the time at which
 * the file was written, and each count before is a microsecond earlier. So two imports of one file
 * give the same. */
#ifndef STEADYCACHE_STEADYTEXT_PKL_H
#define STEADYCACHE_STEADYTEXT_PKL_H

#include "steadytext/cache_file.h"

/* Largest file. SteadyText's have up to 100 MB unless it is told otherwise. */
#define STEADYTEXT_PKL_MAX_BYTES (INT64_C(1) << 30)

struct steadytext_pkl;

/* As steadytext_file_open, and the others. */
struct steadytext_pkl *steadytext_pkl_open(const char *path, const struct steadytext_limits *limits,
					   int64_t now_us, bool *ret_foreign, char *reason,
					   size_t reason_size);
enum steadytext_step steadytext_pkl_next(struct steadytext_pkl *pkl, struct steadytext_entry *ret,
					 char *reason, size_t reason_size);
uint64_t steadytext_pkl_count(const struct steadytext_pkl *pkl);
bool steadytext_pkl_remove(const struct steadytext_pkl *pkl, char *reason, size_t reason_size);
/* NULL is allowed. */
void steadytext_pkl_close(struct steadytext_pkl *pkl);

#endif
