/* Shared by the commands on entries. */
#ifndef STEADYCACHE_CLIENT_ENTRY_H
#define STEADYCACHE_CLIENT_ENTRY_H

#include "client/command.h"
#include "client/remote.h"

/* Makes "/cache/NS", followed by "/" and `key` if there is one, from the operands and --key-base64.
 * False after a line on stderr. */
bool entry_target(const struct arguments *arguments, const char *key, struct buffer *target);

/* Adds --prefix to the query, decoded if --key-base64 is given. False after a line on stderr. */
bool entry_prefix(const struct arguments *arguments, struct buffer *target);

/* "If-Match: ..." of --if-match, in `line`; NULL if it is not given. Adds missing quotes. */
const char *entry_if_match(const struct arguments *arguments, char line[160]);

/* Sends a request that changes what is there. CLIENT_NOT_FOUND, after the line `missing` on stderr
 * unless --quiet is given, if it is not; other failures as remote_ask and remote_refusal. */
int entry_change(struct remote *remote, const struct arguments *arguments,
		 const struct remote_request *request, const char *missing);

/* Opens the file that --file or an operand "-" names (NULL and "-": the standard input) as a body.
 * CLIENT_DONE, or CLIENT_LOCAL after a line on stderr. */
int entry_body_open(struct remote_body *body, const char *path);
void entry_body_close(struct remote_body *body);

#endif
