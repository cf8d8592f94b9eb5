/* The address of a Redis server, as users write it:
 *
 *   redis://[[user]:password@]host[:port][/db]     rediss:// the same over TLS
 *   unix:///path/of/socket[?db=N]
 *
 * with ?prefix=, ?timeout= and ?connect_timeout= (seconds), ?connections= and ?db= behind any of
 * them. User and password may have %XX. */
#ifndef STEADYCACHE_REDIS_URL_H
#define STEADYCACHE_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As backend_ops.schemes has them. */
#define REDIS_URL_SCHEMES "redis rediss unix"

struct redis_url {
	char *host;    /* without brackets; NULL: a Unix socket */
	char *path;    /* of that socket, else NULL */
	unsigned port; /* 6379 if the URL has none */
	bool has_tls;
	char *user;     /* NULL: the default user */
	char *password; /* NULL: none */
	unsigned db;
	char *prefix;         /* of all keys; NULL: the URL has none */
	unsigned connections; /* 0: the URL does not say, as with what follows */
	int64_t timeout_us, connect_timeout_us;
};

/* False with one sentence in `error`, which never shows the password, and nothing to free. */
bool redis_url_read(struct redis_url *ret, const char *text, char *error, size_t error_size);

/* Frees the strings, the password overwritten. A zeroed `url` is allowed. */
void redis_url_deinit(struct redis_url *url);

#endif
