/* What the d1 backend was told: which Worker, with which token, and how it is asked. */
#ifndef STEADYCACHE_D1_SETTINGS_H
#define STEADYCACHE_D1_SETTINGS_H

#include "backends/remote/settings.h"
#include "store/backend.h"

/* Whether `config` can be right; else false with a sentence that names the option. */
bool d1_settings_check(const struct backend_config *config, char *error, size_t error_size);

/* Fills `settings` from a `config` that d1_settings_check accepts. False: out of memory, with
 * nothing to free. The strings are copies. */
bool d1_settings_init(struct remote_settings *settings, const struct d1_config *config);

#endif
