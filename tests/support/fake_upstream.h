/* An upstream of remote backends (backends/remote) in virtual time: a protocol, a transport that
 * does what a test says, a clock that advances only while the engine waits, and the engine itself,
 * whose turns the test takes. No thread, no socket: the same every time. */
#ifndef STEADYCACHE_TEST_FAKE_UPSTREAM_H
#define STEADYCACHE_TEST_FAKE_UPSTREAM_H

#include "backends/remote/details.h"
#include "backends/remote/engine.h"
#include "backends/remote/namespaces.h"
#include "backends/remote/settings.h"
#include "backends/remote/tally.h"
#include "tests/support/fake_protocol.h"

#define FAKE_SENT_MAX    16384
#define FAKE_REPLIES_MAX 64
#define FAKE_NOTICES_MAX 16

/* What happens to a request. Zeroed: it is served at once. */
struct fake_reply {
	int64_t delay_us;
	enum { FAKE_SERVES, FAKE_ANSWERS, FAKE_FAILS, FAKE_HANGS } what;
	long status;                 /* FAKE_ANSWERS; and `body` */
	const char *body;            /* NULL: empty */
	int64_t retry_after_s;       /* 0: none */
	enum remote_failure failure; /* FAKE_FAILS */
	bool was_served;             /* FAKE_FAILS: after it has executed the request */
	bool is_partial;             /* FAKE_FAILS: others of the upstream's servers answer */
};

/* A received request. */
struct fake_sent {
	int64_t at_us, ended_us; /* ended: 0 while it is in flight */
	char method[8], path[32];
	char *headers; /* lines with '\n' */
	char *body;
	char trace[32]; /* the request id */
	unsigned replies;
};

struct fake_upstream {
	struct remote_engine engine;
	struct remote_settings settings;
	struct backend_config config;
	struct remote_tally tally;
	struct remote_namespaces namespaces;
	struct remote_details details;

	int64_t now_us, until_us;
	size_t under_way, under_way_max; /* requests of work, without probes */

	struct fake_sent sent[FAKE_SENT_MAX];
	size_t sent_count;
	char *notices[FAKE_NOTICES_MAX];
	size_t notice_count;

	/* Its behaviour, set by a test. */
	bool lacks_new;           /* 404 for the first dialect */
	const char *sign_refusal; /* FAKE_PARTS cannot sign, for this reason */
	bool is_stream;           /* answers in the order of the requests, without a status */
	unsigned scan_pages;      /* requests that a scan takes */
	struct fake_reply (*choose)(void); /* NULL: fake_next and fake_always decide */

	struct fake_transport *transport;
};

/* Opens it: three retries, two requests at once, ten items a request, ten seconds an operation. A
 * test may change `settings` before the first turn. */
struct fake_upstream *fake_open(enum fake_kind kind);
/* Ends the engine, even with requests in flight. */
void fake_close(struct fake_upstream *fake);

/* From now on every request gets this reply. */
void fake_always(struct fake_upstream *fake, struct fake_reply reply);
/* The next `times` requests get this reply, after those of earlier calls. */
void fake_next(struct fake_upstream *fake, unsigned times, struct fake_reply reply);

/* Lets the engine take its turns for `us` of virtual time. */
void fake_run(struct fake_upstream *fake, int64_t us);

/* Whether nothing is in flight, waits, or is locked. */
bool fake_is_idle(struct fake_upstream *fake);

uint64_t fake_counter(const struct fake_upstream *fake, enum remote_counter counter);
uint64_t fake_failures(const struct fake_upstream *fake, enum remote_failure failure);

#endif
