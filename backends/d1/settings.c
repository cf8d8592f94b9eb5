#include "backends/d1/settings.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_BATCH_SIZE         50
#define DEFAULT_MAX_IN_FLIGHT      4
#define DEFAULT_CONNECT_TIMEOUT_MS 3000
#define DEFAULT_TIMEOUT_MS         10000
#define US_PER_MS                  1000

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "%s", sentence);
	return false;
}

bool d1_settings_check(const struct backend_config *config, char *error, size_t error_size)
{
	const struct d1_config *d1 = &config->d1;

	if (!d1->url)
		return refuse(error, error_size,
			      "the backend d1 needs the URL of its Worker: --d1-url "
			      "(STEADYTEXT_D1_API_URL)");
	if (!remote_settings_url_is_valid(d1->url))
		return refuse(error, error_size,
			      "--d1-url (STEADYTEXT_D1_API_URL) must be an http:// or https:// URL "
			      "without query");
	if (d1->api_key && !remote_settings_token_is_valid(d1->api_key))
		return refuse(error, error_size,
			      "STEADYTEXT_D1_API_KEY must be printable ASCII without blanks");
	return true;
}

/* A copy without the slashes at its end. */
static char *trim(const char *url)
{
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	return strndup(url, len);
}

static int64_t pick_us(int64_t ms, int64_t fallback_ms)
{
	return (ms > 0 ? ms : fallback_ms) * US_PER_MS;
}

bool d1_settings_init(struct remote_settings *settings, const struct d1_config *config)
{
	bool complete = true;

	*settings = (struct remote_settings){
		.base_url = trim(config->url),
		.batch_size = config->batch_size ? config->batch_size : DEFAULT_BATCH_SIZE,
		.max_in_flight =
			config->max_in_flight ? config->max_in_flight : DEFAULT_MAX_IN_FLIGHT,
		.retries = config->retries > 0 ? (unsigned)config->retries : 0,
		.connect_timeout_us =
			pick_us(config->connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS),
		.timeout_us = pick_us(config->timeout_ms, DEFAULT_TIMEOUT_MS),
	};
	if (config->api_key &&
	    asprintf(&settings->authorization, "Authorization: Bearer %s", config->api_key) < 0) {
		settings->authorization = NULL;
		complete = false;
	}
	if (config->ca_file) {
		settings->ca_file = strdup(config->ca_file);
		complete &= settings->ca_file != NULL;
	}
	if (complete && settings->base_url)
		return true;
	remote_settings_deinit(settings);
	return false;
}
