/* What an answer that does not follow the protocol means: for the client, for the retry, for the
 * breaker. Pure. */
#ifndef STEADYCACHE_REMOTE_VERDICT_H
#define STEADYCACHE_REMOTE_VERDICT_H

#include <stdbool.h>

#include "backends/remote/failure.h"
#include "base/status.h"

/* Sentences for clients and the log. A protocol has one for each, which names its upstream and the
 * option to change if one can help: static, shorter than 120 characters. */
enum remote_sentence {
	SENTENCE_UNREACHABLE,
	SENTENCE_UNTRUSTED, /* its certificate */
	SENTENCE_TIMEOUT,
	SENTENCE_BROKEN_OFF,
	SENTENCE_BAD_ANSWER,
	SENTENCE_UNAUTHORIZED, /* 401, 403 */
	SENTENCE_NOT_THERE,    /* 404 */
	SENTENCE_TOO_LARGE,    /* 413 */
	SENTENCE_THROTTLED,    /* 429 */
	SENTENCE_FAILED,       /* 5xx */
	SENTENCE_STRANGE,      /* any other status */
	REMOTE_SENTENCES
};

struct remote_verdict {
	enum remote_failure failure; /* for the counters */
	enum cache_status status;
	const char *sentence;
	bool may_retry;   /* another try may succeed */
	bool did_nothing; /* the upstream says so: even what is not idempotent may be sent again */
	bool is_outage;   /* counts for the breaker */
};

/* The verdict on a request that ended with `failure`, or if that is FAILURE_NONE with HTTP status
 * `status`. FAILURE_BAD_ANSWER also stands for a 200 that could not be read. */
struct remote_verdict remote_verdict_http(const char *const *sentences, enum remote_failure failure,
					  long status);

#endif
