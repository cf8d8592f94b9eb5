/* Who may come in: bearer tokens, and for a server without a token the checks that keep web pages
 * away from it. */
#ifndef STEADYCACHE_SERVER_AUTH_H
#define STEADYCACHE_SERVER_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "handlers/response.h"

struct auth {
	bool has_key;
	uint8_t digest[32]; /* SHA-256 of the token; the token itself is not kept */
};

/* `key` NULL: no token. */
void auth_init(struct auth *auth, const char *key);

/* True where the request may go on; else the response is complete. `authorization`, `host` and
 * `origin` are the values of the headers, NULL where absent. Thread: any. */
bool auth_check(const struct auth *auth, const char *authorization, const char *host,
		const char *origin, struct response *response);

#endif
