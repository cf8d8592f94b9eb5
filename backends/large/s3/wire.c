#include "backends/large/s3/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/aws/sigv4.h"
#include "base/clock.h"
#include "base/hex.h"

void s3_wire_hex(const uint8_t sha256[SHA256_BYTES], char ret[2 * SHA256_BYTES + 1])
{
	hex_write(sha256, SHA256_BYTES, ret);
	ret[2 * (size_t)SHA256_BYTES] = '\0';
}

void s3_wire_key(const struct s3_url *url, const uint8_t sha256[SHA256_BYTES],
		 char ret[S3_KEY_SIZE])
{
	size_t len = strlen(url->prefix);

	memcpy(ret, url->prefix, len);
	s3_wire_hex(sha256, ret + len);
}

bool s3_wire_read_key(const struct s3_url *url, const char *key, uint8_t ret[SHA256_BYTES])
{
	size_t len = strlen(url->prefix);

	return strncmp(key, url->prefix, len) == 0 &&
	       strlen(key + len) == 2 * (size_t)SHA256_BYTES &&
	       hex_read(key + len, ret, SHA256_BYTES);
}

void s3_wire_encode(struct buffer *query, const char *text)
{
	sigv4_encode(slice_of(text), false, query);
}

static bool add_lines(struct s3_message *message, struct slice lines)
{
	for (size_t at = 0; at < lines.len; at += strlen(lines.data + at) + 1) {
		struct curl_slist *longer = curl_slist_append(message->headers, lines.data + at);

		if (!longer)
			return false;
		message->headers = longer;
	}
	return true;
}

bool s3_wire_write(struct s3_store *store, const struct s3_line_of_request *request,
		   struct s3_message *ret, const char **ret_sentence)
{
	const struct s3_url *url = &store->url;
	struct aws_keys keys;
	struct buffer lines = {0};
	struct buffer path = {0};
	bool is_written = false;

	if (!aws_credentials_get(store->credentials, &keys, ret_sentence))
		return false;
	/* Neither the prefix nor the bucket has characters to encode. */
	buffer_printf(&path, "%s/%s", url->path, request->key ? request->key : "");
	if (path.failed)
		goto out;
	/* The bucket of a path has no final "/", for stores that take it for a key. */
	if (!request->key && *url->path)
		path.len--;
	struct sigv4_request signature = {
		.method = request->method,
		.host = slice_of(url->host),
		.path = buffer_bytes(&path),
		.query = request->query,
		.service = "s3",
		.region = url->region,
		.payload_hash = request->payload_hash,
		.now_us = cache_clock_now_us(&system_clock),
		.headers = request->headers,
	};
	sigv4_sign(&signature, &keys, &lines);
	ret->method = request->method;
	if (lines.failed || !add_lines(ret, buffer_bytes(&lines)) ||
	    !add_lines(ret, request->headers) ||
	    (!request->asks_first && !add_lines(ret, SLICE("Expect:\0"))))
		goto out;
	if (asprintf(&ret->url, "%s%.*s%s%.*s", url->origin, (int)path.len, path.data,
		     request->query.len > 0 ? "?" : "", (int)request->query.len,
		     request->query.len > 0 ? request->query.data : "") < 0)
		ret->url = NULL;
	is_written = ret->url != NULL;
out:
	explicit_bzero(&keys, sizeof(keys));
	buffer_deinit(&path);
	buffer_deinit(&lines);
	return is_written;
}
