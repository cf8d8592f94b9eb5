/* Credentials of AWS and of what speaks its protocols, from where its own tools find them: the
 * environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), the shared files
 * (AWS_SHARED_CREDENTIALS_FILE, AWS_PROFILE), the endpoint of a container
 * (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, _FULL_URI), that of an instance (IMDSv2). What ends is
 * asked for again, by a thread of its own, before it ends. */
#ifndef STEADYCACHE_AWS_CREDENTIALS_H
#define STEADYCACHE_AWS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

struct aws_credentials; /* the source; any thread */

/* One set, as it is at a moment. */
struct aws_keys {
	char access_key[160], secret_key[160];
	char session_token[4096]; /* empty: none */
};

/* Finds the source. NULL, with a sentence that names what to set: there is none, or a file cannot
 * be read. Does not wait for a network: what an endpoint gives may not be there at first. */
struct aws_credentials *aws_credentials_open(char *error, size_t error_size);
/* Copies the present keys. False, with a sentence that lives as long as `credentials`: there are
 * none at the moment. Never waits. */
bool aws_credentials_get(struct aws_credentials *credentials, struct aws_keys *ret,
			 const char **ret_sentence);
/* The other side refused the keys: asks the source again soon, if it may have others. */
void aws_credentials_refused(struct aws_credentials *credentials);
void aws_credentials_close(struct aws_credentials *credentials);

#endif
