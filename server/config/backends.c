#include "server/config/backends.h"

#include <strings.h>

#include "server/config/option_list.h"
#include "store/data_dir.h"
#include "store/find.h"

struct backend_config backends_config(struct options *options)
{
	return (struct backend_config){
		.data_dir = options->data_dir,
		.durability = strcasecmp(options->durability, "full") == 0 ? DURABILITY_FULL
									   : DURABILITY_COMMIT,
		.max_namespaces = (unsigned)options->max_namespaces,
		.defaults = options_namespace_defaults,
		.defaults_user = options,
		.default_names = options_default_names,
	};
}

static const void *settings_of(void *user, const struct option_table *table)
{
	return option_list_settings(user, table);
}

bool backends_place(struct backend_place *ret, struct options *options,
		    const struct backend_config *base, const char *text, char *error,
		    size_t error_size)
{
	return backend_place_read(ret, text, base, settings_of, options, error, error_size);
}

const char *backends_chosen(const struct options *options, const char *text)
{
	const unsigned outside = BACKEND_PERSISTS | BACKEND_REMOTE | BACKEND_KEEPS_NOTHING;
	const struct backend_ops *chosen = backend_find_by_text(text);

	if (options->disable_cache)
		return backend_find_by_bits(BACKEND_KEEPS_NOTHING, 0)->name;
	if (options->skip_cache_init && chosen && chosen->bits & BACKEND_WANTS_DIR)
		return backend_find_by_bits(0, outside)->name; /* memory */
	return text;
}

bool backends_prepare(const struct backend_place *place, char *error, size_t error_size)
{
	return backend_place_check(place, error, error_size) &&
	       (!place->wants_dir ||
		data_dir_prepare(place->config.data_dir, "--data-dir", error, error_size));
}
