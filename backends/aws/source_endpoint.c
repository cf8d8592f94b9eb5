#include "backends/aws/source_endpoint.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "backends/aws/fetch.h"
#include "backends/aws/profile.h"
#include "base/clock.h"

#define ECS_ENDPOINT  "http://169.254.170.2"
#define IMDS_ENDPOINT "http://169.254.169.254"
#define IMDS_OVER_6   "http://[fd00:ec2::254]"
#define ROLES         "/latest/meta-data/iam/security-credentials/"
#define ROLE_SIZE     65
#define URL_SIZE      1024
#define HEADER_SIZE   8192

struct endpoint {
	struct aws_source source; /* first */
	struct aws_fetcher *fetcher;
	char url[URL_SIZE]; /* of the keys; of an instance, without path and last slash */
};

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* ---- What they answer ---- */

static bool copy_member(const json_t *object, const char *name, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && snprintf(ret, size, "%s", text) < (int)size;
}

static bool read_time(const json_t *value, int64_t *ret_us)
{
	const char *text = json_string_value(value);
	struct tm parts = {0};

	if (!text)
		return false;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	if (!rest || (*rest != '.' && *rest != 'Z' && *rest != '+' && *rest != '\0'))
		return false;
	*ret_us = (int64_t)timegm(&parts) * US_PER_S;
	return true;
}

/* Reads the keys that both kinds give. */
static bool read_keys(const struct endpoint *endpoint, struct slice body, struct aws_found *ret,
		      char *error, size_t error_size)
{
	json_auto_t *root = json_loadb(body.data, body.len, 0, NULL);
	const char *code = json_string_value(json_object_get(root, "Code"));
	const json_t *token = json_object_get(root, "Token");
	const json_t *ends = json_object_get(root, "Expiration");

	*ret = (struct aws_found){0};
	if (code && strcasecmp(code, "Success") != 0) {
		(void)snprintf(error, error_size, "%s gives no keys: it answers Code \"%.40s\"",
			       endpoint->url, code);
		return false;
	}
	if (copy_member(root, "AccessKeyId", ret->keys.access_key, sizeof ret->keys.access_key) &&
	    copy_member(root, "SecretAccessKey", ret->keys.secret_key,
			sizeof ret->keys.secret_key) &&
	    (!token || json_is_null(token) ||
	     copy_member(root, "Token", ret->keys.session_token, sizeof ret->keys.session_token)) &&
	    (!ends || json_is_null(ends) || read_time(ends, &ret->ends_at_us)))
		return true;
	(void)snprintf(error, error_size,
		       "%s answers without usable AccessKeyId, SecretAccessKey, Token and "
		       "Expiration",
		       endpoint->url);
	return false;
}

/* ---- Containers ---- */

/* The header with the token that the environment or a file gives. False with a sentence: the file.
 */
static bool write_authorization(char ret[HEADER_SIZE], char *error, size_t error_size)
{
	const char *path = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct slice text = slice_of(token);
	size_t len;
	char *loaded = NULL;

	*ret = '\0';
	if (path) {
		loaded = aws_profile_load(path, &len);
		if (!loaded) {
			(void)snprintf(error, error_size,
				       "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE %s cannot be read: "
				       "%s",
				       path, strerror(errno));
			return false;
		}
		text = (struct slice){loaded, len};
	}
	while (text.len > 0 && strchr("\r\n", text.data[text.len - 1]))
		text.len--;
	bool fits = text.len < HEADER_SIZE - sizeof("Authorization: ") &&
		    !memchr(text.data ? text.data : "", '\n', text.len) &&
		    !memchr(text.data ? text.data : "", '\r', text.len);
	if (fits && text.len > 0)
		(void)snprintf(ret, HEADER_SIZE, "Authorization: %.*s", (int)text.len, text.data);
	if (loaded)
		explicit_bzero(loaded, len);
	free(loaded);
	if (!fits)
		(void)snprintf(error, error_size, "%s is too long, or has several lines",
			       path ? path : "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	return fits;
}

static bool ask_container(struct aws_source *source, struct aws_found *ret, char *error,
			  size_t error_size)
{
	struct endpoint *endpoint = (struct endpoint *)source;
	char header[HEADER_SIZE], words[AWS_SENTENCE_SIZE / 2] = "";
	struct buffer body;
	bool is_ok = false;

	if (!write_authorization(header, error, error_size))
		return false;
	long status = aws_fetch(endpoint->fetcher, "GET", endpoint->url, *header ? header : NULL,
				&body, words, sizeof words);
	explicit_bzero(header, sizeof header);
	if (status == 0)
		(void)snprintf(error, error_size, "the container's endpoint %s: %s", endpoint->url,
			       words);
	else if (status != 200)
		(void)snprintf(error, error_size, "the container's endpoint %s answers %ld%s",
			       endpoint->url, status,
			       status == 401 || status == 403
				       ? ": check AWS_CONTAINER_AUTHORIZATION_TOKEN(_FILE)"
				       : "");
	else
		is_ok = read_keys(endpoint, buffer_bytes(&body), ret, error, error_size);
	if (body.data)
		explicit_bzero(body.data, body.len);
	buffer_deinit(&body);
	return is_ok;
}

static bool is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* Whether the endpoint may be asked: keys do not travel in the clear, but on this machine. */
static bool may_ask(const char *url)
{
	static const char *const known[] = {"localhost", "169.254.170.2", "169.254.170.23",
					    "fd00:ec2::23"};
	CURLU *parts = curl_url();
	char *scheme = NULL, *host = NULL;
	bool may = false;

	if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		char *name = host; /* of an IPv6 address without its brackets */
		if (*name == '[')
			*strchrnul(++name, ']') = '\0';
		may = strcmp(scheme, "https") == 0;
		if (strcmp(scheme, "http") == 0) {
			may = is_loopback(name);
			for (size_t i = 0; i < sizeof known / sizeof *known; i++)
				may |= strcasecmp(name, known[i]) == 0;
		}
	}
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parts);
	return may;
}

/* ---- Instances ---- */

/* One request to the metadata service. */
static bool ask_metadata(struct endpoint *endpoint, const char *method, const char *path,
			 const char *header, struct buffer *ret_body, char *error,
			 size_t error_size)
{
	char url[URL_SIZE + 256], words[AWS_SENTENCE_SIZE / 2] = "";
	bool is_token = strcmp(method, "PUT") == 0;

	(void)snprintf(url, sizeof url, "%s%s", endpoint->url, path);
	long status =
		aws_fetch(endpoint->fetcher, method, url, header, ret_body, words, sizeof words);
	if (status == 200)
		return true;
	if (status == 0)
		(void)snprintf(error, error_size,
			       "no keys in the environment or in shared files, and the instance's "
			       "metadata service %s: %s%s; set AWS_ACCESS_KEY_ID and "
			       "AWS_SECRET_ACCESS_KEY where there is none",
			       endpoint->url, words,
			       is_token ? " (in a container the instance's hop limit must be 2)"
					: "");
	else if (status == 404 && !is_token)
		(void)snprintf(error, error_size,
			       "the instance has no role (%s answers 404): attach one, or set "
			       "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
			       endpoint->url);
	else
		(void)snprintf(error, error_size, "the instance's metadata service %s answers %ld",
			       endpoint->url, status);
	return false;
}

/* Cuts the body to its first line. */
static struct slice first_line(const struct buffer *body)
{
	size_t len = 0;

	while (len < body->len && !strchr("\r\n", body->data[len]))
		len++;
	return (struct slice){body->data, len};
}

static bool ask_instance(struct aws_source *source, struct aws_found *ret, char *error,
			 size_t error_size)
{
	struct endpoint *endpoint = (struct endpoint *)source;
	struct buffer token = {0}, role = {0}, keys = {0};
	char header[1024] = "", path[sizeof ROLES + ROLE_SIZE];
	bool is_ok = false;

	if (!ask_metadata(endpoint, "PUT", "/latest/api/token",
			  "X-aws-ec2-metadata-token-ttl-seconds: 300", &token, error, error_size))
		goto out;
	struct slice line = first_line(&token);
	if (line.len == 0 || line.len > sizeof header - 64) {
		(void)snprintf(error, error_size, "%s gives no token", endpoint->url);
		goto out;
	}
	(void)snprintf(header, sizeof header, "X-aws-ec2-metadata-token: %.*s", (int)line.len,
		       line.data);
	if (!ask_metadata(endpoint, "GET", ROLES, header, &role, error, error_size))
		goto out;
	line = first_line(&role);
	if (line.len == 0 || line.len >= ROLE_SIZE || memchr(line.data, '/', line.len)) {
		(void)snprintf(error, error_size, "%s names no role", endpoint->url);
		goto out;
	}
	(void)snprintf(path, sizeof path, "%s%.*s", ROLES, (int)line.len, line.data);
	is_ok = ask_metadata(endpoint, "GET", path, header, &keys, error, error_size) &&
		read_keys(endpoint, buffer_bytes(&keys), ret, error, error_size);
out:
	if (keys.data)
		explicit_bzero(keys.data, keys.len);
	buffer_deinit(&token);
	buffer_deinit(&role);
	buffer_deinit(&keys);
	return is_ok;
}

/* ---- Both ---- */

static void stop_endpoint(struct aws_source *source)
{
	aws_fetcher_stop(((struct endpoint *)source)->fetcher);
}

static void close_endpoint(struct aws_source *source)
{
	struct endpoint *endpoint = (struct endpoint *)source;

	aws_fetcher_close(endpoint->fetcher);
	free(endpoint);
}

static const struct aws_source_ops container_ops = {
	.ask = ask_container,
	.stop = stop_endpoint,
	.close = close_endpoint,
};

static const struct aws_source_ops instance_ops = {
	.ask = ask_instance,
	.stop = stop_endpoint,
	.close = close_endpoint,
};

static struct aws_source *open_endpoint(const struct aws_source_ops *ops, const char *base,
					const char *path, char *error, size_t error_size)
{
	struct endpoint *endpoint = calloc(1, sizeof *endpoint);

	if (!endpoint || !(endpoint->fetcher = aws_fetcher_open())) {
		(void)snprintf(error, error_size, "out of memory");
		free(endpoint);
		return NULL;
	}
	endpoint->source.ops = ops;
	if (snprintf(endpoint->url, sizeof endpoint->url, "%s%s", base, path) <
	    (int)sizeof endpoint->url)
		return &endpoint->source;
	(void)snprintf(error, error_size, "the address of the endpoint for AWS keys is too long");
	close_endpoint(&endpoint->source);
	return NULL;
}

struct aws_source *aws_source_container(char *error, size_t error_size)
{
	const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");

	*error = '\0';
	if (relative)
		return open_endpoint(&container_ops, ECS_ENDPOINT, relative, error, error_size);
	if (!full)
		return NULL;
	if (may_ask(full))
		return open_endpoint(&container_ops, full, "", error, error_size);
	(void)snprintf(error, error_size,
		       "AWS_CONTAINER_CREDENTIALS_FULL_URI must be a https URL, or a http URL of "
		       "this machine or of ECS and EKS (169.254.170.2, 169.254.170.23, "
		       "[fd00:ec2::23])");
	return NULL;
}

struct aws_source *aws_source_instance(char *error, size_t error_size)
{
	const char *disabled = variable("AWS_EC2_METADATA_DISABLED");
	const char *mode = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	const char *base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	char trimmed[URL_SIZE];

	*error = '\0';
	if (disabled && strcasecmp(disabled, "true") == 0)
		return NULL;
	if (!base)
		base = mode && strcasecmp(mode, "IPv6") == 0 ? IMDS_OVER_6 : IMDS_ENDPOINT;
	(void)snprintf(trimmed, sizeof trimmed, "%s", base);
	for (size_t len = strlen(trimmed); len > 0 && trimmed[len - 1] == '/'; len--)
		trimmed[len - 1] = '\0';
	return open_endpoint(&instance_ops, trimmed, "", error, error_size);
}
