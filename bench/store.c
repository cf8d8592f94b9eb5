/* Measures a backend in process, through its contract: as many operations under way at once as a
 * busy server has, and nothing else that takes time.
 *
 * usage: bench_store MODE BACKEND FOLDER DURABILITY GROUP_MAX ENTRIES SECONDS
 *	put	overwrites random ones of ENTRIES entries of 1 KiB
 *	full	fills a namespace that may hold ENTRIES, then adds new ones: each set evicts one
 *	resident	fills ENTRIES entries of 100 bytes and tells the memory that they took
 *	grow	the same, then gets, sets, sets that evict, statistics and listings among them
 *	open	opens what is in FOLDER and gets one of its ENTRIES
 *	namespaces	fills ENTRIES namespaces of ten entries, then gets, sets and statistics
 *	raw	no backend: upserts the rows of "put" into a plain SQLite table, 64 a transaction
 *
 * Each of gets and sets runs for SECONDS. Prints one JSON object. */
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/backend.h"

#define UNDER_WAY      64
#define FILL_BATCH     1000
#define KEY_BYTES      24
#define VALUE_BYTES    1024
#define SMALL_BYTES    100
#define PAGE_KEYS      1000 /* of a listing */
#define REPEATS        11   /* of what is timed one by one; the median counts */
#define REPEATS_MAX_US (5 * US_PER_S)
#define NS_ENTRIES     10 /* in each of many namespaces */
#define NAMESPACE      SLICE("bench")

struct arguments {
	const struct backend_ops *ops;
	struct backend_config config;
	uint64_t entries;
	double seconds;
	int64_t open_us; /* how long it took to open the backend */
};

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

static void fail(const char *what)
{
	(void)fprintf(stderr, "bench_store: %s\n", what);
	exit(EXIT_FAILURE);
}

/* As a server makes it that knows the key. */
static struct cache_value *make_value(const struct backend *backend, struct slice key,
				      uint64_t number, size_t len)
{
	struct cache_value *value = cache_value_create_with_room(
		len, SLICE(CONTENT_TYPE_BYTES), backend_value_room(backend, key.len));

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

static void fill(struct backend *backend, struct slice ns, uint64_t entries, size_t value_bytes)
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

/* What run_load does. */
struct load {
	enum cache_op_type type;
	uint64_t entries;    /* to choose from in a namespace */
	uint64_t namespaces; /* to choose from; 0: NAMESPACE */
	bool adds;           /* each set has a new key, behind those entries */
	size_t value_bytes;
};

static uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252U;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct slice make_namespace(char room[static KEY_BYTES], uint64_t number)
{
	int len = snprintf(room, KEY_BYTES, "ns%" PRIu64, number);

	return (struct slice){.data = room, .len = (size_t)len};
}

static void submit(struct backend *backend, struct slot *slot, const struct load *load,
		   uint64_t number)
{
	/* Also from one run to the next no value is written twice, nor a key added twice. */
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

/* Goes on for `seconds`, UNDER_WAY at a time; returns how many a second. */
static double run_load(struct backend *backend, const struct load *load, double seconds)
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

/* The median time of a STATS of `ns` (empty: of all), or of a page of a listing. What is shorter
 * than the clock can tell is done several times; what is long is not done so often. */
static double time_op_us(struct backend *backend, enum cache_op_type type, struct slice ns,
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

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file || fscanf(file, "%*u %llu", &pages) != 1)
		fail("cannot read /proc/self/statm");
	(void)fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- The modes ---- */

static void run_put(struct backend *backend, const struct arguments *arguments)
{
	struct load load = {CACHE_OP_SET, arguments->entries, 0, false, VALUE_BYTES};

	configure(backend, CAPACITY_UNLIMITED);
	fill(backend, NAMESPACE, arguments->entries, VALUE_BYTES);
	printf("{\"sets_per_s\":%.1f}\n", run_load(backend, &load, arguments->seconds));
}

static void run_full(struct backend *backend, const struct arguments *arguments)
{
	struct load load = {CACHE_OP_SET, arguments->entries, 0, true, VALUE_BYTES};

	configure(backend, (int64_t)arguments->entries);
	fill(backend, NAMESPACE, arguments->entries, VALUE_BYTES);
	printf("{\"sets_per_s\":%.1f}\n", run_load(backend, &load, arguments->seconds));
}

/* Fills, and prints the beginning of the object. */
static void fill_and_tell_memory(struct backend *backend, const struct arguments *arguments)
{
	char key[KEY_BYTES];
	uint64_t key_bytes = 0;

	configure(backend, CAPACITY_UNLIMITED);
	uint64_t before = resident_bytes();
	fill(backend, NAMESPACE, arguments->entries, SMALL_BYTES);
	uint64_t after = resident_bytes();
	for (uint64_t i = 0; i < arguments->entries; i++)
		key_bytes += make_key(key, i).len;
	printf("{\"bytes_per_entry\":%.1f,\"payload_per_entry\":%.1f",
	       (double)(after - before) / (double)arguments->entries,
	       (double)key_bytes / (double)arguments->entries + SMALL_BYTES);
}

static void run_resident(struct backend *backend, const struct arguments *arguments)
{
	fill_and_tell_memory(backend, arguments);
	printf("}\n");
}

static void run_grow(struct backend *backend, const struct arguments *arguments)
{
	struct load get = {CACHE_OP_GET, arguments->entries, 0, false, 0};
	struct load set = {CACHE_OP_SET, arguments->entries, 0, false, SMALL_BYTES};
	int64_t begin_us = monotonic_now_us();

	fill_and_tell_memory(backend, arguments);
	printf(",\"fill_s\":%.3f", (double)(monotonic_now_us() - begin_us) / US_PER_S);
	printf(",\"gets_per_s\":%.1f", run_load(backend, &get, arguments->seconds));
	printf(",\"stats_us\":%.1f", time_op_us(backend, CACHE_OP_STATS, NAMESPACE, 0));
	printf(",\"list_us\":%.1f",
	       time_op_us(backend, CACHE_OP_SCAN, NAMESPACE, arguments->entries));
	printf(",\"sets_per_s\":%.1f", run_load(backend, &set, arguments->seconds));
	configure(backend, (int64_t)arguments->entries);
	set.adds = true;
	printf(",\"evicting_sets_per_s\":%.1f}\n", run_load(backend, &set, arguments->seconds));
}

static void run_open(struct backend *backend, const struct arguments *arguments)
{
	int64_t begin_us = monotonic_now_us();
	char key[KEY_BYTES];
	struct cache_op op;

	/* One of the last that were added: what "grow" left in it. */
	cache_op_init(&op, CACHE_OP_GET);
	op.ns = NAMESPACE;
	op.one.key = make_key(key, arguments->entries);
	(void)backend_call(backend, &op);
	cache_op_deinit(&op);
	printf("{\"open_us\":%" PRId64 ",\"first_get_us\":%" PRId64 "}\n", arguments->open_us,
	       monotonic_now_us() - begin_us);
}

static void run_namespaces(struct backend *backend, const struct arguments *arguments)
{
	struct load get = {CACHE_OP_GET, NS_ENTRIES, arguments->entries, false, 0};
	struct load set = {CACHE_OP_SET, NS_ENTRIES, arguments->entries, false, SMALL_BYTES};
	uint64_t before = resident_bytes();
	int64_t begin_us = monotonic_now_us();
	char name[KEY_BYTES];

	for (uint64_t i = 0; i < arguments->entries; i++)
		fill(backend, make_namespace(name, i), NS_ENTRIES, SMALL_BYTES);
	printf("{\"create_us\":%.1f",
	       (double)(monotonic_now_us() - begin_us) / (double)arguments->entries);
	printf(",\"bytes_per_namespace\":%.1f",
	       (double)(resident_bytes() - before) / (double)arguments->entries);
	printf(",\"gets_per_s\":%.1f", run_load(backend, &get, arguments->seconds));
	printf(",\"sets_per_s\":%.1f", run_load(backend, &set, arguments->seconds));
	printf(",\"stats_us\":%.1f",
	       time_op_us(backend, CACHE_OP_STATS, make_namespace(name, 0), 0));
	printf(",\"all_stats_us\":%.1f}\n", time_op_us(backend, CACHE_OP_STATS, SLICE(""), 0));
}

/* ---- The limit of a disk ---- */

static void execute(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(sqlite3_errmsg(db));
}

/* Upserts `count` rows in one transaction: rows `first`, `first` + 1 ... of the table, or random
 * ones of its `rows`. */
static void upsert(sqlite3 *db, sqlite3_stmt *statement, uint64_t first, uint64_t count,
		   uint64_t rows)
{
	static char value[VALUE_BYTES];
	static uint64_t serial;
	char room[KEY_BYTES];

	execute(db, "BEGIN IMMEDIATE");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t number = rows ? next_random() % rows : first + i;
		struct slice key = make_key(room, number);

		memset(value, 'a' + (int)(serial % 26), sizeof(value));
		memcpy(value, &serial, sizeof(serial));
		serial++;
		(void)sqlite3_bind_int64(statement, 1, (int64_t)number);
		(void)sqlite3_bind_text(statement, 2, key.data, (int)key.len, SQLITE_STATIC);
		(void)sqlite3_bind_blob(statement, 3, value, sizeof(value), SQLITE_STATIC);
		if (sqlite3_step(statement) != SQLITE_DONE)
			fail(sqlite3_errmsg(db));
		(void)sqlite3_reset(statement);
	}
	execute(db, "COMMIT");
}

static void run_raw(const struct arguments *arguments)
{
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;
	char path[4096];
	uint64_t count = 0;

	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)snprintf(path, sizeof(path), "%s/raw.db", arguments->config.data_dir);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		fail("cannot open the raw database");
	execute(db, "PRAGMA journal_mode=WAL");
	execute(db, arguments->config.durability == DURABILITY_FULL ? "PRAGMA synchronous=FULL"
								    : "PRAGMA synchronous=NORMAL");
	execute(db, "PRAGMA mmap_size=1073741824");
	execute(db, "CREATE TABLE rows(id INTEGER PRIMARY KEY, key TEXT, value BLOB)");
	if (sqlite3_prepare_v2(db,
			       "INSERT INTO rows VALUES(?1, ?2, ?3)"
			       " ON CONFLICT(id) DO UPDATE SET value = excluded.value",
			       -1, &statement, NULL) != SQLITE_OK)
		fail(sqlite3_errmsg(db));
	for (uint64_t at = 0; at < arguments->entries; at += FILL_BATCH)
		upsert(db, statement, at, FILL_BATCH, 0);

	int64_t begin_us = monotonic_now_us();
	int64_t end_us = begin_us + (int64_t)(arguments->seconds * US_PER_S);
	for (; monotonic_now_us() < end_us; count += UNDER_WAY)
		upsert(db, statement, 0, UNDER_WAY, arguments->entries);
	printf("{\"sets_per_s\":%.1f}\n",
	       (double)count * US_PER_S / (double)(monotonic_now_us() - begin_us));
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
}

static const struct {
	const char *name;
	void (*run)(struct backend *backend, const struct arguments *arguments);
} modes[] = {
	{"put", run_put},   {"full", run_full}, {"resident", run_resident},
	{"grow", run_grow}, {"open", run_open}, {"namespaces", run_namespaces},
};

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	char error[256] = "";

	if (argc != 8)
		fail("usage: bench_store put|full|resident|grow|open|namespaces|raw BACKEND FOLDER "
		     "commit|full GROUP_MAX ENTRIES SECONDS");
	arguments.config.data_dir = argv[3];
	arguments.config.durability =
		strcmp(argv[4], "full") == 0 ? DURABILITY_FULL : DURABILITY_COMMIT;
	arguments.config.sqlite_group_max = (unsigned)strtoul(argv[5], NULL, 10);
	arguments.entries = strtoull(argv[6], NULL, 10);
	arguments.seconds = strtod(argv[7], NULL);
	if (strcmp(argv[1], "raw") == 0) {
		run_raw(&arguments);
		return EXIT_SUCCESS;
	}
	if (!(arguments.ops = backend_find(argv[2])))
		fail("there is no such backend");
	int64_t begin_us = monotonic_now_us();
	struct backend *backend = arguments.ops->open(&arguments.config, error, sizeof(error));
	arguments.open_us = monotonic_now_us() - begin_us;
	if (!backend)
		fail(error);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			modes[i].run(backend, &arguments);
	backend->ops->close(backend);
	return EXIT_SUCCESS;
}
