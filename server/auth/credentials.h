/* How the server identifies clients, and they it: tokens (auth.h) and certificates (tls.h), from
 * the places that the options name, read at the start and again on SIGHUP. */
#ifndef STEADYCACHE_SERVER_CREDENTIALS_H
#define STEADYCACHE_SERVER_CREDENTIALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/auth/auth.h"
#include "server/config/options.h"

/* Reads both; `options` must outlive `auth`. False with a sentence in `error`. */
bool credentials_open(struct auth *auth, const struct options *options, char *error,
		      size_t error_size);
/* No request may be in progress any more. */
void credentials_close(struct auth *auth);

/* Whether there are files to read again: then SIGHUP must be among the signals below. */
bool credentials_can_reload(const struct options *options, const struct auth *auth);

/* Waits for one of `signals`, which are blocked in all threads, and returns the one that came.
 * SIGHUP reads everything again, SIGUSR1 sets the log's level to debug and SIGUSR2 back; after
 * these it keeps waiting. A faulty file is logged, and the former content stays in force. */
int credentials_await_end(const sigset_t *signals, const struct options *options,
			  struct auth *auth);

#endif
