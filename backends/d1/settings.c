#include "backends/d1/settings.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_BATCH_SIZE         50
#define DEFAULT_MAX_IN_FLIGHT      4
#define DEFAULT_CONNECT_TIMEOUT_US (3 * US_PER_S)
#define DEFAULT_TIMEOUT_US         (10 * US_PER_S)

#define OPTION_SETTINGS struct d1_config
static const struct option rows[] = {
	ROW_TEXT(url, "d1-url", "STEADYCACHE_D1_API_URL STEADYTEXT_D1_API_URL", NULL,
		 "URL of the D1 Worker."),
	ROW_TEXT(api_key, NULL, "STEADYCACHE_D1_API_KEY STEADYTEXT_D1_API_KEY", NULL,
		 "Token that the D1 Worker wants: its API_KEY."),
	ROW_TEXT(ca_file, "d1-ca-file", "STEADYCACHE_D1_CA_FILE", NULL,
		 "PEM file of the authorities that D1's certificate may come from; unset: the "
		 "system's."),
	ROW_WHOLE(batch_size, "d1-batch-size", "STEADYCACHE_D1_BATCH_SIZE STEADYTEXT_D1_BATCH_SIZE",
		  "50", 1, 1000,
		  "Items that concurrent operations are merged into one request to D1 up to."),
	ROW_WHOLE(max_in_flight, "d1-max-in-flight", "STEADYCACHE_D1_MAX_IN_FLIGHT", "4", 1, 64,
		  "Requests to D1 at once."),
	ROW_WHOLE(retries, "d1-retries", "STEADYCACHE_D1_RETRIES", "2", 0, 10,
		  "Further tries after a failed request to D1, where repeating it is safe."),
	ROW_SECONDS(connect_timeout_us, "d1-connect-timeout", "STEADYCACHE_D1_CONNECT_TIMEOUT", "3",
		    0.01, 300, "Seconds that a connection to D1 may take."),
	ROW_SECONDS(timeout_us, "d1-timeout", "STEADYCACHE_D1_TIMEOUT", "10", 0.05, 300,
		    "Seconds that an operation on D1 may take, retries included; beyond: 504."),
};

const struct option_table d1_options = {
	.after = "reranking-max-size-mb",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.settings_size = sizeof(OPTION_SETTINGS),
};

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "%s", sentence);
	return false;
}

/* Settings with what the URL says, and room for its parts. */
struct told {
	struct d1_config config;
	char *url, *api_key;
};

/* A URL of D1_SCHEMES. False: out of memory. */
static bool read_url(struct told *told, const char *url)
{
	const char *plain = strchr(url, '+') + 1;
	const char *host = strstr(plain, "://") + 3;
	size_t len = strcspn(host, "/?");
	const char *at = memrchr(host, '@', len);
	const char *colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;

	if (at && (!colon || colon != host))
		at = NULL; /* no token; the URL is refused */
	if (at)
		told->config.api_key = told->api_key = strndup(colon + 1, (size_t)(at - colon - 1));
	if ((at && !told->api_key) ||
	    asprintf(&told->url, "%.*s%s", (int)(host - plain), plain, at ? at + 1 : host) < 0) {
		told->url = NULL;
		return false;
	}
	told->config.url = told->url;
	return true;
}

static void forget(struct told *told)
{
	if (told->api_key)
		explicit_bzero(told->api_key, strlen(told->api_key));
	free(told->api_key);
	free(told->url);
}

/* False: out of memory, and there is nothing to forget. */
static bool read_config(struct told *told, const struct backend_config *config)
{
	*told = (struct told){0};
	if (config->settings)
		told->config = *(const struct d1_config *)config->settings;
	if (!config->url || read_url(told, config->url))
		return true;
	forget(told);
	return false;
}

static bool check(const struct backend_config *config, const struct d1_config *d1, char *error,
		  size_t error_size)
{
	if (d1->url && config->is_own_url && config->is_own_url(config->is_own_url_user, d1->url))
		return refuse(
			error, error_size,
			"the d1 backend would ask this server itself (STEADYTEXT_D1_API_URL); "
			"set STEADYCACHE_BACKEND to sqlite or another one");
	if (!d1->url)
		return refuse(error, error_size,
			      "the backend d1 needs the URL of its Worker: --d1-url "
			      "(STEADYTEXT_D1_API_URL)");
	if (!remote_settings_url_is_valid(d1->url))
		return refuse(error, error_size,
			      "--d1-url (STEADYTEXT_D1_API_URL) must be an http:// or https:// URL "
			      "without query and user; as a backend, d1+https://:token@host");
	if (d1->api_key && !remote_settings_token_is_valid(d1->api_key))
		return refuse(error, error_size,
			      "STEADYTEXT_D1_API_KEY must be printable ASCII without blanks");
	return true;
}

bool d1_settings_check(const struct backend_config *config, char *error, size_t error_size)
{
	struct told told;

	if (!read_config(&told, config))
		return refuse(error, error_size, "d1: out of memory");
	bool is_right = check(config, &told.config, error, error_size);
	forget(&told);
	return is_right;
}

/* A copy without trailing slashes. */
static char *trim(const char *url)
{
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	return strndup(url, len);
}

static long long pick(long long number, long long fallback)
{
	return number > 0 ? number : fallback;
}

static bool fill(struct remote_settings *settings, const struct d1_config *config)
{
	bool complete = true;

	*settings = (struct remote_settings){
		.base_url = trim(config->url),
		.batch_size = (size_t)pick(config->batch_size, DEFAULT_BATCH_SIZE),
		.max_in_flight = (unsigned)pick(config->max_in_flight, DEFAULT_MAX_IN_FLIGHT),
		.retries = config->retries > 0 ? (unsigned)config->retries : 0,
		.connect_timeout_us = pick(config->connect_timeout_us, DEFAULT_CONNECT_TIMEOUT_US),
		.timeout_us = pick(config->timeout_us, DEFAULT_TIMEOUT_US),
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

bool d1_settings_init(struct remote_settings *settings, const struct backend_config *config)
{
	struct told told;

	*settings = (struct remote_settings){0};
	if (!read_config(&told, config))
		return false;
	bool is_filled = told.config.url && fill(settings, &told.config);
	forget(&told);
	return is_filled;
}
