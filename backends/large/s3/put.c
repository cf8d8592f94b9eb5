#include "backends/large/s3/put.h"

#include <stdlib.h>

#include "backends/large/s3/marker.h"
#include "backends/large/s3/wire.h"

static void add_headers(struct s3_call *call, struct buffer *lines)
{
	(void)call;
	buffer_append(lines, (struct slice){S3_CONTENT_TYPE, sizeof(S3_CONTENT_TYPE)});
}

static void start(struct s3_errand *errand);

static void finish(struct s3_errand *errand, const struct s3_verdict *verdict)
{
	s3_answer(errand, verdict);
	free(errand);
}

static void on_done(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);
	struct s3_verdict answer = *verdict;

	if (verdict->status == CACHE_OK) {
		s3_count(errand->store, S3_COUNT_PUTS, 1);
		s3_marker_settle(errand, start, finish);
		return;
	}
	if (verdict->status == CACHE_NOT_FOUND) { /* of a bucket, by a store that gives no code */
		answer.status = CACHE_UNAVAILABLE;
		answer.sentence = "the object store has no such bucket: create it, or correct "
				  "--large-values";
	}
	finish(errand, &answer);
}

/* Has its turn. */
static void start(struct s3_errand *errand)
{
	errand->call = (struct s3_call){
		.method = "PUT",
		.key = errand->key,
		.add_headers = add_headers,
		/* The name is the hash, behind the prefix. */
		.payload_hash = errand->key + strlen(errand->store->url.prefix),
		.file = errand->request->file,
		.len = errand->request->len_bytes,
		.is_long = true,
		.done = on_done,
	};
	s3_call_start(errand->store, &errand->call);
}

static void take_turn(struct s3_post *post)
{
	s3_answer_take_turn((struct s3_errand *)post, start);
}

void s3_put(struct s3_store *store, struct object_request *request)
{
	s3_answer_post(store, request, sizeof(struct s3_errand), take_turn);
}
