#include "backends/large/s3/small.h"

#include <stdlib.h>

#include "backends/large/s3/marker.h"
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

static void start_remove(struct s3_post *post)
{
	struct s3_errand *errand = (struct s3_errand *)post;

	if (!s3_answer_removes(errand)) { /* it is being put */
		finish_with(errand, CACHE_PRECONDITION_FAILED, NULL);
		return;
	}
	s3_marker_remove(errand);
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
