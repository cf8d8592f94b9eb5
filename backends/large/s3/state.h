/* A store in S3 as a whole. Only for the files of this folder. */
#ifndef STEADYCACHE_LARGE_S3_STATE_H
#define STEADYCACHE_LARGE_S3_STATE_H

#include <stdatomic.h>

#include "backends/aws/credentials.h"
#include "backends/large/object_store.h"
#include "backends/large/s3/io.h"
#include "backends/large/s3/url.h"
#include "backends/remote/breaker.h"
#include "backends/remote/details.h"

/* X(id, name, help): what is counted. */
#define S3_COUNTER_MAP(X)                                                                          \
	X(REQUESTS, "requests", "Requests to the object store, tries counted one by one.")         \
	X(RETRIES, "retries", "Of them, further tries.")                                           \
	X(PUTS, "puts", "Objects put.")                                                            \
	X(REMOVALS, "removals", "Objects removed.")                                                \
	X(SENT, "sent_bytes", "Bytes of objects sent.")                                            \
	X(RECEIVED, "received_bytes", "Bytes of objects received.")                                \
	X(CONTINUED, "downloads_continued",                                                        \
	  "Downloads that went on by a further request, after a break or for a slow reader.")      \
	X(DAMAGED, "damaged", "Objects whose bytes were missing or not those of their name.")      \
	X(ABORTED, "uploads_aborted", "Unfinished uploads in parts that were removed.")            \
	X(OPENED, "breaker_opened", "How often the breaker opened.")

enum s3_counter {
#define X(id, name, help) S3_COUNT_##id,
	S3_COUNTER_MAP(X)
#undef X
		S3_COUNTERS
};

struct s3_store {
	struct object_store store; /* first: the layer has a pointer to it */
	struct s3_url url;
	char *ca_file;
	struct aws_credentials *credentials;
	int64_t timeout_us;
	struct s3_io io;

	/* The thread's. */
	struct remote_breaker breaker;
	struct s3_timer probe_timer;
	struct remote_details details;
	int64_t hurry_until_us;         /* INT64_MAX: the process goes on */
	int64_t leftovers_at_us;        /* when they are looked for next */
	struct s3_call *first_call;     /* all that have not ended */
	struct s3_errand *first_errand; /* that put and remove */
	struct s3_post hurry, end;      /* what other threads ask for */
	struct s3_timer end_timer;
	int64_t end_until_us;

	/* Written by the thread, read by all. */
	_Atomic uint64_t counters[S3_COUNTERS];
	_Atomic uint64_t failures[FAILURE_KINDS];
	atomic_uint in_flight, waiting, readers, breaker_state;
};

static inline void s3_count(struct s3_store *store, enum s3_counter counter, uint64_t by)
{
	(void)atomic_fetch_add_explicit(&store->counters[counter], by, memory_order_relaxed);
}

#endif
