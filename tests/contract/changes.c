/* What a backend tells of changes (backend_config.changed): in order, all of them, and nothing
 * else. Of a store on another server that is what was done through it. */
#include "tests/contract/support.h"

#include <pthread.h>
#include <stdio.h>

#define TOLD_MAX          200000
#define KEY_BYTES         24
#define WORKERS           4
#define KEYS              40
#define CHANGES_PER_ROUND 10

static struct told {
	enum cache_change_kind kind;
	char key[KEY_BYTES];
	size_t key_len;
} told[TOLD_MAX];
static size_t told_count;
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint wanted;

static void note(void *user, const struct cache_change *change)
{
	(void)user;
	(void)pthread_mutex_lock(&told_lock);
	if (told_count < TOLD_MAX && change->key.len < KEY_BYTES &&
	    (slice_equal(change->ns, NS) || change->kind == CHANGE_MISSED)) {
		struct told *one = &told[told_count++];

		*one = (struct told){.kind = change->kind, .key_len = change->key.len};
		if (change->key.len > 0)
			memcpy(one->key, change->key.data, change->key.len);
	}
	(void)pthread_mutex_unlock(&told_lock);
}

/* What was told, such as "set a, delete a". */
static const char *told_text(void)
{
	static const char *const names[] = {
		[CHANGE_SET] = "set",     [CHANGE_DELETE] = "delete", [CHANGE_EXPIRE] = "expire",
		[CHANGE_EVICT] = "evict", [CHANGE_CLEAR] = "clear",   [CHANGE_MISSED] = "missed",
	};
	static char shown[2000];
	size_t len = 0;

	shown[0] = '\0';
	(void)pthread_mutex_lock(&told_lock);
	for (size_t i = 0; i < told_count && len < sizeof(shown) - 100; i++)
		len += (size_t)snprintf(shown + len, sizeof(shown) - len, "%s%s %.*s",
					i > 0 ? ", " : "", names[told[i].kind],
					(int)told[i].key_len, told[i].key);
	(void)pthread_mutex_unlock(&told_lock);
	return shown;
}

/* Opens the backend again, with somebody who listens. One that hears of other servers says first
 * that it did not hear what was before. */
static void listen_to(struct fixture *f)
{
	unsigned waited_ms = 0;

	told_count = 0;
	atomic_store(&wanted, 1);
	f->config.changed = note;
	f->config.changes_wanted = &wanted;
	fixture_reopen(f);
	if (!(f->bits & BACKEND_NEWS))
		return;
	(void)exists(f, SLICE("a"));
	while (strcmp(told_text(), "missed ") != 0 && wait_a_moment(&waited_ms))
		;
	cr_assert_str_eq(told_text(), "missed ");
	told_count = 0;
}

/* Whether `key` is there after all that was told, as far as that says; 0 or 1, or -1. */
static int is_said_to_be(struct slice key)
{
	int is_there = 0;

	(void)pthread_mutex_lock(&told_lock);
	for (size_t i = 0; i < told_count; i++) {
		const struct slice about = {told[i].key, told[i].key_len};

		if (told[i].kind == CHANGE_MISSED)
			is_there = -1;
		else if (told[i].kind == CHANGE_CLEAR)
			is_there = slice_starts_with(key, about) ? 0 : is_there;
		else if (slice_equal(key, about))
			is_there = told[i].kind == CHANGE_SET;
	}
	(void)pthread_mutex_unlock(&told_lock);
	return is_there;
}

/* A value is told of before the answer, or soon after it. */
static void expect_told(const char *expected)
{
	unsigned waited_ms = 0;

	while (strcmp(told_text(), expected) != 0 && waited_ms < 2000 && wait_a_moment(&waited_ms))
		;
	cr_assert_str_eq(told_text(), expected);
}

/* A clear of a part of a namespace, in a Redis Cluster, is told as changes that were missed, even
 * of the only part. */
static void expect_told_either(struct fixture *f, const char *clear, const char *missed)
{
	unsigned waited_ms = 0;

	while (strcmp(told_text(), clear) != 0 && strcmp(told_text(), missed) != 0 &&
	       waited_ms < 2000 && wait_a_moment(&waited_ms))
		;
	cr_assert(strcmp(told_text(), clear) == 0 ||
			  ((f->bits & BACKEND_NEWS) && strcmp(told_text(), missed) == 0),
		  "told: %s", told_text());
}

CONTRACT_TEST(changes, are_told_in_order)
{
	struct cache_item items[2];
	struct cache_op op;

	listen_to(f);
	(void)set(f, SLICE("a"), SLICE("1"));
	(void)set(f, SLICE("a"), SLICE("2"));
	(void)exists(f, SLICE("a"));
	(void)delete_key(f, SLICE("a"));
	(void)delete_key(f, SLICE("a"));
	expect_told("set a, set a, delete a");
	/* The parts of a namespace have no order, and only all of them together are cleared. */
	if (!(f->bits & BACKEND_ATOMIC_BATCH))
		return;
	items[0] = item_of(SLICE("b"), SLICE("1"));
	items[1] = item_of(SLICE("c"), SLICE("1"));
	cache_op_init(&op, CACHE_OP_SET);
	op.ns = NS;
	op.items = items;
	op.item_count = 2;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cache_op_deinit(&op);
	for (size_t i = 0; i < 2; i++)
		cache_value_release(items[i].value);
	expect_told("set a, set a, delete a, set b, set c");
	clear(f, (struct slice){0});
	expect_told_either(f, "set a, set a, delete a, set b, set c, clear ",
			   "set a, set a, delete a, set b, set c, missed ");
}

CONTRACT_TEST_OF(BACKEND_CONDITIONS, changes, what_is_refused_is_not_told)
{
	const struct cache_condition absent = {.kind = CONDITION_ABSENT};

	listen_to(f);
	(void)set_if(f, SLICE("a"), SLICE("1"), absent);
	(void)set_if(f, SLICE("a"), SLICE("2"), absent);
	expect_told("set a");
}

CONTRACT_TEST(changes, nothing_is_told_while_nobody_listens)
{
	listen_to(f);
	atomic_store(&wanted, 0);
	(void)set(f, SLICE("a"), SLICE("1"));
	(void)delete_key(f, SLICE("a"));
	atomic_store(&wanted, 1);
	(void)set(f, SLICE("b"), SLICE("1"));
	cr_assert(strstr(told_text(), "set b"), "told: %s", told_text());
	cr_assert_null(strstr(told_text(), " a"), "told: %s", told_text());
}

CONTRACT_TEST_OF(BACKEND_PREFIX_CLEAR, changes, what_is_cleared_by_prefix_is_gone)
{
	listen_to(f);
	(void)set(f, SLICE("ab"), SLICE("1"));
	(void)set(f, SLICE("ac"), SLICE("1"));
	(void)set(f, SLICE("b"), SLICE("1"));
	clear(f, SLICE("a"));
	/* Of a part of the namespace it is not known. */
	if (!(f->bits & BACKEND_ATOMIC_BATCH) ||
	    ((f->bits & BACKEND_NEWS) && strstr(told_text(), "missed"))) {
		cr_expect_neq(is_said_to_be(SLICE("ab")), 1, "told: %s", told_text());
		return;
	}
	cr_assert(strstr(told_text(), "set b, clear a"), "told: %s", told_text());
	cr_expect_eq(is_said_to_be(SLICE("ab")), 0);
	cr_expect_eq(is_said_to_be(SLICE("ac")), 0);
	cr_expect_eq(is_said_to_be(SLICE("b")), 1);
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, changes, evictions_are_told_before_the_set)
{
	if (f->bits & BACKEND_REMOTE)
		cr_skip("the other server tells nothing of them");
	listen_to(f);
	set_policy(f, EVICT_FIFO);
	set_capacity(f, 2);
	for (unsigned i = 0; i < 3; i++) {
		advance_s(f, 1);
		(void)set(f, text("%u", i), SLICE("1"));
	}
	expect_told("set 0, set 1, evict 0, set 2");
	set_capacity(f, 1);
	expect_told("set 0, set 1, evict 0, set 2, evict 1");
	set_capacity(f, 0);
	expect_told("set 0, set 1, evict 0, set 2, evict 1, evict 2");
}

CONTRACT_TEST(changes, expirations_are_told)
{
	unsigned waited_ms = 0;

	if (f->bits & BACKEND_REMOTE)
		cr_skip("the other server tells nothing of them");
	listen_to(f);
	(void)set_with_ttl(f, SLICE("a"), SLICE("1"), 10);
	(void)set_with_ttl(f, SLICE("b"), SLICE("1"), 100);
	advance_s(f, 11);
	while (strcmp(told_text(), "set a, set b, expire a") != 0 && wait_a_moment(&waited_ms))
		;
	cr_assert_str_eq(told_text(), "set a, set b, expire a");
	cr_assert_eq(delete_key(f, SLICE("a")), CACHE_NOT_FOUND);
	(void)set(f, SLICE("a"), SLICE("1"));
	cr_assert(strstr(told_text(), "expire a, set a"), "told: %s", told_text());
}

CONTRACT_TEST(changes, another_time_to_live_is_told_as_a_set)
{
	struct cache_op op;

	if (!f->ops->expire)
		cr_skip("it knows no EXPIRE");
	listen_to(f);
	(void)set(f, SLICE("a"), SLICE("1"));
	cache_op_init(&op, CACHE_OP_EXPIRE);
	op.ns = NS;
	op.one.key = SLICE("a");
	op.one.ttl_s = 100;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	op.one.key = SLICE("b");
	cr_assert_eq(backend_call(f->backend, &op), CACHE_NOT_FOUND);
	cache_op_deinit(&op);
	expect_told("set a, set a");
	cache_op_init(&op, CACHE_OP_CLEAR);
	op.ns = NS;
	op.drop = true;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cache_op_deinit(&op);
	cr_expect_neq(is_said_to_be(SLICE("a")), 1, "told: %s", told_text());
}

/* ---- Many at once ---- */

struct worker {
	struct fixture *f;
	unsigned rounds;
	uint64_t random;
};

/* The workers, and who looks at what they have done. */
static pthread_barrier_t barrier;

static void change_something(struct fixture *f, uint32_t random)
{
	char name[KEY_BYTES];
	struct slice key = {.data = name,
			    .len = (size_t)snprintf(name, sizeof(name), "%u/%u", random % 4,
						    random / 4 % (KEYS / 4))};

	switch (random >> 8 & 31) {
	case 0:
		clear(f, (struct slice){0});
		break;
	case 1:
	case 2:
		if (f->bits & BACKEND_PREFIX_CLEAR)
			clear(f, (struct slice){.data = name, .len = 2});
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		(void)delete_key(f, key);
		break;
	default:
		(void)set_with_ttl(f, key, SLICE("1"), random >> 16 & 1 ? 1000 : TTL_DEFAULT);
		break;
	}
}

/* Some changes, again and again; between them all stand still. */
static void *change_much(void *user)
{
	struct worker *worker = user;

	for (unsigned round = 0; round < worker->rounds; round++) {
		for (unsigned i = 0; i < CHANGES_PER_ROUND; i++)
			change_something(worker->f, next_random(&worker->random));
		(void)pthread_barrier_wait(&barrier);
		(void)pthread_barrier_wait(&barrier);
	}
	return NULL;
}

/* Keys of which another thing is said than is true. */
static unsigned count_errors(struct fixture *f)
{
	unsigned errors = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		struct slice key = text("%u/%u", i % 4, i / 4);

		int said = is_said_to_be(key);

		errors += said == -1 ? !(f->bits & BACKEND_REMOTE) : said != exists(f, key);
	}
	return errors;
}

/* Whoever follows what is told has the same keys whenever all is quiet. */
CONTRACT_TEST(changes, who_follows_them_agrees)
{
	unsigned rounds = rounds_of(f, 150, 15), others = rounds_of(f, 3000, 0), errors = 0;
	struct worker workers[WORKERS];
	pthread_t threads[WORKERS];

	listen_to(f);
	/* A near cache shows what is evicted behind it. */
	if (!(f->bits & BACKEND_REMOTE) && !f->is_tiered && f->bits & BACKEND_LIMITS)
		set_capacity(f, others + KEYS / 2);
	/* A clear has to look at many entries: others come in between. */
	for (unsigned i = 0; i < others; i++)
		(void)set(f, text("other %u", i), SLICE("1"));
	cr_assert_eq(pthread_barrier_init(&barrier, NULL, WORKERS + 1), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){.f = f, .rounds = rounds, .random = i + 1};
		cr_assert_eq(pthread_create(&threads[i], NULL, change_much, &workers[i]), 0);
	}
	for (unsigned round = 0; round < rounds; round++) {
		(void)pthread_barrier_wait(&barrier);
		errors += count_errors(f);
		(void)pthread_barrier_wait(&barrier);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_barrier_destroy(&barrier);
	cr_expect_eq(errors, 0, "%u keys were said to be where they were not, or not to be",
		     errors);
}
