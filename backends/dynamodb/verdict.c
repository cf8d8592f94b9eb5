#include "backends/dynamodb/verdict.h"

#include "backends/dynamodb/state.h"

#define REFUSES_KEYS                                                                               \
	"DynamoDB refuses the credentials; correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

const char *const dynamodb_verdict_sentences[REMOTE_SENTENCES] = {
	[SENTENCE_UNREACHABLE] = "DynamoDB cannot be reached; check the network, --dynamodb-region "
				 "and --dynamodb-endpoint",
	[SENTENCE_UNTRUSTED] = "the certificate of DynamoDB is not trusted; name its authority in "
			       "--dynamodb-ca-file",
	[SENTENCE_TIMEOUT] = "DynamoDB did not answer in time",
	[SENTENCE_BROKEN_OFF] = "the connection to DynamoDB broke off",
	[SENTENCE_BAD_ANSWER] = "what answers at --dynamodb-endpoint does not speak as DynamoDB "
				"does",
	[SENTENCE_UNAUTHORIZED] = REFUSES_KEYS,
	[SENTENCE_NOT_THERE] = "the table is not in DynamoDB; make it (docs/dynamodb.md), or start "
			       "with --dynamodb-create-table",
	[SENTENCE_TOO_LARGE] = "the entry is larger than the 400 KB that DynamoDB keeps; start the "
			       "server with --large-values",
	[SENTENCE_THROTTLED] = "DynamoDB throttles the requests; give the table more capacity, or "
			       "try again later",
	[SENTENCE_FAILED] = "DynamoDB failed (5xx); try again",
	[SENTENCE_STRANGE] = "DynamoDB refuses the request; is the table as docs/dynamodb.md says?",
};

struct slice dynamodb_verdict_type(struct slice body)
{
	static const char name[] = "\"__type\"";
	const char *at = body.len > 0 ? memmem(body.data, body.len, name, sizeof(name) - 1) : NULL;
	const char *end = body.data + body.len;

	if (!at)
		return (struct slice){0};
	at += sizeof(name) - 1;
	while (at < end && (*at == ' ' || *at == ':'))
		at++;
	if (at == end || *at++ != '"')
		return (struct slice){0};
	const char *stop = memchr(at, '"', (size_t)(end - at));
	if (!stop)
		return (struct slice){0};
	for (const char *hash = at; hash < stop; hash++)
		if (*hash == '#')
			at = hash + 1;
	return (struct slice){.data = at, .len = (size_t)(stop - at)};
}

static bool contains(struct slice body, const char *words)
{
	return body.data && memmem(body.data, body.len, words, strlen(words)) != NULL;
}

bool dynamodb_verdict_is_reply(struct slice body)
{
	struct slice type = dynamodb_verdict_type(body);

	/* Somebody else has just made the table. */
	if (slice_equal(type, SLICE("ValidationException")) &&
	    contains(body, "TimeToLive is already"))
		return true;
	return slice_equal(type, SLICE("ConditionalCheckFailedException")) ||
	       slice_equal(type, SLICE("TransactionCanceledException")) ||
	       slice_equal(type, SLICE("ResourceNotFoundException")) ||
	       slice_equal(type, SLICE("ResourceInUseException"));
}

#define WRONG_CLOCK "DynamoDB says that the time of a request is wrong; set this machine's clock"

#define THROTTLED                                                                                  \
	{                                                                                          \
		.failure = FAILURE_THROTTLED, .status = CACHE_UNAVAILABLE,                         \
		.sentence = dynamodb_verdict_sentences[SENTENCE_THROTTLED], .may_retry = true,     \
		.did_nothing = true                                                                \
	}
#define REFUSED(a_sentence, retry)                                                                 \
	{                                                                                          \
		.failure = FAILURE_AUTH, .status = CACHE_UNAVAILABLE, .sentence = (a_sentence),    \
		.may_retry = (retry), .did_nothing = true                                          \
	}

/* What AWS' rules allow does not change with the keys. */
static bool asks_for_other_keys(const char *type)
{
	return strcmp(type, "AccessDeniedException") != 0;
}

static bool find(struct slice type, const struct remote_context *context,
		 struct remote_verdict *ret)
{
	const struct {
		const char *type;
		struct remote_verdict verdict;
	} rows[] = {
		{"ProvisionedThroughputExceededException", THROTTLED},
		{"ThrottlingException", THROTTLED},
		{"RequestLimitExceeded", THROTTLED},
		{"LimitExceededException", THROTTLED},
		/* A transaction has the item. */
		{"TransactionConflictException", THROTTLED},
		{"TransactionInProgressException", THROTTLED},
		{"UnrecognizedClientException", REFUSED(REFUSES_KEYS, false)},
		{"InvalidSignatureException", REFUSED(REFUSES_KEYS, false)},
		{"IncompleteSignatureException", REFUSED(REFUSES_KEYS, false)},
		{"MissingAuthenticationTokenException", REFUSED(REFUSES_KEYS, false)},
		{"MissingAuthenticationToken", REFUSED(REFUSES_KEYS, false)},
		{"ExpiredTokenException",
		 REFUSED("DynamoDB says that the session token (AWS_SESSION_TOKEN) has ended; give "
			 "new credentials",
			 true)},
		{"AccessDeniedException",
		 REFUSED("the credentials do not allow what is needed in DynamoDB; see the policy "
			 "in docs/dynamodb.md",
			 false)},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!slice_equal(type, slice_of(rows[i].type)))
			continue;
		*ret = rows[i].verdict;
		if (ret->failure == FAILURE_AUTH && asks_for_other_keys(rows[i].type))
			aws_credentials_refused(dynamodb_state_of(context)->credentials);
		return true;
	}
	return false;
}

struct remote_verdict dynamodb_verdict_judge(const struct remote_context *context,
					     enum remote_failure failure,
					     const struct remote_answer *answer)
{
	struct slice body = buffer_bytes(&answer->body);
	struct remote_verdict verdict =
		remote_verdict_http(dynamodb_verdict_sentences, failure, answer->status);

	if (failure != FAILURE_NONE || answer->status != 400)
		return verdict;
	if (find(dynamodb_verdict_type(body), context, &verdict)) {
		if (contains(body, "Signature expired") ||
		    contains(body, "Signature not yet current"))
			verdict.sentence = WRONG_CLOCK;
		return verdict;
	}
	if (contains(body, "tem size")) {
		verdict.status = CACHE_TOO_LARGE;
		verdict.sentence = dynamodb_verdict_sentences[SENTENCE_TOO_LARGE];
	}
	return verdict;
}
