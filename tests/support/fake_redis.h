/* A Redis server of bytes, in the thread of the test: it does something only in fake_redis_step, so
 * that a test decides what comes before what, and where a reply is cut. */
#ifndef STEADYCACHE_TESTS_FAKE_REDIS_H
#define STEADYCACHE_TESTS_FAKE_REDIS_H

#include <gnutls/gnutls.h>

#include "backends/redis/reply.h"
#include "base/buffer.h"

#define FAKE_REDIS_CONNECTIONS 16
#define FAKE_REDIS_LOG         256

struct fake_redis;

struct fake_redis_connection {
	int fd; /* -1: closed */
	gnutls_session_t tls;
	bool has_shaken_hands;
	struct redis_reader *reader;
	struct buffer out;
	size_t sent;
	int64_t id; /* as CLIENT ID tells it */
};

struct fake_redis {
	int listener; /* -1: nobody listens */
	unsigned port;
	size_t cut; /* bytes that are sent in a step at most; 0: all */
	bool is_paused;
	gnutls_certificate_credentials_t credentials; /* NULL: without TLS */
	const char *info;                             /* what INFO tells */
	const char *refusal; /* the reply to every command of the hello but CLIENT; NULL: none */
	bool lacks_functions;
	/* The reply to a command that is not of the hello, with its CR LF; NULL: none comes yet. */
	const char *(*answer)(struct fake_redis *fake, const struct redis_reply *command);
	struct fake_redis_connection connections[FAKE_REDIS_CONNECTIONS];
	size_t accepted;
	/* What came, as words with blanks between them, cut to 60 bytes. */
	char log[FAKE_REDIS_LOG][64];
	size_t log_count;
	int64_t last_id;
};

/* Listens on a port of 127.0.0.1. */
void fake_redis_open(struct fake_redis *fake);
void fake_redis_close(struct fake_redis *fake);

/* Goes over to TLS with a certificate of its own for 127.0.0.1, which it writes to the file
 * `ret_path`. */
void fake_redis_use_tls(struct fake_redis *fake, const char *ret_path);

/* Ends all connections, and listens no more. Behind it fake_redis_listen begins again, at the same
 * port. */
void fake_redis_stop(struct fake_redis *fake);
void fake_redis_listen(struct fake_redis *fake);

/* Ends all connections. */
void fake_redis_hang_up(struct fake_redis *fake);

/* Accepts, reads, answers: what can be done without waiting. */
void fake_redis_step(struct fake_redis *fake);

/* Sends bytes over all connections, beside what is answered. */
void fake_redis_send(struct fake_redis *fake, struct slice bytes);

/* How many commands that begin with `start` came. */
size_t fake_redis_count(const struct fake_redis *fake, const char *start);
/* The place of the first in the log; log_count: none came. */
size_t fake_redis_find(const struct fake_redis *fake, const char *start);

#endif
