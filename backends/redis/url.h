/* The address of a Redis server, as users write it:
 *
 *   redis://[[user]:password@]host[:port][/db]     rediss:// the same over TLS
 *   redis://[[user]:password@]host[:port],host[:port],.../?cluster=1
 *   unix:///path/of/socket[?db=N]
 *
 * with ?prefix=, ?timeout= and ?connect_timeout= (seconds), ?connections= and ?db= behind any of
 * them. User and password may have %XX. With cluster=1 the servers are nodes of a Redis Cluster,
 * some of them or all, and ?partitions= may stand, too. */
#ifndef STEADYCACHE_REDIS_URL_H
#define STEADYCACHE_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As backend_ops.schemes has them. */
#define REDIS_URL_SCHEMES "redis rediss unix"

/* What stands behind the ? and is no option (backend_ops.url_parameters). */
#define REDIS_URL_PARAMETERS "db cluster partitions connect_timeout"

/* In a Cluster without ?partitions=. */
#define REDIS_URL_PARTITIONS 16

struct redis_address {
	char *host;    /* without brackets */
	unsigned port; /* 6379 if the URL has none */
};

struct redis_url {
	struct redis_address *servers; /* one, or in a Cluster several; NULL: a Unix socket */
	size_t server_count;
	char *path; /* of that socket, else NULL */
	bool has_tls;
	bool is_cluster;
	unsigned partitions; /* of each namespace; 1 if it is no Cluster */
	char *user;          /* NULL: the default user */
	char *password;      /* NULL: none */
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
