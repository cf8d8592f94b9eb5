/* The bytes of a .pkl, and whether it is still the file that they came from. */
#ifndef STEADYCACHE_STEADYTEXT_PKL_FILE_H
#define STEADYCACHE_STEADYTEXT_PKL_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/slice.h"

struct steadytext_pkl_file {
	char *path;
	char *bytes;
	size_t len;
	struct stat found;
};

/* Reads PATH, a regular file of up to `max_bytes`, without waiting for anybody. False with a clause
 * in `reason`, and nothing to free. */
bool steadytext_pkl_file_read(struct steadytext_pkl_file *ret, const char *path, off_t max_bytes,
			      char *reason, size_t reason_size);
/* As steadytext_file_remove. */
bool steadytext_pkl_file_remove(const struct steadytext_pkl_file *file, char *reason,
				size_t reason_size);
void steadytext_pkl_file_deinit(struct steadytext_pkl_file *file);

#endif
