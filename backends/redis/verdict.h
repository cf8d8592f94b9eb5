/* What a server's refusal means: for the client, for a retry, for the breaker. Pure. */
#ifndef STEADYCACHE_REDIS_VERDICT_H
#define STEADYCACHE_REDIS_VERDICT_H

#include "backends/redis/reply.h"
#include "backends/remote/protocol.h"

/* The first of an answer's replies that is an error; NULL: none is. A dialect reads answers without
 * one, and leaves others to redis_verdict_judge. */
const struct redis_reply *redis_verdict_error(const struct remote_answer *answer);

/* remote_protocol.judge */
struct remote_verdict redis_verdict_judge(const struct remote_context *context,
					  enum remote_failure failure,
					  const struct remote_answer *answer);

/* Whether the server has no functions (Redis 6.2): it is to be asked by EVALSHA.
 * remote_dialect.is_foreign of the dialect that writes FCALL. */
bool redis_verdict_lacks_functions(const struct remote_answer *answer);

/* Whether a reply says that the script is not there: NOSCRIPT, or "Function not found". */
bool redis_verdict_lacks_script(const struct redis_reply *reply);

/* Whether a reply says that the server has not done anything of the command. */
bool redis_verdict_is_refusal(const struct redis_reply *reply);

/* Errors that the transport makes itself, of what it found at the server. */
#define REDIS_ERROR_OLD     "STEADYOLD"
#define REDIS_ERROR_EVICTS  "STEADYEVICTS"
#define REDIS_ERROR_REPLICA "READONLY"
#define REDIS_ERROR_CLUSTER "STEADYCLUSTER"
#define REDIS_ERROR_ALONE   "STEADYALONE"
#define REDIS_ERROR_NODE    "STEADYNODE"

/* remote_protocol.sentences */
extern const char *const redis_verdict_sentences[REMOTE_SENTENCES];

#endif
