/* Signs requests that test_sigv4.py writes to the standard input, and prints the header lines to
 * send, with an empty line behind each request's. A request is a line of fields with a tab between
 * them: method, host, path, query, service, region, hash of the body, time in s, access key, secret
 * key, token; each further field is a header. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/aws/sigv4.h"

enum { METHOD, HOST, PATH, QUERY, SERVICE, REGION, HASH, TIME, ACCESS, SECRET, TOKEN, FIELDS };

static void sign(char *line)
{
	const char *fields[FIELDS];
	struct buffer headers = {0}, out = {0};
	struct aws_keys keys = {0};

	for (size_t i = 0; i < FIELDS; i++)
		fields[i] = strsep(&line, "\t");
	for (const char *header; (header = strsep(&line, "\t"));)
		buffer_append(&headers, (struct slice){header, strlen(header) + 1});
	(void)snprintf(keys.access_key, sizeof keys.access_key, "%s", fields[ACCESS]);
	(void)snprintf(keys.secret_key, sizeof keys.secret_key, "%s", fields[SECRET]);
	(void)snprintf(keys.session_token, sizeof keys.session_token, "%s", fields[TOKEN]);
	struct sigv4_request request = {
		.method = fields[METHOD],
		.host = slice_of(fields[HOST]),
		.path = slice_of(fields[PATH]),
		.query = slice_of(fields[QUERY]),
		.service = fields[SERVICE],
		.region = fields[REGION],
		.payload_hash = fields[HASH],
		.encodes_path_twice = strcmp(fields[SERVICE], "s3") != 0,
		.now_us = atoll(fields[TIME]) * 1000000,
		.headers = buffer_bytes(&headers),
	};
	sigv4_sign(&request, &keys, &out);
	if (out.failed)
		exit(1);
	for (const char *text = out.data; text < out.data + out.len; text += strlen(text) + 1)
		puts(text);
	puts("");
	buffer_deinit(&headers);
	buffer_deinit(&out);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		sign(line);
	}
	free(line);
	return 0;
}
