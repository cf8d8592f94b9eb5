#include "backends/remote/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define DEFAULT_BATCH_SIZE         50
#define DEFAULT_MAX_IN_FLIGHT      4
#define DEFAULT_CONNECT_TIMEOUT_MS 3000
#define DEFAULT_TIMEOUT_MS         10000
#define US_PER_MS                  1000
#define TOKEN_MAX_LEN              4096

bool d1_url_is_valid(const char *url)
{
	const char *host = NULL;

	if (strncasecmp(url, "http://", 7) == 0)
		host = url + 7;
	else if (strncasecmp(url, "https://", 8) == 0)
		host = url + 8;
	if (!host || *host == '\0' || *host == '/' || *host == ':')
		return false;
	for (const char *at = host; *at; at++)
		if (*at <= ' ' || *at > '~' || *at == '?' || *at == '#' || *at == '@')
			return false;
	return true;
}

/* What may stand in a header line: no control characters, and not endless. */
static bool is_token(const char *text)
{
	size_t len = strnlen(text, TOKEN_MAX_LEN + 1);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0 && len <= TOKEN_MAX_LEN;
}

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "%s", sentence);
	return false;
}

bool d1_config_check(const struct backend_config *config, char *error, size_t error_size)
{
	const struct d1_config *d1 = &config->d1;

	if (!d1->url)
		return refuse(error, error_size,
			      "the backend d1 needs the URL of its Worker: --d1-url "
			      "(STEADYTEXT_D1_API_URL)");
	if (!d1_url_is_valid(d1->url))
		return refuse(error, error_size,
			      "--d1-url (STEADYTEXT_D1_API_URL) must be an http:// or https:// URL "
			      "without query");
	if (d1->api_key && !is_token(d1->api_key))
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

bool d1_settings_init(struct d1_settings *settings, const struct d1_config *config)
{
	bool complete = true;

	*settings = (struct d1_settings){
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
	d1_settings_deinit(settings);
	return false;
}

void d1_settings_deinit(struct d1_settings *settings)
{
	free(settings->base_url);
	free(settings->authorization);
	free(settings->ca_file);
	*settings = (struct d1_settings){0};
}
