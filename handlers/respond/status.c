#include "handlers/respond/status.h"

#include <stddef.h>

/* A sentence of NULL: that of the status. */
static const struct {
	unsigned http;
	const char *text;
} table[CACHE_STATUSES] = {
	[CACHE_OK] = {200, NULL},
	[CACHE_NOT_FOUND] = {404, NULL},
	[CACHE_PRECONDITION_FAILED] = {412, NULL},
	[CACHE_INVALID] = {400, NULL},
	[CACHE_TOO_LARGE] = {413, NULL},
	[CACHE_UNSUPPORTED] = {501, NULL},
	[CACHE_UNAVAILABLE] = {503, NULL},
	[CACHE_READ_ONLY] = {503, NULL},
	[CACHE_NO_MEMORY] = {503, NULL},
	[CACHE_TIMEOUT] = {504, NULL},
	[CACHE_NO_SPACE] = {507, NULL},
	[CACHE_TOO_MANY_NAMESPACES] = {507,
				       "too many namespaces; raise STEADYCACHE_MAX_NAMESPACES"},
	[CACHE_CORRUPT] = {500, NULL},
	[CACHE_INTERNAL] = {500, NULL},
};

unsigned status_http(enum cache_status status)
{
	return table[status].http;
}

const char *status_text(enum cache_status status)
{
	return table[status].text ? table[status].text : cache_status_text(status);
}
