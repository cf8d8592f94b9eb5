/* What the d1 backend was told, checked and completed: addresses, credentials, limits. */
#ifndef STEADYCACHE_D1_SETTINGS_H
#define STEADYCACHE_D1_SETTINGS_H

#include "store/backend.h"

struct d1_settings {
	char *base_url;      /* no trailing slash */
	char *authorization; /* the whole header line; NULL: none is sent */
	char *ca_file;       /* NULL: the system's */
	size_t batch_size;
	unsigned max_in_flight;
	unsigned retries;
	int64_t connect_timeout_us;
	int64_t timeout_us;
};

/* Whether `config` can be right; else false with a sentence that names the option. */
bool d1_config_check(const struct backend_config *config, char *error, size_t error_size);

/* Fills `settings` from a `config` that d1_config_check accepts. False: out of memory, with nothing
 * to free. The strings are copies. */
bool d1_settings_init(struct d1_settings *settings, const struct d1_config *config);
/* A zeroed `settings` is fine. */
void d1_settings_deinit(struct d1_settings *settings);

/* An http:// or https:// URL with a host and without query, fragment, user or control
 * characters. */
bool d1_url_is_valid(const char *url);

#endif
