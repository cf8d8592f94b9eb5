/* Why a request failed. The names are those of the counters (tally.h). */
#ifndef STEADYCACHE_REMOTE_FAILURE_H
#define STEADYCACHE_REMOTE_FAILURE_H

/* X(id, name, help) */
#define REMOTE_FAILURE_MAP(X)                                                                      \
	X(CONNECT, "failures_connect", "Requests without a connection, or a name.")                \
	X(TLS, "failures_tls", "Requests to a certificate that is not trusted.")                   \
	X(RESET, "failures_reset", "Requests whose connection broke off.")                         \
	X(TIMEOUT, "failures_timeout", "Requests without an answer in time.")                      \
	X(AUTH, "failures_auth", "Answers 401 and 403.")                                           \
	X(THROTTLED, "failures_throttled", "Answers 429.")                                         \
	X(SERVER_ERROR, "failures_5xx", "Answers 500 and above.")                                  \
	X(STATUS, "failures_status", "Answers of another status that is not of the protocol.")     \
	X(BAD_ANSWER, "failures_bad_answer", "Answers that are not of the protocol.")              \
	X(REFUSED, "failures_breaker_open", "Operations not sent, as the breaker was open.")       \
	X(EXPIRED, "failures_expired", "Operations whose time was over.")

enum remote_failure {
#define X(id, name, help) FAILURE_##id,
	REMOTE_FAILURE_MAP(X)
#undef X
		FAILURE_KINDS,
	FAILURE_NONE = FAILURE_KINDS
};

#endif
