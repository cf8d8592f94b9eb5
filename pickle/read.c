#include "pickle/read.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "pickle/read_keys.h"
#include "pickle/read_opcodes.h"

#define DEFAULT_MEMORY_BYTES ((size_t)64 * 1024 * 1024)
#define DEFAULT_FACTOR       64

static size_t memory_limit(struct slice bytes, const struct pickle_limits *limits)
{
	if (limits && limits->memory_bytes)
		return limits->memory_bytes;
	if (bytes.len > (SIZE_MAX - DEFAULT_MEMORY_BYTES) / DEFAULT_FACTOR)
		return SIZE_MAX;
	return DEFAULT_MEMORY_BYTES + bytes.len * DEFAULT_FACTOR;
}

/* What no pickle can be written for; if the system has nothing random yet, the time must do. */
static uint64_t random_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed)) {
		struct timespec now;

		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		seed = (uint64_t)now.tv_nsec * UINT64_C(0x9E3779B97F4A7C15);
	}
	return seed;
}

struct pickle *pickle_read(struct slice bytes, const struct pickle_limits *limits, size_t *ret_len,
			   struct pickle_error *error)
{
	struct pickle *pickle = pickle_build(memory_limit(bytes, limits));
	struct pickle_machine machine = {.start = bytes.data,
					 .at = bytes.data,
					 .end = bytes.data ? bytes.data + bytes.len : NULL,
					 .pickle = pickle,
					 .error = error};
	uint64_t seed = random_seed();

	*error = (struct pickle_error){.offset = 0};
	if (!pickle) {
		*error = (struct pickle_error){.is_memory = true, .text = "out of memory"};
		return NULL;
	}
	pickle_arena_init(&machine.work, &pickle->budget);
	pickle_memo_init(&machine.memo, &machine.work, seed);
	bool is_ok = pickle_run(&machine) && pickle_settle_keys(&machine, seed);
	pickle_arena_deinit(&machine.work);
	if (!is_ok) {
		pickle_free(pickle);
		return NULL;
	}
	if (ret_len)
		*ret_len = (size_t)(machine.at - machine.start);
	return pickle;
}
