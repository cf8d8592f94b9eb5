/* Shared by the files of bench_store:
 *
 *   store.c       the modes and the command line
 *   store_load.c  keys and values; filling; rates and times of operations
 *   store_raw.c   the mode "raw"
 *
 * Any failure ends the program. One thread measures; operations complete on any thread. */
#ifndef STEADYCACHE_BENCH_STORE_PARTS_H
#define STEADYCACHE_BENCH_STORE_PARTS_H

#include "store/find.h"

#define UNDER_WAY   64
#define FILL_BATCH  1000
#define KEY_BYTES   24
#define VALUE_BYTES 1024
#define NAMESPACE   SLICE("bench")

struct arguments {
	const struct backend_ops *ops;
	struct backend_config config;
	uint64_t entries;
	double seconds;
	uint64_t value_bytes;
	int64_t open_us; /* time taken to open the backend */
};

/* Prints what failed, and ends the program. */
void fail(const char *what);

/* ---- store_load.c ---- */

/* Makes the key of a number, in `room`. */
struct slice make_key(char room[static KEY_BYTES], uint64_t number);
struct slice make_namespace(char room[static KEY_BYTES], uint64_t number);
/* The same sequence of numbers in each run. */
uint64_t next_random(void);

/* Configures NAMESPACE without a limit of bytes, evicting by frecency, and with `capacity`. */
void configure(struct backend *backend, int64_t capacity);
/* Stores the entries of the numbers from 0 on, FILL_BATCH per operation. */
void fill(struct backend *backend, struct slice ns, uint64_t entries, size_t value_bytes);

/* What run_load does. */
struct load {
	enum cache_op_type type;
	uint64_t entries;    /* to choose from in a namespace */
	uint64_t namespaces; /* to choose from; 0: NAMESPACE */
	bool adds;           /* each set has a new key, beyond those entries */
	size_t value_bytes;
};

/* Runs for `seconds`, UNDER_WAY operations at a time; returns how many a second. */
double run_load(struct backend *backend, const struct load *load, double seconds);

/* The median time of a STATS of `ns` (empty: of all), or of a page of a listing after one of its
 * `entries`. */
double time_op_us(struct backend *backend, enum cache_op_type type, struct slice ns,
		  uint64_t entries);

/* ---- store_raw.c ---- */

void run_raw(const struct arguments *arguments);

#endif
