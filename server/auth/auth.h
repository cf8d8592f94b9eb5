/* Who may connect: tokens (authorization.h) and the rights of each. (Web pages and a server without
 * a token: site_check.h.)
 *
 * The tokens in force are a set (token_set.h) that auth_reload replaces as a whole. A request holds
 * the set that admitted it until auth_leave; a later reload frees a set that nobody holds. The sets
 * are in permanent slots, each with a count of its holders. A reader increments the count and then
 * checks that the slot is still the current one. If it is not, the reader has touched nothing but
 * the count. So no lock is needed, and no set is freed under a reader. */
#ifndef STEADYCACHE_SERVER_AUTH_H
#define STEADYCACHE_SERVER_AUTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "handlers/respond/response.h"
#include "server/auth/token_set.h"

/* Most sets that requests in progress may still hold, including the current one. */
#define AUTH_SLOTS 64

/* Where tokens come from; NULL: not from there. The texts must outlive the auth. */
struct auth_sources {
	const char *keys;       /* with every right, one a line */
	const char *keys_file;  /* instead of `keys` */
	const char *token_file; /* lines in the form of token_line.h */
};

struct auth_slot {
	atomic_uint holders;
	struct token_set *set;
};

struct auth {
	bool wants_token; /* false: there are no sources */
	struct auth_sources sources;
	const struct cache_clock *clock; /* for the expiry of tokens */
	atomic_uint current;             /* index of the current slot */
	struct auth_slot slots[AUTH_SLOTS];
	atomic_uint reloads; /* how often the tokens were read again */
};

/* What a request may do. */
struct access {
	const struct token *token; /* NULL: everything */
	struct auth_slot *slot;    /* held; NULL: none */
	unsigned retry_after_s;    /* of AUTH_TOO_FAST */
	unsigned reloads;          /* of the auth, when it was granted */
};

enum auth_verdict {
	AUTH_GOES_ON,
	AUTH_REFUSED,  /* the response is complete */
	AUTH_TOO_FAST, /* the token's rate is used up */
};

/* Reads the tokens; `clock` NULL: the system's. False with a sentence in `error` that names the
 * source, and the line of a token file. */
bool auth_init(struct auth *auth, const struct auth_sources *sources,
	       const struct cache_clock *clock, char *error, size_t error_size);
/* Nobody may hold an access any more. */
void auth_deinit(struct auth *auth);

/* Whether auth_reload could find anything new. */
static inline bool auth_can_reload(const struct auth *auth)
{
	return auth->sources.keys_file || auth->sources.token_file;
}
/* Reads the tokens again. False with a sentence in `error`: the former tokens stay in force. One
 * thread at a time. */
bool auth_reload(struct auth *auth, char *error, size_t error_size);

/* What a request shows. */
struct auth_request {
	const char *authorization; /* the value of the header; NULL if absent */
	bool is_repeated;          /* there is a second one */
	bool is_original; /* it is refused as by the original Worker, which knows only Bearer */
};

/* Checks a request; without tokens everybody passes. Pass `*ret` to auth_leave, whatever the
 * verdict. Any thread. */
enum auth_verdict auth_check(struct auth *auth, const struct auth_request *request,
			     struct access *ret, struct response *response);

/* Adds the challenge of Basic to an answer of 401, behind that of Bearer. A browser would then ask
 * its user for a name and a password. */
void auth_offer_basic(struct response *response);

/* Whether an access that auth_check granted might not be granted now: the tokens were read again
 * since, or its token has expired. Any thread. */
bool auth_is_stale(const struct auth *auth, const struct access *access);

/* Ends an access. A zeroed one is allowed. */
void auth_leave(struct access *access);

#endif
