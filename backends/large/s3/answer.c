#include "backends/large/s3/answer.h"

#include <stdlib.h>

#include "backends/large/s3/wire.h"

void s3_answer_post(struct s3_store *store, struct object_request *request, size_t size,
		    void (*run)(struct s3_post *post))
{
	struct s3_errand *errand = calloc(1, size);

	if (!errand) {
		request->status = CACHE_NO_MEMORY;
		request->detail = NULL;
		request->done(request);
		return;
	}
	errand->post.run = run;
	errand->store = store;
	errand->request = request;
	errand->call.file = -1;
	s3_wire_key(&store->url, request->sha256, errand->key);
	s3_io_post(&store->io, &errand->post);
}

void s3_answer(struct s3_errand *errand, const struct s3_verdict *verdict)
{
	struct object_request *request = errand->request;

	request->status = verdict->status;
	request->detail = verdict->sentence;
	request->retry_after_s = verdict->retry_after_s;
	request->done(request);
}

struct s3_errand *s3_answer_errand(struct s3_call *call)
{
	return (struct s3_errand *)((char *)call - offsetof(struct s3_errand, call));
}
