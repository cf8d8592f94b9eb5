/* Requests of the layer: from its threads to ours, their turns, and their ends.
 *
 * A removal looks at the age of an object before it deletes it. So a put of the same object waits
 * for the end of a removal, and a removal ends at once while there is a put. */
#ifndef STEADYCACHE_LARGE_S3_ANSWER_H
#define STEADYCACHE_LARGE_S3_ANSWER_H

#include "backends/large/s3/call.h"

/* Markers are behind this, behind the prefix. */
#define S3_MARKERS "removing/"

/* A request with one call; others have this at their beginning. */
struct s3_errand {
	struct s3_post post; /* first */
	struct s3_store *store;
	struct object_request *request;
	struct s3_call call;
	char key[S3_KEY_SIZE];
	/* Among those that put and remove; `go` waits for a removal. */
	struct s3_errand *next, *previous;
	void (*go)(struct s3_errand *errand);
	bool is_in_turn, is_removal;
	/* marker.c's */
	char marker[S3_KEY_SIZE + sizeof(S3_MARKERS)];
	struct s3_timer timer;
	void (*again)(struct s3_errand *errand);
	void (*finish)(struct s3_errand *errand, const struct s3_verdict *verdict);
	struct s3_verdict verdict;
	int64_t marked_us; /* when it was put, or first looked for; monotonic */
	unsigned rounds;
	bool has_seen_marker;
};

/* A zeroed errand of `size` bytes, whose `run` is called by the thread; the request fails if there
 * is no memory. Any thread. */
void s3_answer_post(struct s3_store *store, struct object_request *request, size_t size,
		    void (*run)(struct s3_post *post));
/* Calls `go` now, or after the removals of the same object that are under way. */
void s3_answer_take_turn(struct s3_errand *errand, void (*go)(struct s3_errand *errand));
/* Begins a removal. False: the object is being put. */
bool s3_answer_removes(struct s3_errand *errand);
/* Ends the request with `verdict`. The errand is the caller's to free. */
void s3_answer(struct s3_errand *errand, const struct s3_verdict *verdict);
/* The errand of a call. */
struct s3_errand *s3_answer_errand(struct s3_call *call);

#endif
