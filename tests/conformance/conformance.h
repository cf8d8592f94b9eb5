/* The conformance suite: what /api and the REST API promise, tested over HTTP on any server.
 *
 * The environment names the server, and only its answers are examined:
 *     STEADYCACHE_URL            e.g. http://127.0.0.1:8080
 *     STEADYCACHE_API_KEY        its key, if it requires one
 *     STEADYCACHE_LACKS          features that this implementation lacks, comma-separated
 *                                (see below); none by default
 *     STEADYCACHE_TEST_MAX_BODY  its limit for bodies in bytes, if it is known
 *     STEADYCACHE_TEST_PARTITIONS
 *                                the parts of a namespace that its limits are shared out to; 1 by
 *                                default
 *
 * Every test has its own namespace, cleared before and after. JSON is written with single quotes
 * instead of double ones: d1("get", "'key':'k'") sends {"cache_name":"<ns>","key":"k"}. */
#ifndef STEADYCACHE_CONFORMANCE_H
#define STEADYCACHE_CONFORMANCE_H

#include <criterion/criterion.h>

#include "tests/support/http_client.h"
#include "tests/support/raw_socket.h"
#include "tests/support/threads.h"

#define SUITE_TIMEOUT_S 120

/* A suite whose tests have `client` and `ns`. */
#define CONFORMANCE_SUITE(name)                                                                    \
	TestSuite(name, .init = conformance_open, .fini = conformance_close,                       \
		  .timeout = SUITE_TIMEOUT_S)

void conformance_open(void);
void conformance_close(void);

extern struct http_client *client; /* with the key */
extern const char *server_url;
extern const char *api_key; /* NULL: the server requires none */
extern char ns[65];         /* the test's own namespace */

/* Skips the test if STEADYCACHE_LACKS names `feature` (speed: see rounds_of):
 *     openapi          the description of the API, and the server's limits
 *     basic            the token as the password of HTTP Basic
 *     raw              an HTTP parser of its own, tested over raw sockets
 *     dot-segments     "." and ".." in paths that nobody resolves
 *     unknown-methods  405 for methods that HTTP does not define
 *     large-values     values beyond 1.4 MB
 *     eviction         eviction by frecency
 *     single-flight    waiting for values, and leases
 *     export           GET /export and POST /import
 *     watch            GET /watch/{ns}
 *     request-id       X-Request-Id in answers
 *     log-level        GET and PUT /admin/log-level
 *     pickle           POST /pickle
 *     headers          headers that are kept with a value, and answers that are decoded
 *     zstd             ... also if they are encoded with zstd
 *     request-figures  what /stats reports of requests and connections
 *     one-server       uses, hits and settings that the next request sees: of a fleet each server
 *                      counts its own hits, and has collected uses for up to a second
 *     exact-eviction   limits and an order of eviction of the whole namespace: several partitions
 *                      have a share and an order each
 *     atomic-batches   batches that store all or nothing: several partitions do so each
 *     facades          the paths of Turborepo and Nx
 *     webdav           PROPFIND and MKCOL
 *     expire           another time to live without the value, and namespaces that are dropped
 *     limits           of size and capacity, and so eviction
 *     uses             GETs that count as uses
 *     large-batches    of more than 100 items to store
 *     long-keys        of more than 1,000 bytes
 *     mebibyte-values  values of 400 KB and more */
void requires_feature(const char *feature);
bool lacks_feature(const char *feature);
/* How often to repeat something to meet a race or to fill a cache: a quarter of `usual` if the
 * implementation lacks speed. */
unsigned rounds_of(unsigned usual);
/* STEADYCACHE_TEST_PARTITIONS: an entry may take 1/partitions() of a limit. */
unsigned partitions(void);

/* The formatted text, with the single quotes of `format` turned into double ones; inserted text is
 * unchanged. In static storage of the thread, valid for 60 further calls. */
const char *quoted(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `text` with its single quotes turned into double ones. Storage as with quoted(). */
const char *requoted(const char *text);

/* "/cache/{ns}/{encoded key}"; the key is inserted unchanged. Storage as with quoted(). */
const char *entry_path(const char *encoded_key);
/* "/cache/{ns}{rest}" */
const char *ns_path(const char *rest);

/* POST /api/{endpoint} with {"cache_name":ns, members}. */
const struct http_answer *d1(const char *endpoint, const char *members, ...)
	__attribute__((format(printf, 2, 3)));
/* POST /batch/{ns}/{endpoint} with {members}. */
const struct http_answer *batch(const char *endpoint, const char *members, ...)
	__attribute__((format(printf, 2, 3)));
/* PUT /cache/{ns} with {members}. */
const struct http_answer *configure(const char *members, ...) __attribute__((format(printf, 1, 2)));

/* Shorthands with their expectations. */
void must_set(const char *key, const char *value);                   /* /api/set */
void must_set_sized(const char *key, size_t value_len, size_t size); /* a value of x's */
bool must_exist_or_not(const char *key);                             /* /api/exists */
/* What an entry counts against the limit besides its value: key, content type, and the fixed
 * overhead; for one set through /api, and one put without a content type. */
#define TEXT_ENTRY_USED(key)  (strlen(key) + strlen("text/plain; charset=utf-8") + 128)
#define BYTES_ENTRY_USED(key) (strlen(key) + strlen("application/octet-stream") + 128)
/* Sets an entry through /api that counts `used_bytes`. */
void must_set_used(const char *key, size_t used_bytes);

/* max_size_bytes of the namespace, through /api/init. */
void must_init_bytes(unsigned max_size_bytes);
/* A member of /api/stats as a number. */
double d1_stat(const char *name);
/* `member` of the listing's entry for `key` as a number; fails if there is no such entry. */
double listed_number(const char *key, const char *member);
/* Expects the answer's JSON body to be exactly `expected` (single quotes for double ones). */
#define expect_json_text(answer, expected) expect_body(answer, slice_of(requoted(expected)))

/* An answer of /api: JSON of the right type. */
#define expect_d1(answer, status_, expected)                                                       \
	do {                                                                                       \
		const struct http_answer *d1_ = (answer);                                          \
		expect_status(d1_, status_);                                                       \
		expect_header(d1_, "Content-Type", "application/json; charset=UTF-8");             \
		expect_body(d1_, slice_of(requoted(expected)));                                    \
	} while (0)

/* {"error":"..."} that mentions `word`. */
#define expect_d1_error(answer, status_, word)                                                     \
	do {                                                                                       \
		const struct http_answer *error_ = (answer);                                       \
		expect_status(error_, status_);                                                    \
		expect_header(error_, "Content-Type", "application/json; charset=UTF-8");          \
		expect_that(error_, error_mentions(answer_, word, false),                          \
			    "expected {\"error\":...} that mentions %s", word);                    \
	} while (0)

/* A problem document for `status` whose detail mentions `word`. */
#define expect_problem(answer, status_, word)                                                      \
	do {                                                                                       \
		const struct http_answer *problem_ = (answer);                                     \
		expect_status(problem_, status_);                                                  \
		expect_header(problem_, "Content-Type", "application/problem+json");               \
		expect_that(problem_, error_mentions(answer_, word, true),                         \
			    "expected a problem document that mentions \"%s\"", word);             \
	} while (0)

bool error_mentions(const struct http_answer *answer, const char *word, bool problem);

/* True if the comma-separated header value contains `token` (as in Allow). */
bool list_holds(const char *list, const char *token);

/* The challenge of a scheme in WWW-Authenticate, whose challenges have a line each or share one
 * (RFC 9110, 11.6.1), until the next call; NULL: there is none. */
const char *challenge_of(const struct http_answer *answer, const char *scheme);
#define expect_challenge(answer, scheme, wanted)                                                   \
	do {                                                                                       \
		const struct http_answer *refused_by_ = (answer);                                  \
		expect_that(refused_by_,                                                           \
			    http_text_equal(challenge_of(refused_by_, scheme), wanted),            \
			    "expected the challenge %s", wanted);                                  \
	} while (0)

/* The key of `len` bytes with all but letters and digits percent-encoded; to be freed. */
char *percent_encode(struct slice bytes);

#endif
