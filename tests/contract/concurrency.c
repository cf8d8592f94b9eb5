/* Many threads at once. Criterion's assertions are for the main thread: the other threads count
 * faults, and the test checks the sum. */
#include <pthread.h>
#include <stdio.h>

#include "tests/contract/support.h"

#define THREADS 8

struct worker {
	struct fixture *f;
	unsigned index;
	unsigned rounds;
	atomic_uint *failures;
	atomic_uint *winners;       /* of each round; NULL: none */
	pthread_barrier_t *barrier; /* before and after each round */
};

/* Runs `work` in all threads; returns how many faults they found. */
static unsigned run_threads(struct fixture *f, unsigned rounds, void *(*work)(void *),
			    atomic_uint *winners)
{
	pthread_t threads[THREADS];
	struct worker workers[THREADS];
	pthread_barrier_t barrier;
	atomic_uint failures = 0;

	(void)pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.f = f,
			.index = i,
			.rounds = rounds,
			.failures = &failures,
			.winners = winners,
			.barrier = &barrier,
		};
		cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_barrier_destroy(&barrier);
	return atomic_load(&failures);
}

static void count_failure(struct worker *worker, bool failed)
{
	if (failed)
		(void)atomic_fetch_add(worker->failures, 1);
}

/* clear(), whose assertion is not for these threads. */
static void clear_in_thread(struct worker *worker, struct slice prefix)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CLEAR);
	op.ns = NS;
	op.prefix = prefix;
	count_failure(worker, backend_call(worker->f->backend, &op) != CACHE_OK);
	cache_op_deinit(&op);
}

/* ---- Mixed load: a value is never another key's, nor half of one ---- */

#define SHARED_KEYS 64

/* "<key>:" and a length from the seed; each byte depends on key and seed. */
static struct slice checkable(char bytes[static 2048], unsigned key, unsigned seed)
{
	size_t at = (size_t)snprintf(bytes, 64, "%u:%u:", key, seed);
	size_t len = at + seed % 1500;
	uint64_t state = (uint64_t)key << 32 | seed;

	for (; at < len; at++)
		bytes[at] = (char)('a' + next_random(&state) % 26);
	return (struct slice){.data = bytes, .len = len};
}

static bool is_sound(struct slice value, unsigned key)
{
	char bytes[2048];
	unsigned found_key = 0;
	unsigned seed = 0;

	if (sscanf(text("%.*s", value.len < 63 ? (int)value.len : 63, value.data).data,
		   "%u:%u:", &found_key, &seed) != 2)
		return false;
	return found_key == key && slice_equal(value, checkable(bytes, key, seed));
}

static void *mix(void *arg)
{
	struct worker *worker = arg;
	uint64_t random = 77 + worker->index;
	char bytes[2048];

	for (unsigned i = 0; i < worker->rounds; i++) {
		unsigned key = next_random(&random) % SHARED_KEYS;
		unsigned dice = next_random(&random) % 10;

		if (dice < 4) {
			struct slice value = checkable(bytes, key, next_random(&random) % 100000);

			count_failure(worker, set(worker->f, text("%u", key), value) != CACHE_OK);
		} else if (dice < 9) {
			struct cache_value *value = get(worker->f, text("%u", key));

			count_failure(worker, value && !is_sound(cache_value_bytes(value), key));
			cache_value_release(value);
		} else {
			(void)delete_key(worker->f, text("%u", key));
		}
	}
	return NULL;
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, concurrency, values_are_never_mixed_up)
{
	for (enum eviction_policy policy = EVICT_FRECENCY; policy <= EVICT_FIFO; policy++) {
		set_policy(f, policy);
		set_max_size(f, 30000); /* about half of what is set: it evicts all the time */
		cr_expect_eq(run_threads(f, rounds_of(f, 5000, 300), mix, NULL), 0);
		cr_expect_leq(stats(f).used_bytes, 30000);
	}
}

/* ---- Namespaces that are dropped while others write, list and give other times to live ---- */

static enum cache_status run_in_thread(struct worker *worker, enum cache_op_type type,
				       struct slice key)
{
	struct cache_op op;

	cache_op_init(&op, type);
	op.ns = NS;
	op.one.key = key;
	op.one.ttl_s = 100;
	op.drop = type == CACHE_OP_CLEAR;
	op.limit = 5;
	op.settings.default_ttl_s = 1000;
	op.settings_mask = SETTING_DEFAULT_TTL;
	enum cache_status status = backend_call(worker->f->backend, &op);
	cache_op_deinit(&op);
	return status;
}

static void *mix_with_drops(void *arg)
{
	struct worker *worker = arg;
	uint64_t random = 55 + worker->index;

	for (unsigned i = 0; i < worker->rounds; i++) {
		unsigned key = next_random(&random) % SHARED_KEYS;
		unsigned dice = next_random(&random) % 100;
		enum cache_status status = CACHE_OK;

		if (dice < 40)
			status = set(worker->f, text("%u", key), text("%u:%u:", key, 0));
		else if (dice < 60)
			use(worker->f, text("%u", key), 1);
		else if (dice < 80)
			status = run_in_thread(worker, CACHE_OP_EXPIRE, text("%u", key));
		else if (dice < 90)
			status = run_in_thread(worker, CACHE_OP_SCAN, SLICE(""));
		else if (dice < 95)
			status = run_in_thread(worker, CACHE_OP_CONFIGURE, SLICE(""));
		else
			status = run_in_thread(worker, CACHE_OP_CLEAR, SLICE(""));
		count_failure(worker, status != CACHE_OK && status != CACHE_NOT_FOUND);
	}
	return NULL;
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_ORDERED_SCAN, concurrency, drops_leave_true_accounts)
{
	struct cache_op op;

	if (!knows_expire(f))
		return;
	(void)set(f, SLICE("0"), SLICE("0:0:"));
	cr_expect_eq(run_threads(f, rounds_of(f, 2000, 150), mix_with_drops, NULL), 0);
	scan(f, &op, SLICE(""), NULL, (size_t)2 * SHARED_KEYS);
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.entry_count, op.entry_count);
	cr_expect_leq(namespace_count(f), 1);
	uint64_t used_bytes = 0;
	for (size_t i = 0; i < op.entry_count; i++)
		used_bytes += used_by(op.entries[i].key, op.entries[i].size_bytes);
	cr_expect_eq(now.used_bytes, used_bytes);
	cache_op_deinit(&op);
}

/* ---- A write that is done is seen ---- */

static void *read_own_writes(void *arg)
{
	struct worker *worker = arg;

	for (unsigned i = 0; i < worker->rounds; i++) {
		struct slice key = text("thread %u key %u", worker->index, i % 10);

		count_failure(worker, set(worker->f, key, text("%u", i)) != CACHE_OK);
		count_failure(worker, !holds(worker->f, key, text("%u", i)));
		if (i % 7 == 0) {
			count_failure(worker, delete_key(worker->f, key) != CACHE_OK);
			count_failure(worker, exists(worker->f, key));
		}
	}
	return NULL;
}

CONTRACT_TEST(concurrency, own_writes_are_read)
{
	cr_expect_eq(run_threads(f, rounds_of(f, 4000, 200), read_own_writes, NULL), 0);
}

/* ---- Nobody who knows of a newer state sees an older one ---- */

#define VERSIONED_KEYS 40

/* Versions that sets and deletes are known to have reached: no read may return a lower one any
 * more. */
static atomic_uint floors[VERSIONED_KEYS];

static void raise_floor(unsigned key, unsigned version)
{
	unsigned now = atomic_load(&floors[key]);

	while (now < version && !atomic_compare_exchange_weak(&floors[key], &now, version))
		continue;
}

/* Removes everything: no read may see it again. */
static void clear_versions(struct worker *worker)
{
	unsigned before[VERSIONED_KEYS];

	for (unsigned key = 0; key < VERSIONED_KEYS; key++)
		before[key] = atomic_load(&floors[key]);
	clear_in_thread(worker, worker->index % 2 ? SLICE("") : SLICE("v"));
	for (unsigned key = 0; key < VERSIONED_KEYS; key++)
		raise_floor(key, before[key] + (before[key] % 2 == 0));
}

/* Each key is written by one thread, with even versions, and read by all; a removal makes the next
 * odd number the floor. */
static void *watch_versions(void *arg)
{
	struct worker *worker = arg;
	uint64_t random = 99 + worker->index;
	char filling[600];

	memset(filling, 'f', sizeof(filling));
	for (unsigned i = 1; i <= worker->rounds; i++) {
		unsigned key = next_random(&random) % VERSIONED_KEYS;

		for (unsigned k = 0; k < 8; k++) {
			unsigned read = next_random(&random) % VERSIONED_KEYS;
			unsigned floor = atomic_load(&floors[read]);
			struct cache_value *value = get(worker->f, text("v%u", read));

			count_failure(worker, value && strtoul(cache_value_bytes(value).data, NULL,
							       10) < floor);
			cache_value_release(value);
		}
		if (i % 50 == 0)
			clear_versions(worker);
		if (key % THREADS != worker->index)
			continue;
		struct slice name = text("v%u", key);
		if (i % 5 == 0) {
			(void)delete_key(worker->f, name);
			raise_floor(key, 2 * i - 1);
			count_failure(worker, exists(worker->f, name));
		} else {
			struct slice value =
				text("%u %.*s", 2 * i, (int)(i % sizeof(filling)), filling);

			count_failure(worker, set(worker->f, name, value) != CACHE_OK);
			raise_floor(key, 2 * i);
		}
	}
	return NULL;
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, concurrency, older_versions_are_never_seen_again)
{
	for (unsigned i = 0; i < VERSIONED_KEYS; i++)
		atomic_store(&floors[i], 0);
	set_max_size(f, 8000); /* half of what is set: it evicts too */
	cr_expect_eq(
		run_threads(f, rounds_of(f, 4000, f->is_remote ? 500 : 2000), watch_versions, NULL),
		0);
}

/* ---- Conditions: exactly one wins ---- */

static void *race_for_a_version(void *arg)
{
	struct worker *worker = arg;

	for (unsigned round = 0; round < worker->rounds; round++) {
		struct cache_value *value = get(worker->f, SLICE("key"));

		(void)pthread_barrier_wait(worker->barrier);
		struct cache_condition condition = {CONDITION_MATCH, &value->etag, 1};
		enum cache_status status = set_if(
			worker->f, SLICE("key"), text("%u by %u", round, worker->index), condition);
		if (status == CACHE_OK)
			(void)atomic_fetch_add(&worker->winners[round], 1);
		count_failure(worker, status != CACHE_OK && status != CACHE_PRECONDITION_FAILED);
		cache_value_release(value);
		(void)pthread_barrier_wait(worker->barrier);
	}
	return NULL;
}

static void *race_to_create(void *arg)
{
	struct worker *worker = arg;
	struct cache_condition condition = {.kind = CONDITION_ABSENT};

	for (unsigned round = 0; round < worker->rounds; round++) {
		(void)pthread_barrier_wait(worker->barrier);
		enum cache_status status = set_if(worker->f, text("round %u", round),
						  text("%u", worker->index), condition);
		if (status == CACHE_OK)
			(void)atomic_fetch_add(&worker->winners[round], 1);
		count_failure(worker, status != CACHE_OK && status != CACHE_PRECONDITION_FAILED);
	}
	return NULL;
}

#define RACE_ROUNDS_MAX 1000

static void expect_one_winner(struct fixture *f, void *(*race)(void *))
{
	static atomic_uint winners[RACE_ROUNDS_MAX];
	unsigned rounds = rounds_of(f, RACE_ROUNDS_MAX, 100);

	cr_expect_eq(run_threads(f, rounds, race, winners), 0);
	for (unsigned i = 0; i < rounds; i++)
		cr_assert_eq(atomic_load(&winners[i]), 1, "round %u had %u winners", i,
			     atomic_load(&winners[i]));
}

CONTRACT_TEST_OF(BACKEND_CONDITIONS, concurrency, one_writer_replaces_a_version)
{
	(void)set(f, SLICE("key"), SLICE("start"));
	expect_one_winner(f, race_for_a_version);
}

CONTRACT_TEST_OF(BACKEND_CONDITIONS, concurrency, one_writer_creates)
{
	expect_one_winner(f, race_to_create);
}

/* ---- A batch is seen whole ---- */

#define BATCH 40

static void batch_op(struct cache_op *op, struct cache_item items[static BATCH],
		     char keys[static BATCH][8], enum cache_op_type type)
{
	cache_op_init(op, type);
	op->ns = NS;
	op->items = items;
	op->item_count = BATCH;
	for (unsigned i = 0; i < BATCH; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "b%u", i);
		items[i] = (struct cache_item){.key = slice_of(keys[i]), .ttl_s = TTL_DEFAULT};
	}
}

static void *write_or_read_batches(void *arg)
{
	struct worker *worker = arg;
	struct cache_item items[BATCH];
	char keys[BATCH][8];
	struct cache_op op;

	for (unsigned round = 0; round < worker->rounds; round++) {
		if (worker->index < THREADS / 2) {
			batch_op(&op, items, keys, CACHE_OP_SET);
			for (unsigned i = 0; i < BATCH; i++)
				items[i].value = make_value(text("%u %u", worker->index, round));
			count_failure(worker, backend_call(worker->f->backend, &op) != CACHE_OK);
			for (unsigned i = 0; i < BATCH; i++)
				cache_value_release(items[i].value);
			cache_op_deinit(&op);
			continue;
		}
		batch_op(&op, items, keys, CACHE_OP_GET);
		count_failure(worker, backend_call(worker->f->backend, &op) != CACHE_OK);
		for (unsigned i = 1; i < BATCH; i++) {
			bool same = items[0].status == items[i].status;

			if (same && items[0].value)
				same = slice_equal(cache_value_bytes(items[0].value),
						   cache_value_bytes(items[i].value));
			count_failure(worker, !same);
		}
		cache_op_deinit(&op);
	}
	return NULL;
}

CONTRACT_TEST_OF(BACKEND_ATOMIC_BATCH, concurrency, batches_are_seen_whole)
{
	cr_expect_eq(run_threads(f, rounds_of(f, 1500, 100), write_or_read_batches, NULL), 0);
}

/* ---- Limits ---- */

#define LIMIT_BYTES 50000
#define LIMIT_COUNT 60

/* Every other thread looks at the limits, the rest push against them. */
static void *push_against_limits(void *arg)
{
	struct worker *worker = arg;
	uint64_t random = 4711 + worker->index;

	for (unsigned i = 0; i < worker->rounds; i++) {
		struct slice key = text("%u", next_random(&random) % 200);
		struct namespace_stats now;

		if (i % 8 == 0) {
			now = stats(worker->f);
			count_failure(worker, now.used_bytes > LIMIT_BYTES);
		} else if (i % 16 == 1) {
			cache_value_release(get(worker->f, key));
		} else {
			count_failure(worker,
				      set_used(worker->f, key, 200 + next_random(&random) % 3000) !=
					      CACHE_OK);
		}
	}
	return NULL;
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION | BACKEND_ORDERED_SCAN, concurrency,
		 limits_hold_at_every_moment)
{
	for (enum eviction_policy policy = EVICT_FRECENCY; policy <= EVICT_FIFO; policy++) {
		set_policy(f, policy);
		set_max_size(f, LIMIT_BYTES);
		set_capacity(f, LIMIT_COUNT);
		cr_expect_eq(run_threads(f, rounds_of(f, 4000, 200), push_against_limits, NULL), 0);
		struct namespace_stats now = stats(f);
		cr_expect_leq(now.used_bytes, LIMIT_BYTES);
		cr_expect_leq(now.entry_count, LIMIT_COUNT);
		cr_expect_gt(now.evictions, 0);
	}
	/* The accounts must match the entries. */
	struct cache_op op;
	uint64_t total = 0;
	uint64_t used = 0;
	scan(f, &op, SLICE(""), NULL, 1000);
	for (size_t i = 0; i < op.entry_count; i++) {
		total += op.entries[i].size_bytes;
		used += used_by(op.entries[i].key, op.entries[i].size_bytes);
	}
	cr_expect_eq(op.entry_count, stats(f).entry_count);
	cr_expect_eq(total, stats(f).total_size_bytes);
	cr_expect_eq(used, stats(f).used_bytes);
	cache_op_deinit(&op);
}

/* ---- Everything at once: nothing crashes, and the accounts agree in the end ---- */

static void *do_everything(void *arg)
{
	static const enum eviction_policy policies[] = {EVICT_FRECENCY, EVICT_LRU, EVICT_FIFO};
	struct worker *worker = arg;
	uint64_t random = 31 + worker->index;

	for (unsigned i = 0; i < worker->rounds; i++) {
		struct slice key = text("%u", next_random(&random) % 3000);
		unsigned dice = next_random(&random) % 1000;
		struct namespace_settings settings = {
			.max_size_bytes = 200000 + next_random(&random) % 200000,
			.policy = policies[next_random(&random) % 3],
		};

		if (dice < 500)
			(void)set_with_ttl(worker->f, key, text("%u", i), dice % 4);
		else if (dice < 900)
			cache_value_release(get(worker->f, key));
		else if (dice < 985)
			(void)delete_key(worker->f, key);
		else if (dice < 990)
			advance_us(worker->f, 300000);
		else if (dice < 994)
			(void)stats(worker->f);
		else if (dice < 996)
			(void)configure(worker->f, SETTING_POLICY | SETTING_MAX_SIZE, settings);
		else if (dice < 998)
			clear_in_thread(worker, text("%u", dice % 10));
		else if (dice < 999)
			clear_in_thread(worker, SLICE(""));
		else {
			struct cache_op op;

			scan(worker->f, &op, SLICE("1"), NULL, 50);
			cache_op_deinit(&op);
		}
	}
	return NULL;
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION | BACKEND_ORDERED_SCAN |
			 BACKEND_ATOMIC_BATCH,
		 concurrency, everything_at_once)
{
	unsigned waited_ms = 0;
	struct cache_op op;
	uint64_t total;
	uint64_t used;
	bool agree;

	cr_expect_eq(run_threads(f, rounds_of(f, 5000, 300), do_everything, NULL), 0);
	advance_s(f, 10);
	/* Until expired entries are swept. */
	do {
		struct namespace_stats now = stats(f);

		total = 0;
		used = 0;
		scan(f, &op, SLICE(""), NULL, 10000);
		for (size_t i = 0; i < op.entry_count; i++) {
			total += op.entries[i].size_bytes;
			used += used_by(op.entries[i].key, op.entries[i].size_bytes);
		}
		agree = op.entry_count == now.entry_count && total == now.total_size_bytes &&
			used == now.used_bytes;
		cache_op_deinit(&op);
	} while (!agree && wait_a_moment(&waited_ms));
	cr_expect(agree);
}
