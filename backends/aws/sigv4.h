/* AWS Signature Version 4 (docs.aws.amazon.com: "Create a signed AWS API request"), with header
 * Authorization. */
#ifndef STEADYCACHE_AWS_SIGV4_H
#define STEADYCACHE_AWS_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/aws/credentials.h"
#include "base/buffer.h"
#include "base/slice.h"

/* Hex SHA-256 of a body of nothing. */
#define SIGV4_EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
/* For S3 over TLS: the body is not signed. */
#define SIGV4_UNSIGNED  "UNSIGNED-PAYLOAD"
#define SIGV4_HASH_SIZE 65 /* with its NUL */

struct sigv4_request {
	const char *method;
	struct slice host;            /* as in the header Host */
	struct slice path;            /* encoded, as it is sent, with its "/" */
	struct slice query;           /* encoded, without "?", in any order; empty: none */
	const char *service, *region; /* "s3", "us-east-1" */
	const char *payload_hash;     /* hex, or SIGV4_UNSIGNED */
	bool encodes_path_twice;      /* every service but S3 */
	int64_t now_us;               /* real time */
	/* Further headers to sign: lines "Name: value", each terminated by a NUL, one after the
	 * other (as remote_request.headers). Content-Type, if it is sent, and all that begin with
	 * X-Amz- must be among them; what proxies or libcurl change must not (User-Agent,
	 * Connection, Expect, Content-Length). */
	struct slice headers;
};

/* Appends the header lines to send with the request (each terminated by a NUL): X-Amz-Date,
 * X-Amz-Content-Sha256 (S3 only), X-Amz-Security-Token (if there is one), Authorization. Running
 * out of memory shows in out->failed. */
void sigv4_sign(const struct sigv4_request *request, const struct aws_keys *keys,
		struct buffer *out);

/* Appends `bytes` with %XX in place of all that is not unreserved in URIs, as names of objects are
 * written in paths (`keeps_slashes`) and names and values in queries. */
void sigv4_encode(struct slice bytes, bool keeps_slashes, struct buffer *out);

/* The payload_hash of a body. */
void sigv4_hash(struct slice body, char ret[SIGV4_HASH_SIZE]);

#endif
