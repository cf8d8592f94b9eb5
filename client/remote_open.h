/* Reads the environment and the command line about the server. */
#ifndef STEADYCACHE_CLIENT_REMOTE_OPEN_H
#define STEADYCACHE_CLIENT_REMOTE_OPEN_H

#include "client/command.h"
#include "client/remote.h"

/* Reads STEADYCACHE_URL, _API_KEY, _API_KEY_FILE, and --timeout; requests read _CA_FILE,
 * _CLIENT_CERT and _CLIENT_KEY. CLIENT_DONE, or another code after a line on stderr. Call
 * remote_close in any case. */
int remote_open(struct remote *remote, const struct arguments *arguments);

/* Reads --timeout. False after a line on stderr. */
bool remote_open_timeout(const struct arguments *arguments, long *ret_s);
/* As remote_open, for a URL from elsewhere: `source` names it in errors, and the token is that of
 * the environment variable `key_variable` if it is set. The texts must outlive `remote`. */
int remote_open_url(struct remote *remote, const char *url, const char *source,
		    const char *key_variable, long timeout_s);

#endif
