/* Reads the environment and the command line about the server. */
#ifndef STEADYCACHE_CLIENT_REMOTE_OPEN_H
#define STEADYCACHE_CLIENT_REMOTE_OPEN_H

#include "client/command.h"
#include "client/remote.h"

/* Reads STEADYCACHE_URL, _API_KEY, _API_KEY_FILE, and --timeout; requests read _CA_FILE,
 * _CLIENT_CERT and _CLIENT_KEY. CLIENT_DONE, or another code after a line on stderr. Call
 * remote_close in any case. */
int remote_open(struct remote *remote, const struct arguments *arguments);

#endif
