/* Measures a backend in process, through its contract: as many sets under way at once as a busy
 * server has, and nothing else that takes time.
 *
 * usage: bench_store MODE BACKEND FOLDER DURABILITY GROUP_MAX ENTRIES SECONDS
 *	put	overwrites random ones of ENTRIES entries of 1 KiB
 *	full	fills a namespace that may hold ENTRIES, then adds new ones: each set evicts one
 *	resident	fills ENTRIES entries of 100 bytes and tells the memory that they took
 *
 * Prints one JSON object. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/backend.h"

#define UNDER_WAY   64
#define FILL_BATCH  1000
#define KEY_BYTES   24
#define VALUE_BYTES 1024
#define SMALL_BYTES 100
#define NAMESPACE   SLICE("bench")

struct arguments {
	const char *mode;
	const struct backend_ops *ops;
	struct backend_config config;
	uint64_t entries;
	double seconds;
};

/* ---- One set ---- */

struct slot {
	struct cache_op op;
	char key[KEY_BYTES];
	struct slot *next; /* of the idle ones */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static struct slot *idle;

static void fail(const char *what)
{
	(void)fprintf(stderr, "bench_store: %s\n", what);
	exit(EXIT_FAILURE);
}

static struct cache_value *make_value(uint64_t number, size_t len)
{
	struct cache_value *value = cache_value_create(len, SLICE(CONTENT_TYPE_BYTES));

	if (!value)
		fail("out of memory");
	memset(cache_value_data(value), 'a' + (int)(number % 26), len);
	memcpy(cache_value_data(value), &number, sizeof(number));
	cache_value_seal(value);
	return value;
}

static struct slice make_key(char room[static KEY_BYTES], uint64_t number)
{
	int len = snprintf(room, KEY_BYTES, "key-%" PRIu64, number);

	return (struct slice){.data = room, .len = (size_t)len};
}

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
	if (slot->op.one.value) {
		if (slot->op.status != CACHE_OK)
			fail(cache_status_text(slot->op.status));
		cache_value_release(slot->op.one.value);
		cache_op_deinit(&slot->op);
	}
	slot->op.one.value = NULL;
	return slot;
}

static void submit_set(struct backend *backend, struct slot *slot, uint64_t key, uint64_t number)
{
	cache_op_init(&slot->op, CACHE_OP_SET);
	slot->op.ns = NAMESPACE;
	slot->op.one.key = make_key(slot->key, key);
	slot->op.one.value = make_value(number, VALUE_BYTES);
	slot->op.done = slot_done;
	slot->op.user = slot;
	backend_submit(backend, &slot->op);
}

/* ---- Filling ---- */

static void configure(struct backend *backend, int64_t capacity)
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

static void fill(struct backend *backend, uint64_t entries, size_t value_bytes)
{
	static struct cache_item items[FILL_BATCH];
	static char keys[FILL_BATCH][KEY_BYTES];

	for (uint64_t at = 0; at < entries;) {
		struct cache_op op;
		size_t count = 0;

		cache_op_init(&op, CACHE_OP_SET);
		for (; count < FILL_BATCH && at < entries; count++, at++)
			items[count] = (struct cache_item){
				.key = make_key(keys[count], at),
				.value = make_value(at, value_bytes),
				.ttl_s = TTL_DEFAULT,
			};
		op.ns = NAMESPACE;
		op.items = items;
		op.item_count = count;
		if (backend_call(backend, &op) != CACHE_OK)
			fail(cache_status_text(op.status));
		for (size_t i = 0; i < count; i++)
			cache_value_release(items[i].value);
		cache_op_deinit(&op);
	}
}

/* ---- The modes ---- */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Sets for `seconds`, UNDER_WAY at a time; returns how many a second. */
static double run_sets(struct backend *backend, const struct arguments *arguments)
{
	static struct slot slots[UNDER_WAY];
	bool adds = strcmp(arguments->mode, "full") == 0;
	int64_t begin_us = monotonic_now_us();
	int64_t end_us = begin_us + (int64_t)(arguments->seconds * US_PER_S);
	uint64_t random = 88172645463325252U;
	uint64_t count = 0;

	for (size_t i = 0; i < UNDER_WAY; i++) {
		slots[i].next = idle;
		idle = &slots[i];
	}
	while (monotonic_now_us() < end_us) {
		uint64_t key = adds ? arguments->entries + count
				    : next_random(&random) % arguments->entries;

		submit_set(backend, take_slot(), key, arguments->entries + count);
		count++;
	}
	for (size_t i = 0; i < UNDER_WAY; i++)
		(void)take_slot();
	return (double)count * US_PER_S / (double)(monotonic_now_us() - begin_us);
}

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file || fscanf(file, "%*u %llu", &pages) != 1)
		fail("cannot read /proc/self/statm");
	(void)fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void run(struct backend *backend, const struct arguments *arguments)
{
	if (strcmp(arguments->mode, "resident") == 0) {
		configure(backend, CAPACITY_UNLIMITED);
		uint64_t before = resident_bytes();
		fill(backend, arguments->entries, SMALL_BYTES);
		char key[KEY_BYTES];
		uint64_t key_bytes = 0;
		for (uint64_t i = 0; i < arguments->entries; i++)
			key_bytes += make_key(key, i).len;
		printf("{\"bytes_per_entry\":%.1f,\"payload_per_entry\":%.1f}\n",
		       (double)(resident_bytes() - before) / (double)arguments->entries,
		       (double)key_bytes / (double)arguments->entries + SMALL_BYTES);
		return;
	}
	bool adds = strcmp(arguments->mode, "full") == 0;
	configure(backend, adds ? (int64_t)arguments->entries : CAPACITY_UNLIMITED);
	fill(backend, arguments->entries, VALUE_BYTES);
	printf("{\"sets_per_s\":%.1f}\n", run_sets(backend, arguments));
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	char error[256] = "";

	if (argc != 8 || !(arguments.ops = backend_find(argv[2])))
		fail("usage: bench_store put|full|resident BACKEND FOLDER commit|full GROUP_MAX "
		     "ENTRIES SECONDS");
	arguments.mode = argv[1];
	arguments.config.data_dir = argv[3];
	arguments.config.durability =
		strcmp(argv[4], "full") == 0 ? DURABILITY_FULL : DURABILITY_COMMIT;
	arguments.config.sqlite_group_max = (unsigned)strtoul(argv[5], NULL, 10);
	arguments.entries = strtoull(argv[6], NULL, 10);
	arguments.seconds = strtod(argv[7], NULL);
	struct backend *backend = arguments.ops->open(&arguments.config, error, sizeof(error));
	if (!backend)
		fail(error);
	run(backend, &arguments);
	backend->ops->close(backend);
	return EXIT_SUCCESS;
}
