/* A job: one operation on its way to the upstream.
 *
 * A job is made on the submitting thread and then belongs to the I/O thread. An op may time out
 * while its request is in flight: `op` is then NULL and the job keeps its locks (locks.h) until the
 * upstream is done with whatever it may still be doing. */
#ifndef STEADYCACHE_REMOTE_JOB_H
#define STEADYCACHE_REMOTE_JOB_H

#include "store/backend.h"

struct remote_job {
	struct cache_op *op;               /* NULL: completed already */
	struct remote_job *next;           /* in the list that it is in */
	struct remote_job *twins;          /* equal gets, answered with this one */
	struct remote_job *in_bucket;      /* next in the plan's bucket */
	struct remote_job *grouped;        /* belongs to the dialect, while a request is written and
					    * read */
	int64_t submitted_us, deadline_us; /* monotonic */
	size_t item_count;
	size_t size_bytes; /* roughly its part of a request */
	bool is_write;
	bool is_idempotent;
	bool is_single_read;   /* GET, EXISTS of one key */
	bool covers_namespace; /* CLEAR, CONFIGURE: a write of all its keys */
	/* Who is told of the changes that it makes; NULL: they are not told. */
	const struct backend_config *config;
	bool is_sent;         /* some of its request was, or may have been */
	bool is_uncertain;    /* it failed, and the upstream may have done it, or still do it */
	char *uncertain_ns;   /* malloc'ed: where; NULL: there was no memory */
	uint64_t ns_hash;     /* of the namespace, and of the op's part of it */
	uint64_t key_hash;    /* includes the namespace; of one item */
	uint64_t *key_hashes; /* of several, if it is a write; else NULL */
};

struct remote_job_list {
	struct remote_job *first, **last;
	size_t count;
};

/* NULL: out of memory. The deadline is `timeout_us` after `now_us`, or sooner if the op
 * has less patience. */
struct remote_job *remote_job_create(struct cache_op *op, int64_t now_us, int64_t timeout_us);
/* Frees the job and its twins; their ops must have been completed. */
void remote_job_free(struct remote_job *job);

/* Completes the ops of this job and its twins that are not completed yet. The items of the op have
 * their statuses and values; twins get the same. */
void remote_job_succeed(struct remote_job *job);
/* The same for a failure of the whole, with a sentence (static or as long-lived as the backend; may
 * be NULL). */
void remote_job_fail(struct remote_job *job, enum cache_status status, const char *detail,
		     unsigned retry_after_s);

/* Completes those ops of this job and its twins whose time is over at `now_us`, with `sentence`,
 * and adds their number to *expired. As long as any twin's op is left, job->op is one. Returns the
 * earliest deadline of those left, INT64_MAX if none is. */
int64_t remote_job_expire(struct remote_job *job, int64_t now_us, const char *sentence,
			  uint64_t *expired);

/* Moves the deadlines of this job and its twins up to `limit_us`, if they are later. */
void remote_job_hurry(struct remote_job *job, int64_t limit_us);

void remote_job_list_init(struct remote_job_list *list);
void remote_job_list_push(struct remote_job_list *list, struct remote_job *job);
struct remote_job *remote_job_list_pop(struct remote_job_list *list);

#endif
