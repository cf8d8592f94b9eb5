#include "backends/large/s3/small.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "backends/large/s3/answer.h"
#include "backends/large/s3/wire.h"

static void finish(struct s3_errand *errand, const struct s3_verdict *verdict)
{
	s3_answer(errand, verdict);
	free(errand);
}

static void finish_with(struct s3_errand *errand, enum cache_status status, const char *sentence)
{
	struct s3_verdict verdict = {.status = status, .sentence = sentence};

	finish(errand, &verdict);
}

static void on_removed(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);

	if (verdict->status != CACHE_OK && verdict->status != CACHE_NOT_FOUND) {
		finish(errand, verdict);
		return;
	}
	s3_count(errand->store, S3_COUNT_REMOVALS, 1);
	finish_with(errand, CACHE_OK, NULL);
}

/* When the object was put last; -1: it is not said. */
static int64_t put_at_us(const struct s3_call *call)
{
	const char *text = s3_exchange_header(&call->exchange, "Last-Modified");
	time_t at_s = text ? curl_getdate(text, NULL) : -1;

	return at_s < 0 ? -1 : (int64_t)at_s * US_PER_S;
}

/* The answer to HEAD. */
static void on_seen(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);
	int64_t at_us = verdict->status == CACHE_OK ? put_at_us(call) : -1;

	if (verdict->status == CACHE_NOT_FOUND) {
		finish_with(errand, CACHE_OK, NULL);
	} else if (verdict->status != CACHE_OK) {
		finish(errand, verdict);
	} else if (at_us < 0) {
		finish_with(errand, CACHE_UNSUPPORTED,
			    "the object store does not say when an object was put");
	} else if (at_us >= errand->request->put_before_us) {
		finish_with(errand, CACHE_PRECONDITION_FAILED, NULL);
	} else {
		call->method = "DELETE";
		call->done = on_removed;
		s3_call_start(errand->store, call);
	}
}

static void start_remove(struct s3_post *post)
{
	struct s3_errand *errand = (struct s3_errand *)post;

	if (!s3_answer_removes(errand)) { /* it is being put */
		finish_with(errand, CACHE_PRECONDITION_FAILED, NULL);
		return;
	}
	errand->call.method = "HEAD";
	errand->call.key = errand->key;
	errand->call.done = on_seen;
	s3_call_start(errand->store, &errand->call);
}

void s3_small_remove(struct object_store *store, struct object_request *request)
{
	s3_answer_post((struct s3_store *)store, request, sizeof(struct s3_errand), start_remove);
}

static void on_checked(struct s3_call *call, const struct s3_verdict *verdict)
{
	finish(s3_answer_errand(call), verdict);
}

static void start_check(struct s3_post *post)
{
	struct s3_errand *errand = (struct s3_errand *)post;
	struct s3_call *call = &errand->call;

	call->method = "GET";
	call->has_xml = true;
	call->done = on_checked;
	buffer_printf(&call->query, "list-type=2&max-keys=1&prefix=");
	s3_wire_encode(&call->query, errand->store->url.prefix);
	s3_call_start(errand->store, call);
}

void s3_small_check(struct object_store *store, struct object_request *request)
{
	s3_answer_post((struct s3_store *)store, request, sizeof(struct s3_errand), start_check);
}
