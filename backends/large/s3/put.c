#include "backends/large/s3/put.h"

#include <stdlib.h>

#include "backends/large/s3/answer.h"
#include "backends/large/s3/wire.h"

static void add_headers(struct s3_call *call, struct buffer *lines)
{
	(void)call;
	buffer_append(lines, (struct slice){S3_CONTENT_TYPE, sizeof(S3_CONTENT_TYPE)});
}

static void on_done(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);
	struct s3_verdict answer = *verdict;

	if (verdict->status == CACHE_OK)
		s3_count(errand->store, S3_COUNT_PUTS, 1);
	if (verdict->status == CACHE_NOT_FOUND) { /* of a bucket, by a store that gives no code */
		answer.status = CACHE_UNAVAILABLE;
		answer.sentence = "the object store has no such bucket: create it, or correct "
				  "--large-values";
	}
	s3_answer(errand, &answer);
	free(errand);
}

/* Has its turn. */
static void start(struct s3_errand *errand)
{
	struct s3_call *call = &errand->call;

	call->method = "PUT";
	call->key = errand->key;
	call->add_headers = add_headers;
	/* The name is the hash, behind the prefix. */
	call->payload_hash = errand->key + strlen(errand->store->url.prefix);
	call->file = errand->request->file;
	call->len = errand->request->len_bytes;
	call->is_long = true;
	call->done = on_done;
	s3_call_start(errand->store, call);
}

static void take_turn(struct s3_post *post)
{
	s3_answer_take_turn((struct s3_errand *)post, start);
}

void s3_put(struct s3_store *store, struct object_request *request)
{
	s3_answer_post(store, request, sizeof(struct s3_errand), take_turn);
}
