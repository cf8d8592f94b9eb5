#include "backends/large/s3/url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backends/aws/region.h"

#define CONNECTIONS     32
#define CONNECTIONS_MAX 256
/* A part of S3 has 5 MiB or more, and a request 5 GiB at most. */
#define PART_MB             64
#define PART_MIN_MB         5
#define PART_MAX_MB         5120
#define BUCKET_MIN_LEN      3
#define ENDPOINT_MAX_LEN    200
#define ALPHANUMERICS       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define CHARACTERS_OF_NAMES ALPHANUMERICS "._-"

/* What the text says; the values are libcurl's. */
struct parameters {
	char *endpoint, *region, *path_style, *connections, *part_mb, *insecure;
};

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "the URL of the object store: %s", sentence);
	return false;
}

static void deinit(struct parameters *parameters)
{
	curl_free(parameters->endpoint);
	curl_free(parameters->region);
	curl_free(parameters->path_style);
	curl_free(parameters->connections);
	curl_free(parameters->part_mb);
	curl_free(parameters->insecure);
}

/* Where the value of the parameter `name` is kept; NULL: there is no such parameter. */
static char **place_of(struct parameters *parameters, const char *name, size_t len)
{
	struct {
		const char *name;
		char **value;
	} all[] = {
		{"endpoint", &parameters->endpoint},       {"region", &parameters->region},
		{"path-style", &parameters->path_style},   {"insecure", &parameters->insecure},
		{"connections", &parameters->connections}, {"part-mb", &parameters->part_mb},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strlen(all[i].name) == len && strncmp(all[i].name, name, len) == 0)
			return all[i].value;
	return NULL;
}

static bool read_query(struct parameters *ret, const char *query, char *error, size_t error_size)
{
	while (*query) {
		size_t len = strcspn(query, "&");
		size_t name_len = strcspn(query, "=&");
		char **value = place_of(ret, query, name_len);

		/* What stands behind the name may be a secret. */
		if (!value || name_len == len || *value) {
			(void)snprintf(error, error_size,
				       "the URL of the object store: \"%.*s\" is not one of "
				       "endpoint=, region=, path-style=, connections=, "
				       "part-mb= and insecure=, each once",
				       (int)(name_len < 60 ? name_len : 60), query);
			return false;
		}
		*value = curl_easy_unescape(NULL, query + name_len + 1, (int)(len - name_len - 1),
					    NULL);
		if (!*value)
			return refuse(error, error_size, "out of memory");
		query += len + (query[len] == '&');
	}
	return true;
}

/* "0", "1", or `fallback` if it is not there. */
static bool read_switch(bool *ret, const char *text, bool fallback)
{
	*ret = text ? strcmp(text, "1") == 0 : fallback;
	return !text || strcmp(text, "1") == 0 || strcmp(text, "0") == 0;
}

/* A whole number from `min` to `max`, or `fallback` if it is not there. */
static bool read_number(unsigned *ret, const char *text, unsigned min, unsigned max,
			unsigned fallback)
{
	char *end;

	*ret = fallback;
	if (!text)
		return true;
	unsigned long number = strtoul(text, &end, 10);
	*ret = (unsigned)number;
	return isdigit((unsigned char)*text) && *end == '\0' && number >= min && number <= max;
}

static bool read_prefix(struct s3_url *ret, const char *path)
{
	size_t len;

	while (*path == '/')
		path++;
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len == 0)
		return true;
	if (len >= S3_PREFIX_MAX_LEN || strspn(path, CHARACTERS_OF_NAMES "/~") != strlen(path) ||
	    memmem(path, len, "//", 2))
		return false;
	(void)snprintf(ret->prefix, sizeof(ret->prefix), "%.*s/", (int)len, path);
	/* "." and ".." are steps of a path for some on the way. */
	return !strstr(ret->prefix, "/./") && !strstr(ret->prefix, "/../") &&
	       strncmp(ret->prefix, "./", 2) != 0 && strncmp(ret->prefix, "../", 3) != 0;
}

static bool is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

/* Parts of an endpoint; "" and NULL for what it lacks. */
struct endpoint {
	char *scheme, *host, *port, *path, *rest;
};

static void take(CURLU *url, CURLUPart part, char **ret)
{
	if (curl_url_get(url, part, ret, 0) != CURLUE_OK)
		*ret = NULL;
}

static bool read_endpoint(struct endpoint *ret, const char *text)
{
	CURLU *url = curl_url();
	bool is_url = url && strlen(text) <= ENDPOINT_MAX_LEN &&
		      curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;

	if (is_url) {
		take(url, CURLUPART_SCHEME, &ret->scheme);
		take(url, CURLUPART_HOST, &ret->host);
		take(url, CURLUPART_PORT, &ret->port);
		take(url, CURLUPART_PATH, &ret->path);
		take(url, CURLUPART_QUERY, &ret->rest);
		if (!ret->rest)
			take(url, CURLUPART_USER, &ret->rest);
		if (!ret->rest)
			take(url, CURLUPART_FRAGMENT, &ret->rest);
	}
	curl_url_cleanup(url);
	return is_url && ret->scheme && ret->host && ret->path && !ret->rest &&
	       (strcmp(ret->scheme, "https") == 0 || strcmp(ret->scheme, "http") == 0) &&
	       strspn(ret->path, CHARACTERS_OF_NAMES "/~") == strlen(ret->path);
}

static void deinit_endpoint(struct endpoint *endpoint)
{
	curl_free(endpoint->scheme);
	curl_free(endpoint->host);
	curl_free(endpoint->port);
	curl_free(endpoint->path);
	curl_free(endpoint->rest);
}

static void fill_origin(struct s3_url *ret, const struct endpoint *endpoint, bool path_style)
{
	const char *usual = ret->has_tls ? "443" : "80";
	const char *port =
		endpoint->port && strcmp(endpoint->port, usual) != 0 ? endpoint->port : NULL;
	size_t len = strlen(endpoint->path);

	(void)snprintf(ret->origin, sizeof(ret->origin), "%s://%s%s%s%s%s", endpoint->scheme,
		       path_style ? "" : ret->bucket, path_style ? "" : ".", endpoint->host,
		       port ? ":" : "", port ? port : "");
	ret->host = strstr(ret->origin, "://") + 3;
	for (char *at = strstr(ret->origin, "://"); *at; at++)
		*at = (char)tolower((unsigned char)*at);
	while (len > 0 && endpoint->path[len - 1] == '/')
		len--;
	(void)snprintf(ret->path, sizeof(ret->path), "%.*s%s%s", (int)len, endpoint->path,
		       path_style ? "/" : "", path_style ? ret->bucket : "");
}

static bool fill_endpoint(struct s3_url *ret, const struct parameters *parameters, char *error,
			  size_t error_size)
{
	struct endpoint endpoint = {0};
	char aws[128];
	bool path_style, insecure;
	bool is_right = false;

	(void)snprintf(aws, sizeof(aws), "https://s3.%s.amazonaws.com", ret->region);
	if (!read_switch(&path_style, parameters->path_style, parameters->endpoint != NULL))
		return refuse(error, error_size, "path-style= is 0 or 1");
	if (!read_switch(&insecure, parameters->insecure, false))
		return refuse(error, error_size, "insecure= is 0 or 1");
	if (!read_endpoint(&endpoint, parameters->endpoint ? parameters->endpoint : aws))
		(void)refuse(error, error_size,
			     "endpoint= is an https:// URL without user, query and fragment, "
			     "such as https://storage.example.com");
	else if (!path_style && (is_loopback(endpoint.host) || strchr(ret->bucket, '_')))
		(void)refuse(error, error_size,
			     "path-style=0 needs an endpoint with a name, and a bucket without "
			     "\"_\"");
	else {
		ret->has_tls = strcmp(endpoint.scheme, "https") == 0;
		is_right = ret->has_tls || insecure || is_loopback(endpoint.host);
		fill_origin(ret, &endpoint, path_style);
		if (!is_right)
			(void)refuse(error, error_size,
				     "an endpoint on another machine takes https://, because over "
				     "http:// others read the values; insecure=1 allows it");
	}
	deinit_endpoint(&endpoint);
	return is_right;
}

/* With the text's parts: "bucket/prefix" and a query, or NULL. */
static bool fill(struct s3_url *ret, const struct parameters *parameters, const char *name,
		 size_t name_len, char *error, size_t error_size)
{
	size_t bucket_len = strcspn(name, "/");
	char path[S3_PREFIX_MAX_LEN + 8] = "";
	char told[sizeof(ret->region) + 1] = "";
	const char *region = parameters->region ? parameters->region : told;
	unsigned part_mb;

	if (!*region && !aws_region(told, sizeof(told)))
		region = "us-east-1";
	if (bucket_len > name_len)
		bucket_len = name_len;
	(void)snprintf(ret->bucket, sizeof(ret->bucket), "%.*s", (int)bucket_len, name);
	if (bucket_len < BUCKET_MIN_LEN || bucket_len >= sizeof(ret->bucket) ||
	    strspn(ret->bucket, CHARACTERS_OF_NAMES) != bucket_len ||
	    !isalnum((unsigned char)ret->bucket[0]) || strstr(ret->bucket, ".."))
		return refuse(error, error_size,
			      "a bucket has a name of 3 to 63 letters, digits, \"-\", \".\" and "
			      "\"_\", without a user before it: s3://bucket/prefix");
	(void)snprintf(path, sizeof(path), "%.*s", (int)(name_len - bucket_len), name + bucket_len);
	if (name_len - bucket_len >= sizeof(path) || !read_prefix(ret, path))
		return refuse(error, error_size,
			      "a prefix has up to 255 letters, digits, \"-\", \".\", \"_\", "
			      "\"~\" and \"/\"");
	if (strlen(region) >= sizeof(ret->region) ||
	    strspn(region, CHARACTERS_OF_NAMES) != strlen(region))
		return refuse(error, error_size, "region= is a name such as eu-central-1");
	memcpy(ret->region, region, strlen(region) + 1);
	if (!read_number(&ret->connections, parameters->connections, 1, CONNECTIONS_MAX,
			 CONNECTIONS))
		return refuse(error, error_size, "connections= is a number from 1 to 256");
	if (!read_number(&part_mb, parameters->part_mb, PART_MIN_MB, PART_MAX_MB, PART_MB))
		return refuse(error, error_size, "part-mb= is a number from 5 to 5120");
	ret->part_bytes = (uint64_t)part_mb << 20;
	return fill_endpoint(ret, parameters, error, error_size);
}

bool s3_url_read(struct s3_url *ret, const char *text, char *error, size_t error_size)
{
	struct parameters parameters = {0};
	bool is_right;

	*ret = (struct s3_url){0};
	if (strncasecmp(text, "s3://", 5) != 0)
		return refuse(error, error_size, "it begins with s3://");
	text += 5;
	size_t len = strcspn(text, "?#");
	if (text[len] == '#')
		return refuse(error, error_size, "it has no fragment (\"#\")");
	is_right = read_query(&parameters, text[len] ? text + len + 1 : "", error, error_size) &&
		   fill(ret, &parameters, text, len, error, error_size);
	deinit(&parameters);
	return is_right;
}
