/* Profiles: defaults for a purpose (--profile). What is given, by a flag or in the environment,
 * takes precedence. */
#ifndef STEADYCACHE_SERVER_PROFILE_H
#define STEADYCACHE_SERVER_PROFILE_H

#include <stddef.h>

struct profile_default {
	const char *profile;
	const char *flag; /* of the option */
	const char *text;
};

extern const struct profile_default profile_defaults[];
extern const size_t profile_default_count;

/* The default of the option with that flag in a profile; NULL: its usual one. NULL is allowed. */
const char *profile_default_of(const char *profile, const char *flag);

#endif
