#include "library/error.h"

#include <stdio.h>

static _Thread_local char last[600];

enum steadycache_status library_error_keep(enum steadycache_status status, const char *sentence)
{
	if (status != STEADYCACHE_OK && status != STEADYCACHE_NOT_FOUND &&
	    status != STEADYCACHE_PRECONDITION_FAILED)
		(void)snprintf(last, sizeof(last), "%s", sentence);
	return status;
}

const char *steadycache_error(void)
{
	return last;
}
