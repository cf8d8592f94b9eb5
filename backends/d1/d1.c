/* The d1 backend: the parts specific to D1, over backends/remote.
 *
 *   d1.c         the protocol, operations, open
 *   settings.c   its settings, checked
 *   ops.c        the dialect of our Worker, POST /ops
 *   ops_group.c  which operations share an op of a request
 *   ops_write.c  its requests
 *   ops_check.c  whether its answers are valid
 *   ops_read.c   its answers
 *   api.c        the dialect of the original Worker, POST /api/...
 *   api_wire.c   its requests and answers */
#include "backends/d1/d1.h"

#include <stdio.h>

#include "backends/d1/api.h"
#include "backends/d1/defaults.h"
#include "backends/d1/ops.h"
#include "backends/d1/settings.h"
#include "backends/remote/backend.h"
#include "backends/remote/transport_curl.h"

static const char *const sentences[REMOTE_SENTENCES] = {
	[SENTENCE_UNREACHABLE] = "the D1 Worker cannot be reached; check the network and "
				 "STEADYTEXT_D1_API_URL",
	[SENTENCE_UNTRUSTED] = "the certificate of the D1 upstream is not trusted; name its "
			       "authority in STEADYCACHE_D1_CA_FILE",
	[SENTENCE_TIMEOUT] = "the D1 upstream did not answer in time",
	[SENTENCE_BROKEN_OFF] = "the connection to the D1 upstream broke off",
	[SENTENCE_BAD_ANSWER] = "what answers at STEADYTEXT_D1_API_URL does not speak "
				"the Worker's protocol",
	[SENTENCE_UNAUTHORIZED] = "the D1 Worker refuses the token; set "
				  "STEADYTEXT_D1_API_KEY to the Worker's API_KEY",
	[SENTENCE_NOT_THERE] = "there is no D1 Worker at STEADYTEXT_D1_API_URL",
	[SENTENCE_TOO_LARGE] = "the request is larger than the D1 upstream takes",
	[SENTENCE_THROTTLED] = "the D1 upstream asks for a pause (429); try again",
	[SENTENCE_FAILED] = "the D1 upstream failed (5xx); try again",
	[SENTENCE_STRANGE] = "the D1 upstream gave an answer that is not of its protocol",
};

/* What the front sends is right, so a Worker that refuses it is of an earlier version: one that
 * misses a value got a reference, and one that wants text got a compressed value. */
static struct remote_verdict judge(const struct remote_context *context,
				   enum remote_failure failure, const struct remote_answer *answer)
{
	static const struct {
		struct slice words;
		enum cache_status status;
		const char *sentence;
	} refusals[] = {
		{SLICE("value\\\" is missing"), CACHE_TOO_LARGE, D1_NO_REFERENCES},
		{SLICE("value\\\" must be a string"), CACHE_UNSUPPORTED, D1_NO_COMPRESSION},
		{SLICE("none of the protocol's operations"), CACHE_UNSUPPORTED,
		 "this D1 Worker does not know the operation; deploy the Worker of this version of "
		 "steadycache"},
	};
	struct remote_verdict verdict =
		remote_verdict_http(context->protocol->sentences, failure, answer->status);

	if (failure != FAILURE_NONE || answer->status != 400 || answer->body.len == 0)
		return verdict;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (memmem(answer->body.data, answer->body.len, refusals[i].words.data,
			   refusals[i].words.len)) {
			verdict.status = refusals[i].status;
			verdict.sentence = refusals[i].sentence;
		}
	}
	return verdict;
}

static const struct remote_dialect *const dialects[] = {&d1_ops_dialect, &d1_api_dialect, NULL};

static const char *const headers[] = {
	"Content-Type: application/json",
	"Accept: application/json",
	NULL,
};

static const struct remote_protocol protocol = {
	.name = "d1",
	.dialects = dialects,
	.sentences = sentences,
	.judge = judge,
	.merged_ops_max = 1000, /* the limit of /ops */
	.merged_bytes_max = 4U << 20,
	.open_transport = remote_transport_curl_open,
	.headers = headers,
	.answer_max_bytes = 160U << 20, /* a Worker has 128 MiB of memory in total */
};

static struct backend *d1_open(const struct backend_config *config, char *error, size_t error_size)
{
	struct remote_settings settings;

	if (!d1_settings_check(config, error, error_size))
		return NULL;
	if (!d1_settings_init(&settings, config)) {
		(void)snprintf(error, error_size, "d1: out of memory");
		return NULL;
	}
	return remote_backend_open(&d1_backend_ops, &protocol, config, &settings, NULL, error,
				   error_size);
}

const struct backend_ops d1_backend_ops = {
	.name = "d1",
	.bits = BACKEND_PERSISTS | BACKEND_REMOTE | BACKEND_WHOLE,
	.options = &d1_options,
	.schemes = D1_SCHEMES,
	.default_policy = D1_DEFAULT_POLICY,
	.check_config = d1_settings_check,
	.open = d1_open,
	.get = remote_backend_submit,
	.set = remote_backend_submit,
	.remove = remote_backend_submit,
	.exists = remote_backend_submit,
	.expire = remote_backend_submit,
	.clear = remote_backend_submit,
	.scan = remote_backend_submit,
	.stats = remote_backend_submit,
	.configure = remote_backend_submit,
	.sync = remote_backend_sync,
	.check = remote_backend_submit,
	.gauges = remote_backend_gauges,
	.hurry = remote_backend_hurry,
	.close = remote_backend_close,
};
