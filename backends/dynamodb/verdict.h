/* What DynamoDB's exceptions mean. */
#ifndef STEADYCACHE_DYNAMODB_VERDICT_H
#define STEADYCACHE_DYNAMODB_VERDICT_H

#include "backends/remote/protocol.h"

extern const char *const dynamodb_verdict_sentences[REMOTE_SENTENCES];

/* remote_protocol.judge */
struct remote_verdict dynamodb_verdict_judge(const struct remote_context *context,
					     enum remote_failure failure,
					     const struct remote_answer *answer);

/* The type of an exception, without its namespace, out of `"__type":"namespace#type"`; empty: there
 * is none. */
struct slice dynamodb_verdict_type(struct slice body);

/* Whether the body of an exception is for the stages of a call: it says what was found, not that
 * something failed. */
bool dynamodb_verdict_is_reply(struct slice body);

#endif
