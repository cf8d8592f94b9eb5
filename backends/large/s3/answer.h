/* Requests of the layer: from its threads to ours, and their ends. */
#ifndef STEADYCACHE_LARGE_S3_ANSWER_H
#define STEADYCACHE_LARGE_S3_ANSWER_H

#include "backends/large/s3/call.h"

/* A request with one call; others have this at their beginning. */
struct s3_errand {
	struct s3_post post; /* first */
	struct s3_store *store;
	struct object_request *request;
	struct s3_call call;
	char key[S3_KEY_SIZE];
};

/* A zeroed errand of `size` bytes, whose `run` is called by the thread; the request fails if there
 * is no memory. Any thread. */
void s3_answer_post(struct s3_store *store, struct object_request *request, size_t size,
		    void (*run)(struct s3_post *post));
/* Ends the request with `verdict`. The errand is the caller's to free. */
void s3_answer(struct s3_errand *errand, const struct s3_verdict *verdict);
/* The errand of a call. */
struct s3_errand *s3_answer_errand(struct s3_call *call);

#endif
