/* Shared by the contract tests: a fresh backend in its own folder with a clock that the test moves,
 * and operations in one line. */
#ifndef STEADYCACHE_TEST_CONTRACT_SUPPORT_H
#define STEADYCACHE_TEST_CONTRACT_SUPPORT_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "backends/d1/settings.h"
#include "backends/dynamodb/settings.h"
#include "backends/redis/settings.h"
#include "backends/sqlite/sqlite.h"
#include "store/find.h"
#include "tests/support/temp_dir.h"

/* Where the clock of every test starts. */
#define START_US INT64_C(1700000000000000)

/* The namespace that the short forms below use. */
#define NS SLICE("n")

#define KIB 1024
#define MIB (1024 * 1024)

struct fixture {
	struct backend *backend;
	const struct backend_ops *ops;
	unsigned bits;                /* the backend's */
	bool is_bare;                 /* bits were taken from it */
	struct backend_config config; /* a test may change it before fixture_reopen */
	struct d1_config d1;
	struct dynamodb_config dynamodb;
	struct redis_config redis;
	struct cache_clock clock;
	_Atomic int64_t now_us;
	struct temp_dir dir;
	bool persists;  /* entries and settings exist again after a reopen */
	bool is_slow;   /* writes wait for a disk: use fewer of them */
	bool is_remote; /* it is the D1 Worker: use still fewer, and smaller ones */
	bool is_far;    /* it is DynamoDB: the same */
	size_t key_max; /* how long the keys are that a test may use */
	bool is_tiered; /* a near cache is in front: it hides uses, and shows evicted entries */
	bool is_large;  /* the bytes of all values are objects in a directory */
	bool limits_namespaces; /* it enforces config.max_namespaces */
};

/* What all tests of a file need of a backend (enum backend_bits), if it is defined before this file
 * is included. */
#ifndef CONTRACT_NEEDS
#define CONTRACT_NEEDS 0
#endif

/* A test that runs once for each backend of the registry that keeps anything and has the bits that
 * the test needs, or only for the one that STEADYCACHE_TEST_BACKEND names; each without and with a
 * near cache in front; sqlite also with values in memory, and memory also as a backend that can do
 * nothing that takes a bit; or, if STEADYCACHE_TEST_LARGE is set, each
 * once, with a store for large values that has all values. Its body has `struct fixture *f`. */
#define CONTRACT_TEST(suite, name) CONTRACT_TEST_OF(0, suite, name)
#define CONTRACT_TEST_OF(needs, suite, name)                                                       \
	static void suite##_##name##_body(struct fixture *f);                                      \
	ParameterizedTestParameters(suite, name)                                                   \
	{                                                                                          \
		return contract_backends();                                                        \
	}                                                                                          \
	ParameterizedTest(struct contract_backend *backend, suite, name, .timeout = 120)           \
	{                                                                                          \
		contract_run(backend, (needs) | CONTRACT_NEEDS, suite##_##name##_body);            \
	}                                                                                          \
	static void suite##_##name##_body(struct fixture *f)

struct contract_backend {
	size_t index;   /* in backend_registry */
	bool is_tiered; /* with a near cache in front */
	bool is_large;  /* with a store of objects that has the bytes of all values */
	struct sqlite_settings sqlite;
	bool is_bare; /* without any of BACKEND_WHOLE */
};

struct criterion_test_params contract_backends(void);
/* Runs `body`, or skips it if the backend lacks any of `needs`. */
void contract_run(const struct contract_backend *backend, unsigned needs,
		  void (*body)(struct fixture *f));

/* The most items of one SET, if `count` are wanted. */
size_t batch_of(const struct fixture *f, size_t count);

/* Whether it has EXPIRE, a CLEAR that drops, and the settings that came with these. */
static inline bool knows_expire(const struct fixture *f)
{
	return f->backend->ops->expire != NULL;
}

/* How often to do something: `usual` times, `slow` times, or a part of that if the backend is
 * remote. */
unsigned rounds_of(const struct fixture *f, unsigned usual, unsigned slow);

/* Closes the backend and opens it again, in the same folder, with f->config. */
void fixture_reopen(struct fixture *f);

void advance_us(struct fixture *f, int64_t us);
void advance_s(struct fixture *f, int64_t s);

/* A key or value from a format; in static storage of this thread, valid for the next eight
 * calls. */
struct slice text(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct cache_value *make_value(struct slice bytes);
/* `len` bytes that differ from those of another `seed`; the caller frees them. */
struct slice make_bytes(size_t len, unsigned seed);
void free_bytes(struct slice bytes);

/* What an entry made by the functions here counts against the limit; and the declared size with
 * which it counts `used_bytes`. */
uint64_t used_by(struct slice key, uint64_t size_bytes);
uint64_t size_using(struct slice key, uint64_t used_bytes);

/* An item to set, with TTL_DEFAULT. set_item releases its value. */
struct cache_item item_of(struct slice key, struct slice value);
/* Sets `item` in `ns` and releases its value; the result is in item->status and item->created. */
enum cache_status set_item(struct fixture *f, struct slice ns, struct cache_item *item);

/* In the namespace NS: */
enum cache_status set(struct fixture *f, struct slice key, struct slice value);
enum cache_status set_sized(struct fixture *f, struct slice key, uint64_t size_bytes);
/* The same, with the declared size with which the entry counts `used_bytes` against the limit. */
enum cache_status set_used(struct fixture *f, struct slice key, uint64_t used_bytes);
enum cache_status set_with_ttl(struct fixture *f, struct slice key, struct slice value,
			       int64_t ttl_s);
enum cache_status set_if(struct fixture *f, struct slice key, struct slice value,
			 struct cache_condition condition);
/* A reference, or NULL. */
struct cache_value *get(struct fixture *f, struct slice key);
struct cache_value *get_untouched(struct fixture *f, struct slice key);
bool holds(struct fixture *f, struct slice key, struct slice value); /* does not count as a use */
void use(struct fixture *f, struct slice key, unsigned times);
bool exists(struct fixture *f, struct slice key);
enum cache_status delete_key(struct fixture *f, struct slice key);
enum cache_status delete_if(struct fixture *f, struct slice key, struct cache_condition condition);
struct namespace_stats stats(struct fixture *f);
void clear(struct fixture *f, struct slice prefix);

struct namespace_stats stats_of(struct fixture *f, struct slice ns);
size_t namespace_count(struct fixture *f);

enum cache_status configure(struct fixture *f, unsigned mask, struct namespace_settings settings);
void set_max_size(struct fixture *f, uint64_t bytes);
void set_capacity(struct fixture *f, int64_t capacity);
void set_policy(struct fixture *f, enum eviction_policy policy);

/* Lists NS; the caller deinits the op. */
void scan(struct fixture *f, struct cache_op *op, struct slice prefix, const struct slice *after,
	  size_t limit);

/* Sleeps a moment between two checks of something that happens in the background; false once the
 * test has waited too long. `*waited_ms` starts at 0. */
bool wait_a_moment(unsigned *waited_ms);

/* Pseudo-random numbers, the same in every run. */
uint32_t next_random(uint64_t *state);

#endif
