/* The URL of a plugin: plugin:/path, plugin:///path, plugin:./path, plugin:NAME, and behind a ? the
 * settings of its driver, in a syntax of its own. */
#ifndef STEADYCACHE_PLUGIN_URL_H
#define STEADYCACHE_PLUGIN_URL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct plugin_url {
	char path[PATH_MAX];  /* of the shared object, with a slash, %XX decoded */
	char label[PATH_MAX]; /* the URL without the settings, for sentences */
	const char *settings; /* points into the URL; NULL: there is no ? */
};

/* False with a sentence. `url` may be NULL. */
bool plugin_url_read(const char *url, struct plugin_url *ret, char *error, size_t error_size);

#endif
