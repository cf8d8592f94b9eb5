/* Measures operations on all entries of a namespace, in process: a whole listing or export, and an
 * import of entries with their frequencies.
 *
 * usage: bench_walk list|export BACKEND FOLDER ENTRIES
 *            fills, then lists from begin to end in pages of 1,000 keys (export: in the order that
 *            suits the backend), while single gets are timed
 *        bench_walk import BACKEND FOLDER ENTRIES DISTINCT
 *            sets ENTRIES with DISTINCT frequencies under frecency, in groups as POST /import does
 *
 * Prints one JSON object. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/find.h"

#define NAMESPACE   SLICE("bench")
#define GROUP       1000
#define KEY_BYTES   24
#define VALUE_BYTES 100
#define PAGE_KEYS   1000
#define TIMES_MAX   ((size_t)8 << 20)

static void fail(const char *what)
{
	(void)fprintf(stderr, "bench_walk: %s\n", what);
	exit(EXIT_FAILURE);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct slice make_key(char room[static KEY_BYTES], uint64_t number)
{
	int len = snprintf(room, KEY_BYTES, "key-%" PRIu64, number);

	return (struct slice){.data = room, .len = (size_t)len};
}

static struct cache_value *make_value(const struct backend *backend, struct slice key)
{
	struct cache_value *value =
		cache_value_create_with_headroom(VALUE_BYTES, SLICE(CONTENT_TYPE_BYTES),
						 backend_headroom(backend, SLICE("walk"), key.len));

	if (!value)
		fail("out of memory");
	memset(cache_value_data(value), key.data[key.len - 1], VALUE_BYTES);
	cache_value_seal(value);
	return value;
}

static void call(struct backend *backend, struct cache_op *op)
{
	op->ns = NAMESPACE;
	if (backend_call(backend, op) != CACHE_OK)
		fail(cache_status_text(op->status));
}

static void configure(struct backend *backend)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.settings.policy = EVICT_FRECENCY;
	op.settings.capacity = CAPACITY_UNLIMITED;
	op.settings_mask = SETTING_MAX_SIZE | SETTING_CAPACITY | SETTING_POLICY;
	call(backend, &op);
	cache_op_deinit(&op);
}

/* `distinct` > 0: entries have this many different frequencies. */
static void fill(struct backend *backend, uint64_t entries, uint64_t distinct)
{
	static struct cache_item items[GROUP];
	static struct cache_history histories[GROUP];
	static char keys[GROUP][KEY_BYTES];
	uint64_t random = 88172645463325252U;

	for (uint64_t at = 0; at < entries;) {
		struct cache_op op;
		size_t count = 0;

		cache_op_init(&op, CACHE_OP_SET);
		for (; count < GROUP && at < entries; count++, at++) {
			struct slice key = make_key(keys[count], at);

			items[count] = (struct cache_item){
				.key = key,
				.value = make_value(backend, key),
				.ttl_s = TTL_DEFAULT,
			};
			if (distinct == 0)
				continue;
			histories[count] = (struct cache_history){
				.frequency = 1 + next_random(&random) % distinct,
				.last_access_us = 1700000000000000 +
						  (int64_t)(next_random(&random) % 1000000000),
				.created_at_us = 1600000000000000 + (int64_t)at,
				.expires_at_us = HISTORY_TTL,
			};
			items[count].history = &histories[count];
		}
		op.items = items;
		op.item_count = count;
		call(backend, &op);
		for (size_t i = 0; i < count; i++)
			cache_value_release(items[i].value);
		cache_op_deinit(&op);
	}
}

/* ---- Walks ---- */

struct walk {
	struct backend *backend;
	bool any_order;
	uint64_t keys, pages;
	int64_t first_us, longest_us, took_us;
	atomic_bool is_over;
};

static void *walk_through(void *arg)
{
	struct walk *walk = arg;
	int64_t begin_us = monotonic_now_us();
	char after[KEY_BYTES];
	size_t after_len = 0;

	for (bool complete = false; !complete; walk->pages++) {
		int64_t page_us = monotonic_now_us();
		struct cache_op op;

		cache_op_init(&op, CACHE_OP_SCAN);
		op.limit = PAGE_KEYS;
		op.any_order = walk->any_order;
		op.has_after = walk->pages > 0;
		op.after = (struct slice){.data = after, .len = after_len};
		call(walk->backend, &op);
		complete = op.complete;
		walk->keys += op.entry_count;
		if (op.entry_count > 0) {
			struct slice last = op.entries[op.entry_count - 1].key;

			memcpy(after, last.data, last.len);
			after_len = last.len;
		}
		cache_op_deinit(&op);
		page_us = monotonic_now_us() - page_us;
		if (walk->pages == 0)
			walk->first_us = page_us;
		if (page_us > walk->longest_us)
			walk->longest_us = page_us;
	}
	walk->took_us = monotonic_now_us() - begin_us;
	atomic_store(&walk->is_over, true);
	return NULL;
}

static int compare_times(const void *a, const void *b)
{
	uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

	return (first > second) - (first < second);
}

static int64_t get_us(struct backend *backend, uint64_t number)
{
	int64_t begin_us = monotonic_now_us();
	char room[KEY_BYTES];
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.one.key = make_key(room, number);
	call(backend, &op);
	cache_op_deinit(&op);
	return monotonic_now_us() - begin_us;
}

static void run_walk(struct backend *backend, uint64_t entries, bool any_order)
{
	struct walk walk = {.backend = backend, .any_order = any_order};
	uint32_t *times = malloc(TIMES_MAX * sizeof(*times));
	uint64_t random = 88172645463325252U;
	pthread_t thread;
	size_t count = 0;

	if (!times)
		fail("out of memory");
	fill(backend, entries, 0);
	if (pthread_create(&thread, NULL, walk_through, &walk) != 0)
		fail("no thread could be started");
	while (!atomic_load(&walk.is_over))
		times[count++ % TIMES_MAX] =
			(uint32_t)get_us(backend, next_random(&random) % entries);
	(void)pthread_join(thread, NULL);
	if (walk.keys != entries)
		fail("keys were missed or repeated");
	if (count > TIMES_MAX)
		count = TIMES_MAX;
	qsort(times, count, sizeof(*times), compare_times);
	printf("{\"walk_s\":%.3f,\"pages\":%" PRIu64 ",\"first_page_ms\":%.1f,"
	       "\"longest_page_ms\":%.1f",
	       (double)walk.took_us / US_PER_S, walk.pages, (double)walk.first_us / 1000,
	       (double)walk.longest_us / 1000);
	if (count > 0)
		printf(",\"gets\":%zu,\"get_p50_us\":%u,\"get_p99_us\":%u,\"get_p999_us\":%u",
		       count, times[count / 2], times[count / 100 * 99], times[count / 1000 * 999]);
	printf("}\n");
	free(times);
}

static void run_import(struct backend *backend, uint64_t entries, uint64_t distinct)
{
	int64_t begin_us = monotonic_now_us();

	configure(backend);
	fill(backend, entries, distinct);
	printf("{\"import_s\":%.3f}\n", (double)(monotonic_now_us() - begin_us) / US_PER_S);
}

int main(int argc, char **argv)
{
	struct backend_config config = {.max_namespaces = 10};
	char error[256];

	if (argc < 5 || (strcmp(argv[1], "import") == 0 && argc < 6))
		fail("usage: bench_walk list|export|import BACKEND FOLDER ENTRIES [DISTINCT]");
	const struct backend_ops *ops = backend_find(argv[2]);
	if (!ops)
		fail("no such backend");
	config.data_dir = argv[3];
	struct backend *backend = ops->open(&config, error, sizeof(error));
	if (!backend)
		fail(error);
	uint64_t entries = strtoull(argv[4], NULL, 10);
	configure(backend);
	if (strcmp(argv[1], "import") == 0)
		run_import(backend, entries, strtoull(argv[5], NULL, 10));
	else
		run_walk(backend, entries, strcmp(argv[1], "export") == 0);
	ops->close(backend);
	return EXIT_SUCCESS;
}
