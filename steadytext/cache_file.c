#include "steadytext/cache_file.h"

#include <stdio.h>

struct steadytext_file *steadytext_file_open(const char *path, bool *ret_foreign, char *reason,
					     size_t reason_size)
{
	(void)path;
	(void)ret_foreign;
	(void)snprintf(reason, reason_size, "not yet");
	return NULL;
}

enum steadytext_step steadytext_file_next(struct steadytext_file *file,
					  struct steadytext_entry *ret, char *reason,
					  size_t reason_size)
{
	(void)file;
	(void)ret;
	(void)snprintf(reason, reason_size, "not yet");
	return STEADYTEXT_FAILED;
}

uint64_t steadytext_file_count(const struct steadytext_file *file)
{
	(void)file;
	return 0;
}

void steadytext_file_close(struct steadytext_file *file)
{
	(void)file;
}
