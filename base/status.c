#include "base/status.h"

static const struct {
	const char *name, *text;
} table[] = {
#define X(id, a_name, sentence) [CACHE_##id] = {.name = (a_name), .text = (sentence)},
	CACHE_STATUS_MAP(X)
#undef X
};

const char *cache_status_name(enum cache_status status)
{
	return table[status].name;
}

const char *cache_status_text(enum cache_status status)
{
	return table[status].text;
}
