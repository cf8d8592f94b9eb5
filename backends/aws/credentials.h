/* Credentials of AWS and of what speaks its protocols, from where its own tools find them, in this
 * order: the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), the shared
 * files (AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE, AWS_PROFILE), the endpoint of a container
 * (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, _FULL_URI), that of an instance (IMDSv2). What ends is
 * asked for again, by a thread of its own, before it ends; changed files are read again.
 *
 *   credentials.c      the source in use, its thread, the present keys
 *   source_files.c     shared files
 *   profile.c          how they are written
 *   source_endpoint.c  containers and instances
 *   fetch.c            their HTTP
 *   region.c           the region
 *   sigv4.c            signatures */
#ifndef STEADYCACHE_AWS_CREDENTIALS_H
#define STEADYCACHE_AWS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

struct aws_credentials; /* the source; any thread */

/* One set, as it is at a moment. */
struct aws_keys {
	char access_key[160], secret_key[160];
	char session_token[8192]; /* empty: none */
};

/* Finds the source. NULL, with a sentence that names what to set: there is none, or a file cannot
 * be read. Does not wait for a network: what an endpoint gives may not be there at first. */
struct aws_credentials *aws_credentials_open(char *error, size_t error_size);
/* The given keys, which never change. `session_token`: NULL or "" if there is none. NULL, with a
 * sentence: they are too long, or empty. */
struct aws_credentials *aws_credentials_open_static(const char *access_key, const char *secret_key,
						    const char *session_token, char *error,
						    size_t error_size);
/* Copies the present keys. False, with a sentence that lives as long as `credentials`: there are
 * none at the moment. Never waits. */
bool aws_credentials_get(struct aws_credentials *credentials, struct aws_keys *ret,
			 const char **ret_sentence);
/* The other side refused the keys: asks the source again soon, if it may have others. */
void aws_credentials_refused(struct aws_credentials *credentials);
/* NULL is allowed. Does not wait for requests in flight. */
void aws_credentials_close(struct aws_credentials *credentials);

#endif
