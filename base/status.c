#include "base/status.h"

static const struct {
	const char *name, *text;
	unsigned http;
} table[] = {
#define X(id, a_name, http_status, sentence)                                                       \
	[CACHE_##id] = {.name = (a_name), .text = (sentence), .http = (http_status)},
	CACHE_STATUS_MAP(X)
#undef X
};

unsigned cache_status_http(enum cache_status status)
{
	return table[status].http;
}

const char *cache_status_name(enum cache_status status)
{
	return table[status].name;
}

const char *cache_status_text(enum cache_status status)
{
	return table[status].text;
}
