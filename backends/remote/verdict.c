#include "backends/remote/verdict.h"

static struct remote_verdict judge_failure(enum remote_failure failure)
{
	struct remote_verdict verdict = {
		.failure = failure,
		.status = CACHE_UNAVAILABLE,
		.may_retry = true,
		.is_outage = true,
	};

	switch (failure) {
	case FAILURE_CONNECT:
		verdict.sentence = "the D1 Worker cannot be reached; check the network and "
				   "STEADYTEXT_D1_API_URL";
		break;
	case FAILURE_TLS:
		verdict.sentence = "the certificate of the D1 upstream is not trusted; name its "
				   "authority in STEADYCACHE_D1_CA_FILE";
		verdict.may_retry = false;
		break;
	case FAILURE_TIMEOUT:
		verdict.status = CACHE_TIMEOUT;
		verdict.sentence = "the D1 upstream did not answer in time";
		verdict.may_retry = false;
		break;
	case FAILURE_BAD_ANSWER:
		verdict.sentence = "what answers at STEADYTEXT_D1_API_URL does not speak "
				   "the Worker's protocol";
		verdict.may_retry = false;
		break;
	default:
		verdict.sentence = "the connection to the D1 upstream broke off";
		break;
	}
	return verdict;
}

struct remote_verdict remote_verdict_of(enum remote_failure failure, long status)
{
	struct remote_verdict verdict = {.failure = FAILURE_STATUS, .status = CACHE_UNAVAILABLE};

	if (failure != FAILURE_NONE)
		return judge_failure(failure);
	switch (status) {
	case 401:
	case 403:
		verdict.failure = FAILURE_AUTH;
		verdict.sentence = "the D1 Worker refuses the token; set "
				   "STEADYTEXT_D1_API_KEY to the Worker's API_KEY";
		break;
	case 404:
		verdict.sentence = "there is no D1 Worker at STEADYTEXT_D1_API_URL";
		break;
	case 413:
		verdict.status = CACHE_TOO_LARGE;
		verdict.sentence = "the request is larger than the D1 upstream takes";
		break;
	case 429:
		verdict.failure = FAILURE_THROTTLED;
		verdict.sentence = "the D1 upstream asks for a pause (429); try again";
		verdict.may_retry = true;
		break;
	default:
		verdict.sentence = "the D1 upstream gave an answer that is not of its protocol";
		if (status < 500)
			break;
		verdict.failure = FAILURE_SERVER_ERROR;
		verdict.sentence = "the D1 upstream failed (5xx); try again";
		verdict.may_retry = status <= 504 && status != 501;
		verdict.is_outage = true;
		break;
	}
	return verdict;
}
