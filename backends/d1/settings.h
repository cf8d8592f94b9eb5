/* The settings of the d1 backend: which Worker, with which token, and how to ask it. */
#ifndef STEADYCACHE_D1_SETTINGS_H
#define STEADYCACHE_D1_SETTINGS_H

#include "backends/remote/settings.h"
#include "store/backend.h"

/* URLs, with the Worker's behind the "+": d1+https://[:token@]host */
#define D1_SCHEMES "d1+https d1+http"

/* backend_config.settings. A number of 0 means the default. What backend_config.url says goes
 * before it. */
struct d1_config {
	const char *url;      /* of the Worker */
	const char *api_key;  /* its token; NULL: none is sent */
	const char *ca_file;  /* PEM bundle to trust instead of the system's; NULL: the system's */
	long long batch_size; /* items that single operations are merged into */
	long long max_in_flight; /* requests at once */
	long long retries;       /* after the first try; negative: none */
	int64_t connect_timeout_us;
	int64_t timeout_us; /* of an operation, from submit to done, including retries */
};

/* The options that fill it. */
extern const struct option_table d1_options;

/* Whether `config` can be right; else false with a sentence that names the option. */
bool d1_settings_check(const struct backend_config *config, char *error, size_t error_size);

/* Fills `settings` from a `config` that d1_settings_check accepts. The strings are copies. False:
 * out of memory, with nothing to free. */
bool d1_settings_init(struct remote_settings *settings, const struct backend_config *config);

#endif
