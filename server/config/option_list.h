/* All options in the order of --help: the server's own, and those of the backends and layers of the
 * registry after the option of the server that their table names. */
#ifndef STEADYCACHE_SERVER_OPTION_LIST_H
#define STEADYCACHE_SERVER_OPTION_LIST_H

#include "base/option.h"
#include "server/config/options.h"

struct option_place {
	const struct option *option;
	size_t base; /* of the settings that it fills, in struct options */
};

/* Call both from one thread, before any other is started. *ret_count may be NULL; the last place is
 * followed by one without an option. */
const struct option_place *option_list(size_t *ret_count);
/* The settings in `options` that a table of the registry fills; NULL for a table of NULL. */
void *option_list_settings(struct options *options, const struct option_table *table);

#endif
