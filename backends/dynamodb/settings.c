#include "backends/dynamodb/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONNECTIONS        32
#define DEFAULT_CONNECT_TIMEOUT_US (3 * US_PER_S)
#define DEFAULT_TIMEOUT_US         (10 * US_PER_S)
#define SHARDS_MAX                 256
#define PREFIX_MAX_LEN             64

#define OPTION_SETTINGS struct dynamodb_config
static const struct option rows[] = {
	ROW_TEXT(table, "dynamodb-table", "STEADYCACHE_DYNAMODB_TABLE", NULL,
		 "Table of DynamoDB, if --backend does not name it."),
	ROW_TEXT(region, "dynamodb-region",
		 "STEADYCACHE_DYNAMODB_REGION AWS_REGION AWS_DEFAULT_REGION", NULL,
		 "Region of DynamoDB."),
	ROW_TEXT(endpoint, "dynamodb-endpoint",
		 "STEADYCACHE_DYNAMODB_ENDPOINT AWS_ENDPOINT_URL_DYNAMODB", NULL,
		 "URL of DynamoDB; unset: that of its region."),
	ROW_TEXT(prefix, "dynamodb-prefix", "STEADYCACHE_DYNAMODB_PREFIX", NULL,
		 "What all partition keys begin with: several caches in one table."),
	ROW_TEXT(ca_file, "dynamodb-ca-file", "STEADYCACHE_DYNAMODB_CA_FILE", NULL,
		 "PEM file of the authorities that DynamoDB's certificate may come from; unset: "
		 "the system's."),
	ROW_SWITCH(creates_table, "dynamodb-create-table", "STEADYCACHE_DYNAMODB_CREATE_TABLE",
		   "Make the table in DynamoDB, paid by request, if it is missing."),
	ROW_WHOLE(shards, "dynamodb-shards", "STEADYCACHE_DYNAMODB_SHARDS", "0", 0, SHARDS_MAX,
		  "Partition keys that each namespace is spread over; 0: as the table has them, 16 "
		  "in a new one."),
	ROW_WHOLE(connections, "dynamodb-connections", "STEADYCACHE_DYNAMODB_CONNECTIONS", "32", 1,
		  256, "Requests to DynamoDB at once."),
	ROW_WHOLE(retries, "dynamodb-retries", "STEADYCACHE_DYNAMODB_RETRIES", "8", 0, 100,
		  "Further tries after a failed request to DynamoDB, where repeating it is safe."),
	ROW_SECONDS(connect_timeout_us, "dynamodb-connect-timeout",
		    "STEADYCACHE_DYNAMODB_CONNECT_TIMEOUT", "3", 0.01, 300,
		    "Seconds that a connection to DynamoDB may take."),
	ROW_SECONDS(timeout_us, "dynamodb-timeout", "STEADYCACHE_DYNAMODB_TIMEOUT", "10", 0.05, 300,
		    "Seconds that an operation on DynamoDB may take, retries included; beyond: "
		    "504."),
};

const struct option_table dynamodb_options = {
	.after = "redis-timeout",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.settings_size = sizeof(OPTION_SETTINGS),
};

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "%s", sentence);
	return false;
}

/* The table that a URL names, dynamodb://TABLE; its parameters are options (store/place.h). NULL:
 * none, or memory is out. */
static char *table_of(const char *url)
{
	const char *at = url ? strstr(url, "://") : NULL;
	size_t len = at ? strcspn(at + 3, "/?") : 0;

	return len > 0 ? strndup(at + 3, len) : NULL;
}

/* NULL: there is none, or memory is out. */
static char *copy(const char *text)
{
	return text && *text ? strdup(text) : NULL;
}

static bool is_table(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				  "_.-");

	return text[len] == '\0' && len >= 3 && len <= 255;
}

static bool is_region(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return text[len] == '\0' && len >= 1 && len <= 32;
}

static bool is_prefix(const char *text)
{
	size_t len = 0;

	while (text[len] > ' ' && text[len] < 0x7f && text[len] != '"' && text[len] != '\\')
		len++;
	return text[len] == '\0' && len <= PREFIX_MAX_LEN;
}

static char *default_endpoint(const char *region)
{
	char *ret = NULL;

	return asprintf(&ret, "https://dynamodb.%s.amazonaws.com%s", region,
			strncmp(region, "cn-", 3) == 0 ? ".cn" : "") < 0
		       ? NULL
		       : ret;
}

/* The authority of a URL, as the header Host has it: without a port that is the scheme's. */
static char *host_of(const char *url)
{
	const char *at = strstr(url, "://") + 3;
	size_t len = strcspn(at, "/");
	const char *port = strncmp(url, "https", 5) == 0 ? ":443" : ":80";
	size_t port_len = strlen(port);

	if (len > port_len && memcmp(at + len - port_len, port, port_len) == 0)
		len -= port_len;
	return strndup(at, len);
}

static const char *fault_of(const struct dynamodb_settings *own,
			    const struct remote_settings *remote)
{
	if (!own->table)
		return "the backend dynamodb needs a table: --backend=dynamodb://TABLE or "
		       "--dynamodb-table";
	if (!is_table(own->table))
		return "the table of DynamoDB must have 3 to 255 letters, digits, _, . and -";
	if (!own->region)
		return "the backend dynamodb needs a region: --dynamodb-region (AWS_REGION)";
	if (!is_region(own->region))
		return "--dynamodb-region (AWS_REGION) must be a name such as eu-central-1";
	if (own->prefix && !is_prefix(own->prefix))
		return "--dynamodb-prefix must be up to 64 visible ASCII characters without \" and "
		       "\\";
	if (remote->base_url && !remote_settings_url_is_valid(remote->base_url))
		return "--dynamodb-endpoint must be an http:// or https:// URL without query";
	return NULL;
}

static int64_t pick(int64_t number, int64_t fallback)
{
	return number > 0 ? number : fallback;
}

static void trim(char *url)
{
	for (size_t len = url ? strlen(url) : 0; len > 0 && url[len - 1] == '/'; len--)
		url[len - 1] = '\0';
}

bool dynamodb_settings_init(struct dynamodb_settings *own, struct remote_settings *remote,
			    const struct backend_config *config, char *error, size_t error_size)
{
	static const struct dynamodb_config none;
	const struct dynamodb_config *told = config->settings ? config->settings : &none;

	*own = (struct dynamodb_settings){
		.creates_table = told->creates_table,
		.shards = (unsigned)told->shards,
	};
	*remote = (struct remote_settings){
		.batch_size = 100, /* of BatchGetItem */
		.max_in_flight = (unsigned)pick(told->connections, DEFAULT_CONNECTIONS),
		.retries = told->retries > 0 ? (unsigned)told->retries : 0,
		.connect_timeout_us = pick(told->connect_timeout_us, DEFAULT_CONNECT_TIMEOUT_US),
		.timeout_us = pick(told->timeout_us, DEFAULT_TIMEOUT_US),
	};
	own->table = table_of(config->url);
	if (!own->table)
		own->table = copy(told->table);
	own->region = copy(told->region);
	own->prefix = copy(told->prefix);
	remote->base_url = copy(told->endpoint);
	const char *fault = fault_of(own, remote);
	bool is_right = !fault || refuse(error, error_size, fault);
	if (is_right) {
		if (!remote->base_url)
			remote->base_url = default_endpoint(own->region);
		if (!own->prefix)
			own->prefix = strdup("");
		trim(remote->base_url);
		own->host = remote->base_url ? host_of(remote->base_url) : NULL;
		if (told->ca_file)
			remote->ca_file = strdup(told->ca_file);
		is_right = (own->host && own->prefix && (!told->ca_file || remote->ca_file)) ||
			   refuse(error, error_size, "dynamodb: out of memory");
	}
	if (is_right)
		return true;
	dynamodb_settings_deinit(own);
	remote_settings_deinit(remote);
	return false;
}

void dynamodb_settings_deinit(struct dynamodb_settings *own)
{
	free(own->table);
	free(own->region);
	free(own->host);
	free(own->prefix);
	*own = (struct dynamodb_settings){0};
}

bool dynamodb_settings_check(const struct backend_config *config, char *error, size_t error_size)
{
	struct dynamodb_settings own;
	struct remote_settings remote;

	if (!dynamodb_settings_init(&own, &remote, config, error, error_size))
		return false;
	bool is_own =
		config->is_own_url && config->is_own_url(config->is_own_url_user, remote.base_url);
	dynamodb_settings_deinit(&own);
	remote_settings_deinit(&remote);
	return !is_own || refuse(error, error_size,
				 "the dynamodb backend would ask this server itself "
				 "(--dynamodb-endpoint); name DynamoDB's endpoint");
}

void dynamodb_settings_scope(const struct backend_config *config, char *ret, size_t size)
{
	struct dynamodb_settings own;
	struct remote_settings remote;
	char error[200];

	*ret = '\0';
	if (!dynamodb_settings_init(&own, &remote, config, error, sizeof(error)))
		return;
	(void)snprintf(ret, size, "%s %s", own.host, own.prefix);
	dynamodb_settings_deinit(&own);
	remote_settings_deinit(&remote);
}
