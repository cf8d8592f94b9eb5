/* A request of S3 as it is sent. */
#ifndef STEADYCACHE_LARGE_S3_WIRE_H
#define STEADYCACHE_LARGE_S3_WIRE_H

#include "backends/large/s3/state.h"
#include "base/buffer.h"

/* "prefix" + hex of the hash. */
void s3_wire_key(const struct s3_url *url, const uint8_t sha256[SHA256_BYTES],
		 char ret[S3_KEY_SIZE]);
/* The hash in a key. False: it is not one of ours. */
bool s3_wire_read_key(const struct s3_url *url, const char *key, uint8_t ret[SHA256_BYTES]);
/* The hex of a hash, with a final NUL. */
void s3_wire_hex(const uint8_t sha256[SHA256_BYTES], char ret[2 * SHA256_BYTES + 1]);
/* Appends `text` to a query, encoded. */
void s3_wire_encode(struct buffer *query, const char *text);

struct s3_line_of_request {
	const char *method;
	const char *key;    /* NULL: the bucket */
	struct slice query; /* encoded */
	const char *payload_hash;
	struct slice headers; /* further lines, each ended by a NUL */
	bool asks_first;      /* sends the body when the store wants it ("100 Continue") */
};

/* Writes ret->method, url and headers. False: out of memory, or *ret_sentence: there are no
 * credentials at the moment. */
bool s3_wire_write(struct s3_store *store, const struct s3_line_of_request *request,
		   struct s3_message *ret, const char **ret_sentence);

#endif
