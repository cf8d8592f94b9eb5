/* The object store in S3, and in what speaks its protocol: AWS, Cloudflare R2, MinIO, Google Cloud
 * Storage, OpenStack Swift. Objects are `prefix` + hex SHA-256.
 *
 *   url.c         where it is: bucket, endpoint, region
 *   wire.c        a request as it is sent: URL, signature
 *   xml.c         answers in XML
 *   verdict.c     what an answer means: status, sentence, whether to try again
 *   exchange.c    one HTTP request in libcurl's multi interface; the line for a connection
 *   io.c          the one thread that does all of it: what others post, timers
 *   call.c        a request with its retries and the breaker
 *   health.c      probes while the breaker is open
 *   answer.c      ends requests of the layer
 *   marker.c      removals, and puts beside those of other servers
 *   small.c       REMOVE, CHECK
 *   list.c        LIST
 *   leftovers.c   uploads in parts that a crash left there
 *   put.c         PUT in one request
 *   multipart.c   PUT in parts
 *   download.c    readers of a body
 *   figures.c     gauges
 *   s3.c          open, close, the table of functions
 */
#ifndef STEADYCACHE_LARGE_S3_S3_H
#define STEADYCACHE_LARGE_S3_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object_store;

struct s3_config {
	/* s3://bucket[/prefix][?endpoint=&region=&path-style=&connections=&insecure=] */
	const char *url;
	const char *access_key, *secret_key; /* both NULL: those that AWS's tools would use */
	const char *ca_file;                 /* PEM bundle to trust; NULL: the system's */
	/* How long a store may be silent while bodies are sent and received, and how long a request
	 * without one may take in all; 0: 30 seconds. */
	int64_t timeout_us;
};

/* Whether `config` can be right; else false with a sentence that names what to change. Asks
 * nobody. */
bool s3_config_check(const struct s3_config *config, char *error, size_t error_size);

/* Does not wait for the store. NULL with a sentence. The strings of `config` are copied. */
struct object_store *s3_store_open(const struct s3_config *config, char *error, size_t error_size);

#endif
