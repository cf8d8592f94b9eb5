/* The settings of a backend that asks another server, checked and completed: address, credentials,
 * limits. */
#ifndef STEADYCACHE_REMOTE_SETTINGS_H
#define STEADYCACHE_REMOTE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct remote_settings {
	char *base_url;      /* no trailing slash */
	char *authorization; /* a whole header line; NULL: none is sent */
	char *ca_file;       /* PEM bundle to trust; NULL: the system's */
	size_t batch_size;   /* items that single operations are merged into */
	unsigned max_in_flight;
	unsigned retries; /* after the first try */
	int64_t connect_timeout_us;
	int64_t timeout_us; /* of an operation, including retries */
};

/* Frees the strings. A zeroed `settings` is allowed. */
void remote_settings_deinit(struct remote_settings *settings);

/* An http:// or https:// URL with a host and without query, fragment, user or control
 * characters. */
bool remote_settings_url_is_valid(const char *url);

/* Whether `text` may be in a header line: visible ASCII, not empty, up to 4,096 characters. */
bool remote_settings_token_is_valid(const char *text);

#endif
