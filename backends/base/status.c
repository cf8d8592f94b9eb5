#include "backends/base/status.h"

static const struct {
	unsigned http;
	const char *text;
} table[] = {
#define X(id, http_status, sentence) [CACHE_##id] = {.http = (http_status), .text = (sentence)},
	CACHE_STATUS_MAP(X)
#undef X
};

unsigned cache_status_http(enum cache_status status)
{
	return table[status].http;
}

const char *cache_status_text(enum cache_status status)
{
	return table[status].text;
}
