/* Operations for the engine of remote backends over a fake upstream (fake_upstream.h), and a test's
 * expectations of them. There is one upstream and one list of operations at a time. */
#ifndef STEADYCACHE_TEST_ASKS_H
#define STEADYCACHE_TEST_ASKS_H

#include "tests/support/fake_upstream.h"

#define MS INT64_C(1000)
#define S  US_PER_S

#define ASKS_MAX 64

/* An op, and when it was done. */
struct ask {
	struct cache_op op;
	char key[16];
	int64_t done_us; /* 0: not yet */
};

extern struct fake_upstream *fake;
extern struct ask asks[ASKS_MAX];

/* Opens `fake`, and forgets the operations of the previous test. */
void ask_open(enum fake_kind kind);
/* Closes it. Every op must have been done, once. */
void ask_close(void);

/* Makes an op that is not submitted yet; `value` is that of a SET. */
struct ask *ask_make(enum cache_op_type type, const char *ns, const char *key, const char *value);
struct ask *ask_submit(struct ask *ask);
/* Of the namespace "n". */
struct ask *ask_get(const char *key);
struct ask *ask_set(const char *key, const char *value);
/* Of the keys "a", "b", ...; all values of a set are equal. */
struct ask *ask_batch(enum cache_op_type type, size_t count);
/* cache_op.done, of an op whose `user` is its ask. */
void ask_note_done(struct cache_op *op);

/* Expects that request number `i` was sent `after_us` the start of the test, with this body. */
void ask_expect_sent(size_t i, int64_t after_us, const char *body);
/* Expects that the op was done at that time, with this status. */
void ask_expect_done(const struct ask *ask, enum cache_status status, int64_t after_us);

/* The wait before try number attempt + 1, as the engine will draw it; *random is its state. */
int64_t ask_backoff_us(uint64_t *random, unsigned attempt);

extern const struct fake_reply ask_hangs, ask_fails_500, ask_refuses, ask_breaks_off;
struct fake_reply ask_serves_after(int64_t us);

#endif
