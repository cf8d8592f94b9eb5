/* What the log says of single requests: a line for each (--access-log, or level debug), for slow
 * ones (--slow-request-ms), and for those that the server failed. docs/logging.md has the lines and
 * their fields. Never a key, a value or a token.
 *
 * A request is slow by the server's own time: from the last byte of the request until its answer is
 * handed to the HTTP library, without the time that the client asked to wait (single flight). The
 * clock that is read for the metrics gives it; otherwise the clock is read only if a request has a
 * body, waits, or asks for more than one entry.
 *
 * The number of lines about slow and failed requests is limited (log_rate.h), and those left out
 * are counted and reported. */
#ifndef STEADYCACHE_SERVER_REQUEST_LOG_H
#define STEADYCACHE_SERVER_REQUEST_LOG_H

#include "server/http/exchange_state.h"
#include "server/log/log.h"

/* Whether each request is logged. */
static inline bool request_log_has_each(const struct exchange *exchange)
{
	return exchange->shared->access_log || log_is_on(LOG_DEBUG);
}

static inline int64_t request_log_own_ns(const struct exchange *exchange, int64_t now_ns)
{
	return now_ns - exchange->complete_ns - exchange->waited_ns;
}

/* Whether request_log_answer has anything to do. */
static inline bool request_log_cares(const struct exchange *exchange, int64_t now_ns)
{
	return exchange->response.status >= 400 || request_log_has_each(exchange) ||
	       request_log_own_ns(exchange, now_ns) > exchange->shared->slow_ns;
}

/* The response is complete: logs a failed or slow request, and decides whether the answer returns
 * the request id. */
void request_log_answer(struct exchange *exchange, int64_t now_ns);

/* Its answer was cut off after its head was sent, for `reason`: a sentence of this program. */
void request_log_cut(struct exchange *exchange, const char *reason);

/* The request is over: logs it, if each request is logged. */
void request_log_end(struct exchange *exchange);

/* Reports lines that were left out. Call it about twice a second, and once more at the end. */
void request_log_tick(bool is_end);

#endif
