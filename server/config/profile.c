#include "server/config/profile.h"

#include <string.h>
#include <strings.h>

/* Artifacts are hundreds of megabytes, and come over slow lines; of those that a build made, the
 * ones that no later build asked for are the first that are not needed. */
const struct profile_default profile_defaults[] = {
	{"build-cache", "max-body-mb", "512"},
	{"build-cache", "default-max-size-mb", "10240"},
	{"build-cache", "default-eviction", "lru"},
	{"build-cache", "request-timeout", "900"},
};
const size_t profile_default_count = sizeof(profile_defaults) / sizeof(profile_defaults[0]);

const char *profile_default_of(const char *profile, const char *flag)
{
	for (size_t i = 0; profile && flag && i < profile_default_count; i++)
		if (strcasecmp(profile_defaults[i].profile, profile) == 0 &&
		    strcmp(profile_defaults[i].flag, flag) == 0)
			return profile_defaults[i].text;
	return NULL;
}
