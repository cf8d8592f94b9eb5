#include "backends/redis/verdict.h"

/* What the URL says counts before the variables. */
#define REFUSES_USER                                                                               \
	"Redis refuses user or password; correct those of the URL, or STEADYCACHE_REDIS_USER and " \
	"STEADYCACHE_REDIS_PASSWORD"

const char *const redis_verdict_sentences[REMOTE_SENTENCES] = {
	[SENTENCE_UNREACHABLE] =
		"Redis cannot be reached; check that it runs, and STEADYCACHE_BACKEND: "
		"rediss:// if it wants TLS, else redis://",
	[SENTENCE_UNTRUSTED] = "the certificate of Redis is of an authority that is not in "
			       "STEADYCACHE_REDIS_CA_FILE, for another host, or expired",
	[SENTENCE_TIMEOUT] = "Redis did not answer in time",
	[SENTENCE_BROKEN_OFF] = "the connection to Redis broke off",
	[SENTENCE_BAD_ANSWER] = "what answers at STEADYCACHE_BACKEND does not speak as Redis does",
	[SENTENCE_UNAUTHORIZED] = REFUSES_USER,
	[SENTENCE_NOT_THERE] = "Redis has no such database; change its number in "
			       "STEADYCACHE_BACKEND",
	[SENTENCE_TOO_LARGE] = "the request is larger than Redis takes",
	[SENTENCE_THROTTLED] = "Redis has too many clients; raise its maxclients",
	[SENTENCE_FAILED] = "Redis failed; try again",
	[SENTENCE_STRANGE] = "Redis gave an answer that is not of the protocol",
};

struct row {
	const char *start; /* of the error: its code, or more words */
	struct remote_verdict verdict;
};

#define UNAVAILABLE(a_failure, a_sentence, retry, outage)                                          \
	{                                                                                          \
		.failure = (a_failure), .status = CACHE_UNAVAILABLE, .sentence = (a_sentence),     \
		.may_retry = (retry), .is_outage = (outage)                                        \
	}

#define NODE_OF_CLUSTER                                                                            \
	"STEADYCACHE_BACKEND names a node of a Redis Cluster; write ?cluster=1 behind it"

#define NOT_ALLOWED                                                                                \
	UNAVAILABLE(FAILURE_AUTH,                                                                  \
		    "the user of Redis may not do what is needed; see the "                        \
		    "ACL rules in docs/redis.md",                                                  \
		    false, false)

#define ENDED                                                                                      \
	UNAVAILABLE(FAILURE_SERVER_ERROR,                                                          \
		    "somebody ended the call in Redis (SCRIPT KILL, FUNCTION KILL); try again",    \
		    true, false)

/* The first row that the error begins with counts. */
static const struct row rows[] = {
	{"LOADING",
	 UNAVAILABLE(FAILURE_SERVER_ERROR, "Redis is loading its data; try again", true, true)},
	{"MASTERDOWN", UNAVAILABLE(FAILURE_SERVER_ERROR,
				   "Redis is a replica without its master; "
				   "name the master in STEADYCACHE_BACKEND",
				   true, true)},
	{"READONLY", UNAVAILABLE(FAILURE_SERVER_ERROR,
				 "Redis is a read-only replica; name the "
				 "master in STEADYCACHE_BACKEND",
				 true, true)},
	{"CLUSTERDOWN",
	 UNAVAILABLE(FAILURE_SERVER_ERROR, "the Redis Cluster is down; try again", true, true)},
	{"TRYAGAIN", UNAVAILABLE(FAILURE_SERVER_ERROR,
				 "the Redis Cluster moves the keys; try again", true, false)},
	{"MOVED", UNAVAILABLE(FAILURE_STATUS, NODE_OF_CLUSTER, false, false)},
	{"ASK", UNAVAILABLE(FAILURE_STATUS, NODE_OF_CLUSTER, false, false)},
	{"CROSSSLOT", UNAVAILABLE(FAILURE_STATUS, NODE_OF_CLUSTER, false, false)},
	{REDIS_ERROR_CLUSTER, UNAVAILABLE(FAILURE_STATUS, NODE_OF_CLUSTER, false, false)},
	{REDIS_ERROR_ALONE, UNAVAILABLE(FAILURE_STATUS,
					"Redis is not a node of a Cluster; leave cluster=1 out of "
					"STEADYCACHE_BACKEND",
					false, false)},
	{REDIS_ERROR_NODE,
	 UNAVAILABLE(FAILURE_CONNECT, "a master of the Redis Cluster cannot be reached; try again",
		     true, true)},
	{"BUSY", UNAVAILABLE(FAILURE_SERVER_ERROR,
			     "Redis is busy with somebody's script; try again", true, true)},
	{"OOM",
	 {.failure = FAILURE_STATUS,
	  .status = CACHE_NO_SPACE,
	  .sentence = "Redis is full; raise its maxmemory, or make namespaces smaller"}},
	{"MISCONF", UNAVAILABLE(FAILURE_STATUS,
				"Redis cannot write its data to disk and takes no "
				"writes; its log tells why",
				false, false)},
	{"NOREPLICAS", UNAVAILABLE(FAILURE_SERVER_ERROR,
				   "Redis has too few replicas to take writes "
				   "(min-replicas-to-write)",
				   true, false)},
	{"NOAUTH", UNAVAILABLE(FAILURE_AUTH,
			       "Redis wants a password; set "
			       "STEADYCACHE_REDIS_PASSWORD",
			       false, false)},
	{"WRONGPASS", UNAVAILABLE(FAILURE_AUTH, REFUSES_USER, false, false)},
	{"ERR AUTH", UNAVAILABLE(FAILURE_AUTH,
				 "Redis has no password for this user; unset "
				 "STEADYCACHE_REDIS_PASSWORD, and leave it out of the URL",
				 false, false)},
	{"ERR invalid password", UNAVAILABLE(FAILURE_AUTH,
					     "Redis refuses the password; correct "
					     "STEADYCACHE_REDIS_PASSWORD, or the URL if it has one",
					     false, false)},
	{"NOPERM", NOT_ALLOWED},
	/* A script that meets the same: by Redis 6.2, by 7, by Valkey. */
	{"STEADYERR The user executing the script", NOT_ALLOWED},
	{"ERR The user executing the script", NOT_ALLOWED},
	{"ERR ACL failure in script", NOT_ALLOWED},
	{"DENIED", UNAVAILABLE(FAILURE_AUTH,
			       "Redis is in protected mode; give it a password, or "
			       "bind it to an address",
			       false, false)},
	{"ERR max number of clients", UNAVAILABLE(FAILURE_THROTTLED,
						  "Redis has too many clients; "
						  "raise its maxclients",
						  true, true)},
	{"NOSCRIPT", UNAVAILABLE(FAILURE_STATUS,
				 "Redis lost the script of this server and does not "
				 "take it again (SCRIPT LOAD)",
				 true, false)},
	{"ERR Function not found", UNAVAILABLE(FAILURE_STATUS,
					       "Redis lost the functions of this "
					       "server and does not take them again "
					       "(FUNCTION LOAD)",
					       true, false)},
	{"ERR unknown command", UNAVAILABLE(FAILURE_STATUS,
					    "Redis lacks a command; it must be "
					    "version 6.2 or later, or Valkey",
					    false, false)},
	{"ERR DB index", UNAVAILABLE(FAILURE_STATUS,
				     "Redis has no such database; change its number "
				     "in STEADYCACHE_BACKEND",
				     false, false)},
	{"ERR SELECT", UNAVAILABLE(FAILURE_STATUS,
				   "a Redis Cluster has database 0 alone; change the "
				   "number in STEADYCACHE_BACKEND",
				   false, false)},
	{"UNKILLABLE", UNAVAILABLE(FAILURE_SERVER_ERROR,
				   "Redis is busy with somebody's script; try "
				   "again",
				   true, true)},
	/* As 7 and Valkey tell it, and 6.2. Only what has written nothing yet can be ended so. */
	{"ERR Script killed", ENDED},
	{"STEADYERR Script killed", ENDED},
	{REDIS_ERROR_OLD, UNAVAILABLE(FAILURE_STATUS,
				      "Redis is too old; it must be version 6.2 or "
				      "later, or Valkey",
				      false, false)},
	{REDIS_ERROR_EVICTS, UNAVAILABLE(FAILURE_STATUS,
					 "Redis evicts keys by itself; set its "
					 "maxmemory-policy to noeviction",
					 false, false)},
	{"WRONGTYPE", UNAVAILABLE(FAILURE_STATUS,
				  "somebody else uses keys below the prefix in "
				  "Redis; choose another --redis-prefix",
				  false, false)},
};

const struct redis_reply *redis_verdict_error(const struct remote_answer *answer)
{
	for (unsigned i = 0; answer->native && i < answer->native_count; i++)
		if (redis_reply_of(answer, i)->kind == REPLY_ERROR)
			return redis_reply_of(answer, i);
	return NULL;
}

static struct slice function_missing(void)
{
	return SLICE("ERR Function not found");
}

bool redis_verdict_lacks_script(const struct redis_reply *reply)
{
	return reply->kind == REPLY_ERROR && (slice_starts_with(reply->text, SLICE("NOSCRIPT")) ||
					      slice_starts_with(reply->text, function_missing()));
}

bool redis_verdict_is_refusal(const struct redis_reply *reply)
{
	static const char *const codes[] = {
		"LOADING",
		"MASTERDOWN",
		"READONLY",
		"CLUSTERDOWN",
		"TRYAGAIN",
		"MOVED",
		"ASK",
		"BUSY",
		"NOAUTH",
		"NOPERM",
		"OOM",
		"MISCONF",
		"NOREPLICAS",
		"ERR unknown command",
		"ERR Script killed",
		"STEADYERR Script killed",
	};

	if (redis_verdict_lacks_script(reply))
		return true;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (reply->kind == REPLY_ERROR &&
		    slice_starts_with(reply->text, slice_of(codes[i])))
			return true;
	return false;
}

bool redis_verdict_lacks_functions(const struct remote_answer *answer)
{
	const struct redis_reply *error =
		answer->failure == FAILURE_NONE ? redis_verdict_error(answer) : NULL;

	return error && slice_starts_with(error->text, SLICE("ERR unknown command")) &&
	       memmem(error->text.data, error->text.len, "FCALL", 5) != NULL;
}

struct remote_verdict redis_verdict_judge(const struct remote_context *context,
					  enum remote_failure failure,
					  const struct remote_answer *answer)
{
	const struct redis_reply *error = failure == FAILURE_NONE || failure == FAILURE_BAD_ANSWER
						  ? redis_verdict_error(answer)
						  : NULL;
	const struct remote_protocol *protocol = context->protocol;

	if (!error)
		return remote_verdict_http(protocol->sentences, failure, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (slice_starts_with(error->text, slice_of(rows[i].start)))
			return rows[i].verdict;
	return (struct remote_verdict){
		.failure = FAILURE_STATUS,
		.status = CACHE_UNAVAILABLE,
		.sentence = protocol->sentences[SENTENCE_STRANGE],
	};
}
