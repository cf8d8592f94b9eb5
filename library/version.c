#include "library/version.h"

const char *steadycache_version(void)
{
	return STEADYCACHE_VERSION;
}

uint32_t steadycache_version_number(void)
{
	return STEADYCACHE_VERSION_NUMBER;
}
