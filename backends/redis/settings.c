#include "backends/redis/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/redis/refusal.h"
#include "backends/redis/trust.h"
#include "store/rules.h"

#define DEFAULT_URL                "redis://127.0.0.1:6379"
#define DEFAULT_PREFIX             "steadycache"
#define DEFAULT_CONNECTIONS        2
#define DEFAULT_CONNECT_TIMEOUT_US (3 * US_PER_S)
#define DEFAULT_TIMEOUT_US         (10 * US_PER_S)

#define OPTION_SETTINGS struct redis_config
static const struct option rows[] = {
	ROW_TEXT(user, NULL, "STEADYCACHE_REDIS_USER", NULL,
		 "User of Redis, if the URL has none; unset: the default user."),
	ROW_TEXT(password, NULL, "STEADYCACHE_REDIS_PASSWORD", NULL,
		 "Password of Redis, if the URL has none."),
	ROW_TEXT(ca_file, "redis-ca-file", "STEADYCACHE_REDIS_CA_FILE", NULL,
		 "PEM file of the authorities that the certificate of Redis may come from "
		 "(rediss://); "
		 "unset: the system's."),
	ROW_TEXT(cert_file, "redis-cert-file", "STEADYCACHE_REDIS_CERT_FILE", NULL,
		 "PEM file of a certificate to show to Redis."),
	ROW_TEXT(key_file, "redis-key-file", "STEADYCACHE_REDIS_KEY_FILE", NULL,
		 "PEM file of the key of that certificate."),
	ROW_TEXT(prefix, "redis-prefix", "STEADYCACHE_REDIS_PREFIX", DEFAULT_PREFIX,
		 "What the names of all keys in Redis begin with."),
	ROW_WHOLE(connections, "redis-connections", "STEADYCACHE_REDIS_CONNECTIONS", "2", 1, 64,
		  "Connections to Redis; concurrent requests share them."),
	ROW_WHOLE(retries, "redis-retries", "STEADYCACHE_REDIS_RETRIES", "2", 0, 10,
		  "Further tries after a failed request to Redis, where repeating it is safe."),
	ROW_SECONDS(connect_timeout_us, "redis-connect-timeout",
		    "STEADYCACHE_REDIS_CONNECT_TIMEOUT", "3", 0.01, 300,
		    "Seconds that a connection to Redis may take."),
	ROW_SECONDS(timeout_us, "redis-timeout", "STEADYCACHE_REDIS_TIMEOUT", "10", 0.05, 300,
		    "Seconds that an operation on Redis may take, retries included; beyond: 504."),
};

const struct option_table redis_options = {
	.after = "d1-timeout",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.settings_size = sizeof(OPTION_SETTINGS),
};

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "%s", sentence);
	return false;
}

/* A copy of `text` at *target if there is none yet. False: out of memory. */
static bool fill(char **target, const char *text)
{
	if (!*target && text)
		*target = strdup(text);
	return *target || !text;
}

static int64_t pick(int64_t first, int64_t second, int64_t fallback)
{
	return first > 0 ? first : second > 0 ? second : fallback;
}

static bool check_files(const struct redis_settings *own, const struct remote_settings *remote,
			char *error, size_t error_size)
{
	struct redis_trust *trust;

	if (!own->cert_file != !own->key_file)
		return refuse(error, error_size,
			      "--redis-cert-file and --redis-key-file go together");
	if (!own->url.has_tls)
		return !(own->cert_file || remote->ca_file) ||
		       refuse(error, error_size,
			      "--redis-ca-file and --redis-cert-file are for rediss:// only");
	trust = redis_trust_create(remote->ca_file, own->cert_file, own->key_file, error,
				   error_size);
	redis_trust_free(trust);
	return trust != NULL;
}

static bool is_prefix(const char *text)
{
	return strlen(text) <= 64 && !strpbrk(text, "{}");
}

/* Whether the limits that a namespace has from the start can be shared out to its partitions. */
static bool check_defaults(const struct backend_config *config, const char *name,
			   const struct redis_refusals *refusals, char *error, size_t error_size)
{
	struct namespace_settings settings;

	rules_default_settings(config, EVICT_FRECENCY, slice_of(name ? name : ""), &settings);
	const char *refusal =
		redis_refusal_of(refusals, &settings, SETTING_MAX_SIZE | SETTING_CAPACITY);
	if (refusal)
		(void)snprintf(error, error_size, "the limits from the start of %s: %s",
			       name ? name : "a namespace", refusal);
	return !refusal;
}

static bool check_limits(const struct backend_config *config, unsigned partitions, char *error,
			 size_t error_size)
{
	struct redis_refusals refusals;
	const char *const *name = config->default_names;
	bool is_right;

	redis_refusal_init(&refusals, partitions);
	is_right = check_defaults(config, NULL, &refusals, error, error_size);
	for (; is_right && name && *name; name++)
		is_right = check_defaults(config, *name, &refusals, error, error_size);
	return is_right;
}

bool redis_settings_check(const struct backend_config *config, char *error, size_t error_size)
{
	struct redis_settings own;
	struct remote_settings remote;

	if (!redis_settings_init(&own, &remote, config, error, error_size))
		return false;
	bool is_right = check_files(&own, &remote, error, error_size);
	if (is_right && !is_prefix(own.url.prefix))
		is_right = refuse(error, error_size,
				  "--redis-prefix must have 1 to 64 characters, and no braces");
	if (is_right && own.url.user && !own.url.password)
		is_right = refuse(error, error_size,
				  "a user of Redis needs a password: STEADYCACHE_REDIS_PASSWORD");
	is_right = is_right && check_limits(config, own.url.partitions, error, error_size);
	redis_settings_deinit(&own);
	remote_settings_deinit(&remote);
	return is_right;
}

bool redis_settings_init(struct redis_settings *own, struct remote_settings *remote,
			 const struct backend_config *config, char *error, size_t error_size)
{
	static const struct redis_config none;
	const struct redis_config *told = config->settings ? config->settings : &none;

	*own = (struct redis_settings){0};
	*remote = (struct remote_settings){0};
	if (!redis_url_read(&own->url, config->url ? config->url : DEFAULT_URL, error, error_size))
		return false;
	struct redis_url *url = &own->url;
	url->connections = (unsigned)pick(url->connections, told->connections, DEFAULT_CONNECTIONS);
	remote->retries = told->retries > 0 ? (unsigned)told->retries : 0;
	remote->timeout_us = pick(url->timeout_us, told->timeout_us, DEFAULT_TIMEOUT_US);
	remote->connect_timeout_us =
		pick(url->connect_timeout_us, told->connect_timeout_us, DEFAULT_CONNECT_TIMEOUT_US);
	if (fill(&url->user, told->user) && fill(&url->password, told->password) &&
	    fill(&url->prefix, told->prefix ? told->prefix : DEFAULT_PREFIX) &&
	    fill(&remote->ca_file, told->ca_file) && fill(&own->cert_file, told->cert_file) &&
	    fill(&own->key_file, told->key_file))
		return true;
	redis_settings_deinit(own);
	remote_settings_deinit(remote);
	return refuse(error, error_size, "redis: out of memory");
}

void redis_settings_deinit(struct redis_settings *own)
{
	redis_url_deinit(&own->url);
	free(own->cert_file);
	free(own->key_file);
	*own = (struct redis_settings){0};
}

void redis_settings_scope(const struct backend_config *config, char *ret, size_t size)
{
	struct redis_settings own;
	struct remote_settings remote;
	char error[200];

	*ret = '\0';
	if (!redis_settings_init(&own, &remote, config, error, sizeof(error)))
		return;
	(void)snprintf(ret, size, "%s", own.url.prefix);
	redis_settings_deinit(&own);
	remote_settings_deinit(&remote);
}
