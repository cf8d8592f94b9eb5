/* Measures a backend in process, through its contract: as many operations in flight as a busy
 * server has, and nothing else that takes time.
 *
 * usage: bench_store MODE BACKEND FOLDER DURABILITY GROUP_MAX ENTRIES SECONDS [VALUE_BYTES]
 * BACKEND is a name, or plugin:/path/driver.so?settings.
 *   put         overwrites random ones of ENTRIES entries of 1 KiB
 *   values      gets, then overwrites, random ones of ENTRIES entries of VALUE_BYTES
 *   full        fills a namespace up to its capacity of ENTRIES, then adds: each set evicts one
 *   resident    fills ENTRIES entries of 100 bytes and prints the memory that they take
 *   grow        the same, then gets, sets, sets that evict, statistics and listings among them
 *   open        opens what is in FOLDER and gets one of its ENTRIES
 *   namespaces  fills ENTRIES namespaces of ten entries, then gets, sets and statistics
 *   raw         no backend: upserts the rows of "put" into a plain SQLite table, 64 a transaction
 *
 * Gets and sets each run for SECONDS. Prints one JSON object. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/sqlite/sqlite.h"
#include "bench/store_parts.h"

#define SMALL_BYTES 100
#define NS_ENTRIES  10 /* in each of many namespaces */

void fail(const char *what)
{
	(void)fprintf(stderr, "bench_store: %s\n", what);
	exit(EXIT_FAILURE);
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

static void run_values(struct backend *backend, const struct arguments *arguments)
{
	struct load get = {CACHE_OP_GET, arguments->entries, 0, false, 0};
	struct load set = {CACHE_OP_SET, arguments->entries, 0, false, arguments->value_bytes};

	configure(backend, CAPACITY_UNLIMITED);
	fill(backend, NAMESPACE, arguments->entries, arguments->value_bytes);
	printf("{\"gets_per_s\":%.1f", run_load(backend, &get, arguments->seconds));
	printf(",\"sets_per_s\":%.1f}\n", run_load(backend, &set, arguments->seconds));
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

	/* One of the last entries added: what "grow" left in it. */
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

/* ---- The command line ---- */

static const struct {
	const char *name;
	void (*run)(struct backend *backend, const struct arguments *arguments);
} modes[] = {
	{"put", run_put},
	{"values", run_values},
	{"full", run_full},
	{"resident", run_resident},
	{"grow", run_grow},
	{"open", run_open},
	{"namespaces", run_namespaces},
};

static const struct backend_ops *find_ops(const char *text, struct backend_config *config)
{
	bool is_plugin = strncmp(text, "plugin:", 7) == 0;
	const struct backend_ops *ops = backend_find(is_plugin ? "plugin" : text);

	config->url = is_plugin ? text : NULL;
	return ops && ops->variant && is_plugin ? ops->variant(config) : ops;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	char error[256] = "";

	if (argc != 8 && argc != 9)
		fail("usage: bench_store put|values|full|resident|grow|open|namespaces|raw BACKEND "
		     "FOLDER commit|full GROUP_MAX ENTRIES SECONDS [VALUE_BYTES]");
	arguments.config.data_dir = argv[3];
	arguments.config.durability =
		strcmp(argv[4], "full") == 0 ? DURABILITY_FULL : DURABILITY_COMMIT;
	struct sqlite_settings settings = {.group_max = (unsigned)strtoul(argv[5], NULL, 10)};
	arguments.entries = strtoull(argv[6], NULL, 10);
	arguments.seconds = strtod(argv[7], NULL);
	arguments.value_bytes = argc == 9 ? strtoull(argv[8], NULL, 10) : VALUE_BYTES;
	if (strcmp(argv[1], "raw") == 0) {
		run_raw(&arguments);
		return EXIT_SUCCESS;
	}
	if (!(arguments.ops = find_ops(argv[2], &arguments.config)))
		fail("there is no such backend");
	if (arguments.ops == &sqlite_backend_ops)
		arguments.config.settings = &settings;
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
