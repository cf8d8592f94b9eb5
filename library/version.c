#include "library/version.h"

/* Layouts of libsteadycache.so.0, on machines with pointers of 64 bits. Those without a `size` are
 * for good. */
#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(struct steadycache_settings) == 64, "layout");
_Static_assert(sizeof(struct steadycache_item) == 96, "layout");
_Static_assert(sizeof(struct steadycache_entry) == 128, "layout");
_Static_assert(sizeof(struct steadycache_stats) == 288, "layout");
_Static_assert(sizeof(struct steadycache_options) == 128, "layout");
_Static_assert(sizeof(struct steadycache_request) == 184, "layout");
#endif

const char *steadycache_version(void)
{
	return STEADYCACHE_VERSION;
}

uint32_t steadycache_version_number(void)
{
	return STEADYCACHE_VERSION_NUMBER;
}
