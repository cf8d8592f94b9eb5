/* Signatures that AWS publishes with its examples. tests/cloud/test_sigv4.py compares more with
 * botocore. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/aws/sigv4.h"

/* The moments of the examples, in seconds. */
#define MAY_2013    INT64_C(1369353600) /* 20130524T000000Z */
#define AUGUST_2015 INT64_C(1440938160) /* 20150830T123600Z */

static const struct aws_keys s3_keys = {
	.access_key = "AKIAIOSFODNN7EXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
static const struct aws_keys suite_keys = {
	.access_key = "AKIDEXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

/* The value of the header `name`; NULL: there is none. */
static const char *header(const struct buffer *lines, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = lines->data; line < lines->data + lines->len;
	     line += strlen(line) + 1)
		if (strncmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0)
			return line + len + 2;
	return NULL;
}

static void expect(const struct sigv4_request *request, const struct aws_keys *keys,
		   const char *signed_headers, const char *signature)
{
	struct buffer out = {0};
	char end[400];

	sigv4_sign(request, keys, &out);
	cr_assert(!out.failed);
	(void)snprintf(end, sizeof end, "SignedHeaders=%s, Signature=%s", signed_headers,
		       signature);
	const char *authorization = header(&out, "Authorization");
	cr_assert(authorization);
	cr_assert(strstr(authorization, end), "%s\nlacks %s", authorization, end);
	buffer_deinit(&out);
}

static struct sigv4_request s3(const char *method, const char *path, const char *query)
{
	return (struct sigv4_request){
		.method = method,
		.host = SLICE("examplebucket.s3.amazonaws.com"),
		.path = slice_of(path),
		.query = slice_of(query),
		.service = "s3",
		.region = "us-east-1",
		.payload_hash = SIGV4_EMPTY_HASH,
		.now_us = MAY_2013 * 1000000,
	};
}

Test(sigv4, s3_get_of_a_range)
{
	struct sigv4_request request = s3("GET", "/test.txt", "");

	request.headers = SLICE("Range: bytes=0-9\0");
	expect(&request, &s3_keys, "host;range;x-amz-content-sha256;x-amz-date",
	       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

Test(sigv4, s3_put)
{
	struct sigv4_request request = s3("PUT", "/test%24file.text", "");
	char hash[SIGV4_HASH_SIZE];

	sigv4_hash(SLICE("Welcome to Amazon S3."), hash);
	request.payload_hash = hash;
	request.headers = SLICE("Date: Fri, 24 May 2013 00:00:00 GMT\0"
				"x-amz-storage-class: REDUCED_REDUNDANCY\0");
	expect(&request, &s3_keys, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	       "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

Test(sigv4, s3_query_without_a_value)
{
	struct sigv4_request request = s3("GET", "/", "lifecycle");

	expect(&request, &s3_keys, "host;x-amz-content-sha256;x-amz-date",
	       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

Test(sigv4, s3_listing_in_any_order)
{
	struct sigv4_request request = s3("GET", "/", "prefix=J&max-keys=2");

	expect(&request, &s3_keys, "host;x-amz-content-sha256;x-amz-date",
	       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static struct sigv4_request vanilla(const char *path, const char *query)
{
	return (struct sigv4_request){
		.method = "GET",
		.host = SLICE("example.amazonaws.com"),
		.path = slice_of(path),
		.query = slice_of(query),
		.service = "service",
		.region = "us-east-1",
		.payload_hash = SIGV4_EMPTY_HASH,
		.encodes_path_twice = true,
		.now_us = AUGUST_2015 * 1000000,
	};
}

Test(sigv4, suite_vanilla)
{
	struct sigv4_request request = vanilla("/", "");

	expect(&request, &suite_keys, "host;x-amz-date",
	       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
	/* What it normalizes to. */
	request.path = SLICE("/a/..//./");
	expect(&request, &suite_keys, "host;x-amz-date",
	       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

Test(sigv4, suite_query_order)
{
	struct sigv4_request request = vanilla("/", "Param2=value2&Param1=value1");

	expect(&request, &suite_keys, "host;x-amz-date",
	       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

Test(sigv4, lines_to_send)
{
	struct sigv4_request request = s3("GET", "/", "");
	struct aws_keys keys = s3_keys;
	struct buffer out = {0};

	strcpy(keys.session_token, "a token");
	sigv4_sign(&request, &keys, &out);
	cr_assert_str_eq(header(&out, "X-Amz-Date"), "20130524T000000Z");
	cr_assert_str_eq(header(&out, "X-Amz-Content-Sha256"), SIGV4_EMPTY_HASH);
	cr_assert_str_eq(header(&out, "X-Amz-Security-Token"), "a token");
	cr_assert(strstr(header(&out, "Authorization"), ";x-amz-security-token, "));
	buffer_deinit(&out);

	request.encodes_path_twice = true;
	sigv4_sign(&request, &s3_keys, &out);
	cr_assert_null(header(&out, "X-Amz-Content-Sha256"));
	cr_assert_null(header(&out, "X-Amz-Security-Token"));
	buffer_deinit(&out);
}

Test(sigv4, encodes)
{
	struct buffer out = {0};

	sigv4_encode(SLICE("a/b c+~\0\xc3\xa4"), true, &out);
	sigv4_encode(SLICE("/=&"), false, &out);
	buffer_append_char(&out, '\0');
	cr_assert_str_eq(out.data, "a/b%20c%2B~%00%C3%A4%2F%3D%26");
	buffer_deinit(&out);
}
