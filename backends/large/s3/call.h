/* A request of S3 with its retries, behind the breaker. The thread of io.h.
 *
 *   start ──▶ in line, in flight ──▶ verdict ──▶ done
 *     ▲                                │ may be tried again
 *     └────────── back-off ◀───────────┘
 *
 * While the breaker is open a call ends at once, unless it `is_patient`: one whose earlier parts
 * have succeeded waits for the store to come back, as long as its time lasts. */
#ifndef STEADYCACHE_LARGE_S3_CALL_H
#define STEADYCACHE_LARGE_S3_CALL_H

#include "backends/large/s3/state.h"

#define S3_TRIES 4

struct s3_call {
	/* In. What is a pointer must last until `done`. */
	const char *method;
	const char *key;     /* NULL: the bucket */
	struct buffer query; /* encoded; freed by the call when it ends */
	/* Appends further header lines, each ended by a NUL, for this try. NULL: there are none. */
	void (*add_headers)(struct s3_call *call, struct buffer *lines);
	const char *payload_hash; /* NULL: that of nothing */
	int file;                 /* a body of `len` bytes from `from` on; -1: `body` */
	uint64_t from, len;
	struct slice body;
	bool has_xml;       /* a 2xx answers with XML */
	bool is_patient;    /* may change during a call */
	bool is_probe;      /* is sent through an open breaker, once */
	bool is_long;       /* the time of the store is for inactivity, not for the whole */
	int64_t timeout_us; /* 0: the store's */
	/* As those of an exchange; NULL. */
	bool (*receive)(struct s3_call *call, struct slice bytes);
	void (*yield)(struct s3_call *call);
	/* The end: `verdict`, in it the answer. May start it again, or free it. */
	void (*done)(struct s3_call *call, const struct s3_verdict *verdict);
	void *user;

	/* Own; zeroed. */
	struct s3_store *store;
	struct s3_call *next, *previous;
	struct s3_exchange exchange;
	struct s3_timer timer;
	struct s3_verdict last; /* of the previous try */
	const char *refusal;    /* why it could not be sent */
	unsigned tries;
	int64_t until_us; /* the whole of it; of a long one: the next byte */
	bool is_under_way;
};

/* The caller has zeroed the call and filled what is in; a call that has ended may be started again.
 * `done` comes later. */
void s3_call_start(struct s3_store *store, struct s3_call *call);
/* Ends it without `done`; not from within its `receive`. */
void s3_call_cancel(struct s3_call *call);
/* Ends all, and those that they start when they end: store->hurry_until_us is over. */
void s3_call_end_all(struct s3_store *store);
/* Bytes arrived: tries and time begin anew. */
void s3_call_progress(struct s3_call *call);
/* A failure of the download that only its receiver saw. */
void s3_call_count(struct s3_call *call, const struct s3_verdict *verdict);

#endif
