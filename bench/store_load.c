/* Operations on a backend, many at once or one by one. */
#include "bench/store_parts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_KEYS      1000 /* of a listing */
#define REPEATS        11   /* of a single operation that is timed; the median counts */
#define REPEATS_MAX_US (5 * US_PER_S)

/* ---- Keys and values ---- */

struct slice make_key(char room[static KEY_BYTES], uint64_t number)
{
	int len = snprintf(room, KEY_BYTES, "key-%" PRIu64, number);

	return (struct slice){.data = room, .len = (size_t)len};
}

struct slice make_namespace(char room[static KEY_BYTES], uint64_t number)
{
	int len = snprintf(room, KEY_BYTES, "ns%" PRIu64, number);

	return (struct slice){.data = room, .len = (size_t)len};
}

uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252U;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* As a server that knows the key makes it. */
static struct cache_value *make_value(const struct backend *backend, struct slice key,
				      uint64_t number, size_t len)
{
	struct cache_value *value = cache_value_create_with_headroom(
		len, SLICE(CONTENT_TYPE_BYTES), backend_headroom(backend, SLICE(""), key.len));

	if (!value)
		fail("out of memory");
	memset(cache_value_data(value), 'a' + (int)(number % 26), len);
	memcpy(cache_value_data(value), &number, sizeof(number));
	cache_value_seal(value);
	return value;
}

/* ---- One operation among many ---- */

struct slot {
	struct cache_op op;
	char key[KEY_BYTES];
	char ns[KEY_BYTES];
	struct slot *next; /* of the idle ones */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static struct slot *idle;

static void slot_done(struct cache_op *op)
{
	struct slot *slot = op->user;

	(void)pthread_mutex_lock(&lock);
	slot->next = idle;
	idle = slot;
	(void)pthread_cond_signal(&woken);
	(void)pthread_mutex_unlock(&lock);
}

static struct slot *take_slot(void)
{
	(void)pthread_mutex_lock(&lock);
	while (!idle)
		(void)pthread_cond_wait(&woken, &lock);
	struct slot *slot = idle;
	idle = slot->next;
	(void)pthread_mutex_unlock(&lock);
	if (slot->op.done) {
		struct cache_value *given =
			slot->op.type == CACHE_OP_SET ? slot->op.one.value : NULL;

		if (slot->op.status != CACHE_OK)
			fail(cache_status_text(slot->op.status));
		cache_op_deinit(&slot->op);
		cache_value_release(given);
	}
	slot->op.done = NULL;
	return slot;
}

/* ---- Filling ---- */

void configure(struct backend *backend, int64_t capacity)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = NAMESPACE;
	op.settings.capacity = capacity;
	op.settings.policy = EVICT_FRECENCY;
	op.settings_mask = SETTING_MAX_SIZE | SETTING_CAPACITY | SETTING_POLICY;
	if (backend_call(backend, &op) != CACHE_OK)
		fail("cannot configure");
	cache_op_deinit(&op);
}

void fill(struct backend *backend, struct slice ns, uint64_t entries, size_t value_bytes)
{
	static struct cache_item items[FILL_BATCH];
	static char keys[FILL_BATCH][KEY_BYTES];

	for (uint64_t at = 0; at < entries;) {
		struct cache_op op;
		size_t count = 0;

		cache_op_init(&op, CACHE_OP_SET);
		for (; count < FILL_BATCH && at < entries; count++, at++) {
			struct slice key = make_key(keys[count], at);

			items[count] = (struct cache_item){
				.key = key,
				.value = make_value(backend, key, at, value_bytes),
				.ttl_s = TTL_DEFAULT,
			};
		}
		op.ns = ns;
		op.items = items;
		op.item_count = count;
		if (backend_call(backend, &op) != CACHE_OK)
			fail(cache_status_text(op.status));
		for (size_t i = 0; i < count; i++)
			cache_value_release(items[i].value);
		cache_op_deinit(&op);
	}
}

/* ---- Rates ---- */

static void submit(struct backend *backend, struct slot *slot, const struct load *load,
		   uint64_t number)
{
	/* Runs share it, so that no value is written twice and no key added twice. */
	static uint64_t serial;
	uint64_t key = load->adds ? load->entries + number : next_random() % load->entries;

	cache_op_init(&slot->op, load->type);
	slot->op.ns = load->namespaces ? make_namespace(slot->ns, next_random() % load->namespaces)
				       : NAMESPACE;
	slot->op.one.key = make_key(slot->key, key);
	if (load->type == CACHE_OP_SET)
		slot->op.one.value = make_value(backend, slot->op.one.key, load->entries + serial++,
						load->value_bytes);
	slot->op.done = slot_done;
	slot->op.user = slot;
	backend_submit(backend, &slot->op);
}

double run_load(struct backend *backend, const struct load *load, double seconds)
{
	static struct slot slots[UNDER_WAY];
	int64_t begin_us = monotonic_now_us();
	int64_t end_us = begin_us + (int64_t)(seconds * US_PER_S);
	uint64_t count = 0;

	idle = NULL;
	for (size_t i = 0; i < UNDER_WAY; i++) {
		slots[i].next = idle;
		idle = &slots[i];
	}
	while (monotonic_now_us() < end_us)
		submit(backend, take_slot(), load, count++);
	for (size_t i = 0; i < UNDER_WAY; i++)
		(void)take_slot();
	return (double)count * US_PER_S / (double)(monotonic_now_us() - begin_us);
}

/* ---- Times of single operations ---- */

static int compare_times(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

static void call_once(struct backend *backend, enum cache_op_type type, struct slice ns,
		      uint64_t entries)
{
	struct cache_op op;
	char key[KEY_BYTES];

	cache_op_init(&op, type);
	op.ns = ns;
	if (type == CACHE_OP_SCAN) {
		op.after = make_key(key, next_random() % entries);
		op.has_after = true;
		op.limit = PAGE_KEYS;
	}
	if (backend_call(backend, &op) != CACHE_OK)
		fail(cache_status_text(op.status));
	cache_op_deinit(&op);
}

/* Repeats an operation that is too short for the clock, and repeats a long one less often. */
double time_op_us(struct backend *backend, enum cache_op_type type, struct slice ns,
		  uint64_t entries)
{
	double times_us[REPEATS];
	size_t count = 0;
	int64_t first_us = monotonic_now_us();

	while (count < REPEATS && (count == 0 || monotonic_now_us() - first_us < REPEATS_MAX_US)) {
		int64_t begin_us = monotonic_now_us(), took_us = 0;
		unsigned calls = 0;

		for (; took_us < US_PER_S / 1000; took_us = monotonic_now_us() - begin_us, calls++)
			call_once(backend, type, ns, entries);
		times_us[count++] = (double)took_us / calls;
	}
	qsort(times_us, count, sizeof(times_us[0]), compare_times);
	return times_us[count / 2];
}
