/* Answers that say what is wrong, in the style of the request's route. */
#ifndef STEADYCACHE_HANDLERS_ERROR_H
#define STEADYCACHE_HANDLERS_ERROR_H

#include "handlers/respond/request.h"

/* Answers with an error in the request's style: `detail` (formatted, a sentence that says what to
 * change) as `error`, and in a problem document also `type`, `title`, `status`, `detail`. Escapes
 * text from outside. */
void respond_error(const struct request *request, struct response *response, unsigned status,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Whether the key of the path is short enough. False: answered. */
bool respond_key_fits(const struct request *request, struct response *response);

/* Answers for a completed op that failed: its HTTP status, and its detail or the status's sentence,
 * with Retry-After on 503. */
void respond_op_failure(const struct request *request, struct response *response);
/* The Retry-After of such an answer; 0: none. */
unsigned respond_retry_after_s(const struct cache_op *op);

/* For a problem document with additional members: appends the common members (without braces), and
 * makes `json`, which it takes over, the answer. */
void respond_problem_append(struct buffer *json, unsigned status, struct slice detail);
void respond_problem(struct response *response, unsigned status, struct buffer *json);

#endif
