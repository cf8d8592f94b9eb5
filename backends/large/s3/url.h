/* Where a store in S3 is: s3://bucket[/prefix][?name=value&…]
 *
 *   endpoint     its URL; default: AWS, https://s3.REGION.amazonaws.com
 *   region       default: AWS_REGION, AWS_DEFAULT_REGION, that of AWS's profile, "us-east-1"
 *   path-style   1: the bucket is in the path, 0: in the name of the host; default: 1 with an
 *                endpoint of one's own, 0 at AWS
 *   connections  requests at once, 1 to 256; default 32
 *   part-mb      larger objects are put in parts of this many MiB, 5 to 5120; default 64
 *   insecure     1: http:// to another machine is allowed
 *
 * Over http:// whoever is on the way reads the values, may change what is not hashed, and may send
 * a signed request again for some minutes (the secret key is never sent). So it takes a loopback
 * address, or the word. */
#ifndef STEADYCACHE_LARGE_S3_URL_H
#define STEADYCACHE_LARGE_S3_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define S3_PREFIX_MAX_LEN 256
#define S3_KEY_SIZE       (S3_PREFIX_MAX_LEN + 64 + 1)

struct s3_url {
	char bucket[64];
	char prefix[S3_PREFIX_MAX_LEN + 1]; /* of every key: empty, or with a final "/" */
	char region[64];
	char origin[300]; /* "https://host:port", the bucket in it if it belongs there */
	const char *host; /* in `origin`, as in the header Host */
	char path[280];   /* of the bucket: "/bucket", or empty; before it that of the endpoint */
	bool has_tls;
	unsigned connections;
	uint64_t part_bytes;
};

/* False with a sentence. `ret` must not be moved. */
bool s3_url_read(struct s3_url *ret, const char *text, char *error, size_t error_size);

#endif
