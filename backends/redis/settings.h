/* What the redis backend was told: which server, as whom, and how it is asked. */
#ifndef STEADYCACHE_REDIS_SETTINGS_H
#define STEADYCACHE_REDIS_SETTINGS_H

#include "backends/redis/url.h"
#include "backends/remote/settings.h"
#include "store/backend.h"

/* backend_config.settings. Numbers that are 0 mean the default. backend_config.url names the
 * server; NULL: 127.0.0.1:6379. What that says goes before what stands here. */
struct redis_config {
	const char *user, *password; /* NULL: none is sent */
	const char *ca_file; /* PEM bundle to trust in place of the system's; NULL: the system's */
	const char *cert_file; /* PEM, to show to the server, with key_file; NULL: none */
	const char *key_file;
	const char *prefix; /* of all keys; NULL: "steadycache" */
	long long connections;
	long long retries; /* after the first try; negative: none */
	int64_t connect_timeout_us;
	int64_t timeout_us; /* of an operation, from submit to done, retries included */
};

/* The options that fill it. */
extern const struct option_table redis_options;

/* What of them is not in struct remote_settings. */
struct redis_settings {
	struct redis_url
		url; /* with user, password, prefix and connections, wherever they came from */
	char *cert_file, *key_file; /* both or none */
};

/* Whether `config` can be right; else false with a sentence that names the option. Reads the files
 * of certificates. */
bool redis_settings_check(const struct backend_config *config, char *error, size_t error_size);

/* Fills both from a `config` that redis_settings_check accepts. False with a sentence, and nothing
 * to free. The strings are copies. batch_size and max_in_flight of `remote` stay 0: the protocol
 * sets them. */
bool redis_settings_init(struct redis_settings *own, struct remote_settings *remote,
			 const struct backend_config *config, char *error, size_t error_size);

/* backend_ops.scope: the prefix. */
void redis_settings_scope(const struct backend_config *config, char *ret, size_t size);

/* Frees the strings. A zeroed `own` is allowed. */
void redis_settings_deinit(struct redis_settings *own);

#endif
