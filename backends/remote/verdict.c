#include "backends/remote/verdict.h"

static struct remote_verdict judge_failure(const char *const *sentences,
					   enum remote_failure failure)
{
	struct remote_verdict verdict = {
		.failure = failure,
		.status = CACHE_UNAVAILABLE,
		.sentence = sentences[SENTENCE_BROKEN_OFF],
		.may_retry = failure != FAILURE_TLS && failure != FAILURE_TIMEOUT &&
			     failure != FAILURE_BAD_ANSWER,
		.is_outage = true,
	};

	if (failure == FAILURE_CONNECT)
		verdict.sentence = sentences[SENTENCE_UNREACHABLE];
	else if (failure == FAILURE_TLS)
		verdict.sentence = sentences[SENTENCE_UNTRUSTED];
	else if (failure == FAILURE_BAD_ANSWER)
		verdict.sentence = sentences[SENTENCE_BAD_ANSWER];
	if (failure == FAILURE_TIMEOUT) {
		verdict.status = CACHE_TIMEOUT;
		verdict.sentence = sentences[SENTENCE_TIMEOUT];
	}
	return verdict;
}

struct remote_verdict remote_verdict_http(const char *const *sentences, enum remote_failure failure,
					  long status)
{
	struct remote_verdict verdict = {
		.failure = FAILURE_STATUS,
		.status = CACHE_UNAVAILABLE,
		.sentence = sentences[SENTENCE_STRANGE],
	};

	if (failure != FAILURE_NONE)
		return judge_failure(sentences, failure);
	switch (status) {
	case 401:
	case 403:
		verdict.failure = FAILURE_AUTH;
		verdict.sentence = sentences[SENTENCE_UNAUTHORIZED];
		break;
	case 404:
		verdict.sentence = sentences[SENTENCE_NOT_THERE];
		break;
	case 413:
		verdict.status = CACHE_TOO_LARGE;
		verdict.sentence = sentences[SENTENCE_TOO_LARGE];
		break;
	case 429:
		verdict.failure = FAILURE_THROTTLED;
		verdict.sentence = sentences[SENTENCE_THROTTLED];
		verdict.may_retry = true;
		break;
	default:
		if (status < 500)
			break;
		verdict.failure = FAILURE_SERVER_ERROR;
		verdict.sentence = sentences[SENTENCE_FAILED];
		verdict.may_retry = status <= 504 && status != 501;
		verdict.is_outage = true;
		break;
	}
	return verdict;
}
