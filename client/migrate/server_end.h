/* A running server as an end of a migration: its API, by one connection a thread. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_SERVER_END_H
#define STEADYCACHE_CLIENT_MIGRATE_SERVER_END_H

#include <jansson.h>

#include "client/migrate/end.h"
#include "client/remote.h"

/* What messages call a server, and which token it gets: that of STEADYCACHE_FROM_API_KEY or
 * _TO_API_KEY, else, and for a server of the environment only, that of STEADYCACHE_API_KEY. */
#define SERVER_FROM        "FROM"
#define SERVER_TO          "TO"
#define SERVER_ENVIRONMENT "STEADYCACHE_URL"

/* Opens a connection to `url`; `role` is one of these. False on failure; remote_close in any case.
 */
bool server_end_open(struct remote *remote, const char *url, const char *role, long timeout_s,
		     struct migrate_failure *failure);

/* Sends the request and waits for its answer. False: there was none, or it was not 2xx; `answer`
 * has it in any case. */
bool server_end_ask(struct remote *remote, const struct remote_request *request,
		    struct remote_answer *answer, struct migrate_failure *failure);

/* Whether such an answer is a success, else why not. */
bool server_end_judge(struct remote *remote, bool has_answer, const struct remote_answer *answer,
		      struct migrate_failure *failure);

/* Appends the path of an entry, which is not that of the empty key. */
void server_end_write_target(struct buffer *out, const char *ns, struct slice key);

/* Asks for the bytes of a value as they were stored, whatever their Content-Encoding. */
#define SERVER_END_ACCEPT "Accept-Encoding: identity, *;q=0.5"

/* The head of the value in an answer to such a request. */
void server_end_head(const struct remote_answer *answer, struct value_head_room *ret);

/* When the entry of an answer expires, about; 0: never. */
int64_t server_end_expiry(const struct remote_answer *answer);

/* What such times may differ by. */
#define SERVER_END_TOLERANCE_US (3 * US_PER_S)

/* Asks POST /batch/NS/WHAT with `body`, a JSON text. False: as server_end_ask. *ret is the answer,
 * the caller's; NULL: it is no JSON. */
bool server_end_ask_batch(struct remote *remote, const char *ns, const char *what,
			  const struct buffer *body, json_t **ret, struct migrate_failure *failure);

/* What the server has for a key that is not empty. See server_end_is_too_long. */
bool server_end_find(struct remote *remote, const char *ns, struct slice key,
		     struct migrate_found *ret, struct migrate_failure *failure);

/* Whether a request failed so because its key is too long for a URL of that server. */
bool server_end_is_too_long(const struct migrate_failure *failure);

/* As server_end_find for such a key: the server sends the value, does not tell the expiry, and
 * counts a use. It cannot look up a key that is not text, nor a value that it sends in no batch. */
bool server_end_find_long(struct remote *remote, const char *ns, struct slice key,
			  struct migrate_found *ret, struct migrate_failure *failure);

#endif
