#include "backends/large/s3/verdict.h"

#include <stdio.h>
#include <string.h>

#include "backends/large/s3/xml.h"

enum kind {
	GONE,      /* the object, the upload */
	WRONG,     /* something to change: trying again does not help */
	REFUSED,   /* the same, of credentials: there may be others */
	FULL,      /* no space, no quota */
	BUSY,      /* asks for fewer requests */
	TRANSIENT, /* this request failed, the next may not */
	BROKEN,    /* the store is at fault; counts for the breaker */
	LACKING,   /* the store does not know the request */
};

/* Codes of errors, of all the stores that are named in s3.h. */
static const struct rule {
	const char *code;
	enum kind kind;
	const char *sentence;
} rules[] = {
	{"NoSuchKey", GONE, "the object store does not have the object"},
	{"NoSuchUpload", GONE, "the object store does not have the upload"},
	{"NoSuchBucket", WRONG,
	 "the object store has no such bucket: create it, or correct --large-values"},
	{"InvalidBucketName", WRONG,
	 "the object store does not take the bucket's name: correct --large-values"},
	{"InvalidAccessKeyId", REFUSED,
	 "the object store does not know the access key: correct "
	 "STEADYCACHE_LARGE_ACCESS_KEY, or what AWS's tools use"},
	{"SignatureDoesNotMatch", REFUSED,
	 "the object store refuses the signature: correct STEADYCACHE_LARGE_SECRET_KEY, or the "
	 "region= of --large-values"},
	{"ExpiredToken", REFUSED,
	 "the session token for the object store has ended: renew the credentials"},
	{"InvalidToken", REFUSED,
	 "the object store refuses the session token: renew the credentials"},
	{"TokenRefreshRequired", REFUSED,
	 "the session token for the object store has ended: renew the credentials"},
	{"AccessDenied", REFUSED,
	 "the object store denies access: give the key the right to list the bucket, and to get, "
	 "put and delete its objects"},
	{"AllAccessDisabled", WRONG, "the object store has closed the bucket: ask its provider"},
	{"AccountProblem", WRONG, "the object store has closed the account: ask its provider"},
	{"NotSignedUp", WRONG, "the account is not signed up for the object store"},
	{"RequestTimeTooSkewed", WRONG,
	 "this machine's clock differs from the object store's by minutes: set it (NTP)"},
	{"RequestExpired", WRONG,
	 "this machine's clock differs from the object store's by minutes: set it (NTP)"},
	{"AuthorizationHeaderMalformed", WRONG,
	 "the object store refuses the signature's form: correct the region= of --large-values"},
	{"PermanentRedirect", WRONG,
	 "the bucket is elsewhere: correct the region= or endpoint= of --large-values"},
	{"TemporaryRedirect", WRONG,
	 "the bucket is elsewhere: correct the region= or endpoint= of --large-values"},
	{"InvalidObjectState", WRONG,
	 "the object is in an archive: keep the bucket out of archiving by its lifecycle rules"},
	{"QuotaExceeded", FULL, "the object store's quota is used up: raise it, or free space"},
	{"XMinioStorageFull", FULL, "the object store is full: free some space"},
	{"XMinioAdminBucketQuotaExceeded", FULL,
	 "the object store's quota is used up: raise it, or free space"},
	{"InsufficientStorage", FULL, "the object store is full: free some space"},
	{"EntityTooLarge", FULL,
	 "the object store does not take an object of this size, or its quota is used up: raise "
	 "it, or free space"},
	{"SlowDown", BUSY, "the object store asks for fewer requests; try again"},
	{"TooManyRequests", BUSY, "the object store asks for fewer requests; try again"},
	{"RequestLimitExceeded", BUSY, "the object store asks for fewer requests; try again"},
	{"RequestTimeout", TRANSIENT, "the object store waited for bytes in vain; try again"},
	{"BadDigest", TRANSIENT, "bytes changed on their way to the object store; try again"},
	{"XAmzContentSHA256Mismatch", TRANSIENT,
	 "bytes changed on their way to the object store; try again"},
	{"IncompleteBody", TRANSIENT, "bytes were lost on their way to the object store"},
	{"OperationAborted", TRANSIENT, "the object store is busy with the same object"},
	{"ConditionalRequestConflict", TRANSIENT, "the object store is busy with the same object"},
	{"InternalError", BROKEN, "the object store failed; try again"},
	{"ServiceUnavailable", BROKEN, "the object store is not available; try again"},
	{"NotImplemented", LACKING, "the object store does not know a request of S3"},
	{"MethodNotAllowed", LACKING, "the object store does not know a request of S3"},
};

static const struct {
	CURLcode code;
	enum remote_failure failure;
} failures[] = {
	{CURLE_COULDNT_RESOLVE_PROXY, FAILURE_CONNECT},
	{CURLE_COULDNT_RESOLVE_HOST, FAILURE_CONNECT},
	{CURLE_COULDNT_CONNECT, FAILURE_CONNECT},
	{CURLE_INTERFACE_FAILED, FAILURE_CONNECT},
	{CURLE_OPERATION_TIMEDOUT, FAILURE_CONNECT}, /* only connecting has libcurl's time-out */
	{CURLE_PEER_FAILED_VERIFICATION, FAILURE_TLS},
	{CURLE_SSL_CONNECT_ERROR, FAILURE_TLS},
	{CURLE_SSL_CACERT_BADFILE, FAILURE_TLS},
	{CURLE_SSL_ISSUER_ERROR, FAILURE_TLS},
	{CURLE_SSL_INVALIDCERTSTATUS, FAILURE_TLS},
	{CURLE_WRITE_ERROR, FAILURE_BAD_ANSWER},
	{CURLE_WEIRD_SERVER_REPLY, FAILURE_BAD_ANSWER},
	{CURLE_UNSUPPORTED_PROTOCOL, FAILURE_BAD_ANSWER},
};

/* The members of <Error> that are used. */
struct error {
	bool is_error;
	char code[64], message[160];
};

static void take_error(void *user, const char *path, const char *text)
{
	struct error *error = user;

	if (strcmp(path, "Error/Code") == 0)
		(void)snprintf(error->code, sizeof(error->code), "%s", text);
	else if (strcmp(path, "Error/Message") == 0)
		(void)snprintf(error->message, sizeof(error->message), "%s", text);
	else if (strcmp(path, "Error") == 0)
		error->is_error = true;
}

static struct s3_verdict judge(enum kind kind, const char *sentence)
{
	struct s3_verdict verdict = {
		.status = CACHE_UNAVAILABLE, .sentence = sentence, .failure = FAILURE_STATUS};

	switch (kind) {
	case GONE:
		verdict.status = CACHE_NOT_FOUND;
		verdict.failure = FAILURE_NONE;
		break;
	case REFUSED:
		verdict.failure = FAILURE_AUTH;
		verdict.is_refused = true;
		break;
	case FULL:
		verdict.status = CACHE_NO_SPACE;
		break;
	case BUSY:
		verdict.failure = FAILURE_THROTTLED;
		verdict.may_retry = true;
		break;
	case BROKEN:
		verdict.failure = FAILURE_SERVER_ERROR;
		verdict.is_outage = true;
		verdict.may_retry = true;
		break;
	case TRANSIENT:
		verdict.may_retry = true;
		break;
	case LACKING:
		verdict.status = CACHE_UNSUPPORTED;
		break;
	case WRONG:
		break;
	}
	return verdict;
}

static struct s3_verdict judge_by_code(const struct error *error, struct remote_details *details)
{
	char sentence[300];

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strcmp(rules[i].code, error->code) == 0)
			return judge(rules[i].kind, rules[i].sentence);
	int len = snprintf(sentence, sizeof(sentence), "the object store refuses a request: %s: %s",
			   error->code, error->message);
	const char *kept =
		remote_details_keep(details, (struct slice){.data = sentence, .len = (size_t)len});
	return judge(WRONG, kept ? kept : "the object store refuses a request");
}

/* An error without a code, as answers to HEAD and those of proxies are. */
static struct s3_verdict judge_by_status(long status)
{
	if (status == 404)
		return judge(GONE, "the object store does not have the object");
	if (status == 401 || status == 403)
		return judge(REFUSED, "the object store refuses the credentials, or denies access "
				      "to the bucket of --large-values");
	if (status == 429)
		return judge(BUSY, "the object store asks for fewer requests; try again");
	if (status == 413)
		return judge(FULL, "the object store does not take an object of this size");
	if (status == 507)
		return judge(FULL, "the object store is full: free some space");
	if (status == 501 || status == 405)
		return judge(LACKING, "the object store does not know a request of S3");
	if (status == 408 || status == 409)
		return judge(TRANSIENT, "the object store is busy; try again");
	if (status >= 500)
		return judge(BROKEN, "the object store failed; try again");
	if (status >= 300 && status < 400)
		return judge(WRONG, "the bucket is elsewhere: correct the region= or endpoint= of "
				    "--large-values");
	return judge(WRONG, "the object store refuses a request, without saying why");
}

/* Connection, TLS, time. */
static struct s3_verdict judge_failure(const struct s3_outcome *outcome)
{
	struct s3_verdict verdict =
		judge(BROKEN, "the connection to the object store broke off; try again");

	if (outcome->was_in_line)
		return judge(BUSY, "all connections to the object store are in use: raise the "
				   "connections= of --large-values");
	if (outcome->code == CURLE_OUT_OF_MEMORY)
		return (struct s3_verdict){.status = CACHE_NO_MEMORY,
					   .sentence = cache_status_text(CACHE_NO_MEMORY),
					   .failure = FAILURE_NONE};
	if (outcome->code == CURLE_ABORTED_BY_CALLBACK)
		return (struct s3_verdict){.status = CACHE_INTERNAL,
					   .sentence = "the file of a value cannot be read",
					   .failure = FAILURE_NONE};
	verdict.failure = FAILURE_RESET;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i].code == outcome->code)
			verdict.failure = failures[i].failure;
	if (outcome->is_late)
		verdict.failure = outcome->was_connected ? FAILURE_TIMEOUT : FAILURE_CONNECT;
	switch (verdict.failure) {
	case FAILURE_CONNECT:
		verdict.sentence = "the object store cannot be reached: start it, or correct the "
				   "endpoint= of --large-values";
		break;
	case FAILURE_TLS:
		verdict.sentence = "the certificate of the object store is not trusted: check "
				   "--large-ca-file";
		verdict.may_retry = false;
		break;
	case FAILURE_TIMEOUT:
		verdict.status = CACHE_TIMEOUT;
		verdict.sentence = "the object store did not answer in time; --large-timeout sets "
				   "how long that is";
		break;
	case FAILURE_BAD_ANSWER:
		verdict.sentence = "what answers for the object store does not speak S3: correct "
				   "the endpoint= of --large-values";
		break;
	default:
		break;
	}
	return verdict;
}

struct s3_verdict s3_verdict_of(const struct s3_outcome *outcome, struct remote_details *details)
{
	struct error error = {0};
	struct s3_verdict verdict;
	bool is_read = true;
	bool is_good = outcome->status >= 200 && outcome->status < 300;

	if (outcome->code != CURLE_OK || outcome->is_late)
		return judge_failure(outcome);
	if (!is_good || outcome->is_xml)
		is_read = s3_xml_read(outcome->answer, take_error, &error);
	if (is_good && is_read && !error.is_error)
		return (struct s3_verdict){.status = CACHE_OK, .failure = FAILURE_NONE};
	if (is_read && error.is_error && error.code[0])
		verdict = judge_by_code(&error, details);
	else if (is_good) {
		verdict = judge(BROKEN, "the object store's answer is not of S3; try again");
		verdict.failure = FAILURE_BAD_ANSWER;
	} else
		verdict = judge_by_status(outcome->status);
	/* A code that we do not know, of an answer that says who is at fault. */
	if (verdict.failure == FAILURE_STATUS && !verdict.may_retry && outcome->status >= 500 &&
	    verdict.status == CACHE_UNAVAILABLE) {
		const char *sentence = verdict.sentence;

		verdict = judge(BROKEN, sentence);
	}
	if (outcome->retry_after_s > 0)
		verdict.retry_after_s = (unsigned)outcome->retry_after_s;
	(void)snprintf(verdict.code, sizeof(verdict.code), "%s", error.code);
	return verdict;
}
