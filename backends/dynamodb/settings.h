/* The settings of the dynamodb backend: which table, of whom, and how to ask. */
#ifndef STEADYCACHE_DYNAMODB_SETTINGS_H
#define STEADYCACHE_DYNAMODB_SETTINGS_H

#include "backends/remote/settings.h"
#include "store/backend.h"

#define DYNAMODB_URL_SCHEMES "dynamodb"

/* backend_config.settings. A number of 0 means the default. What the URL says counts before. */
struct dynamodb_config {
	const char *table, *region, *endpoint, *prefix, *ca_file; /* NULL: unset */
	bool creates_table;
	long long shards;
	long long connections; /* requests at once */
	long long retries;     /* after the first try; negative: none */
	int64_t connect_timeout_us;
	int64_t timeout_us; /* of an operation, from submit to done, including retries */
};

/* The options that fill it. */
extern const struct option_table dynamodb_options;

/* What is left of them for the protocol. Strings are its own. */
struct dynamodb_settings {
	char *table, *region;
	char *host;   /* of the endpoint, with its port: the header Host */
	char *prefix; /* of all partition keys; may be empty */
	bool creates_table;
	unsigned shards; /* 0: as the table has them */
};

/* Whether `config` can be right; else false with a sentence that names the option. */
bool dynamodb_settings_check(const struct backend_config *config, char *error, size_t error_size);

/* Fills both from `config`. False, with a sentence and nothing to free, if it cannot be right or
 * memory is out. */
bool dynamodb_settings_init(struct dynamodb_settings *own, struct remote_settings *remote,
			    const struct backend_config *config, char *error, size_t error_size);
/* backend_ops.scope: endpoint and prefix. */
void dynamodb_settings_scope(const struct backend_config *config, char *ret, size_t size);
void dynamodb_settings_deinit(struct dynamodb_settings *own);

#endif
