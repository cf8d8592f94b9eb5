/* The memory that an entry of the memory backend takes besides its key and value. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>

#include "store/find.h"
#include "tests/support/sanitized.h"

#define ENTRIES              200000
#define KEY_BYTES            16
#define VALUE_BYTES          100
#define OVERHEAD_LIMIT_BYTES 135

static size_t allocated_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd; /* on the heap and in separate mappings */
}

static void set(struct backend *backend, unsigned i)
{
	char key[KEY_BYTES + 1];
	char bytes[VALUE_BYTES];
	struct cache_op op;

	(void)snprintf(key, sizeof(key), "key-%012u", i);
	memset(bytes, 'x', sizeof(bytes));
	cache_op_init(&op, CACHE_OP_SET);
	op.ns = SLICE("n");
	op.one.key = slice_of(key);
	op.one.value = cache_value_copy((struct slice){.data = bytes, .len = sizeof(bytes)},
					SLICE(CONTENT_TYPE_TEXT));
	cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	cache_value_release(op.one.value);
	cache_op_deinit(&op);
}

Test(memory_overhead, of_an_entry_is_small, .timeout = 60)
{
	struct backend_config config = {0};
	char error[128] = "";

	if (IS_SANITIZED)
		cr_skip_test("a sanitizer's allocator counts otherwise");
	struct backend *backend = backend_find("memory")->open(&config, error, sizeof(error));
	cr_assert(backend, "%s", error);
	set(backend, 0); /* the namespace itself */

	size_t before = allocated_bytes();
	for (unsigned i = 1; i <= ENTRIES; i++)
		set(backend, i);
	double overhead_bytes =
		(double)(allocated_bytes() - before) / ENTRIES - KEY_BYTES - VALUE_BYTES;
	cr_log_info("overhead of an entry: %.1f bytes", overhead_bytes);
	cr_expect_lt(overhead_bytes, OVERHEAD_LIMIT_BYTES, "it is %.1f bytes", overhead_bytes);
	backend->ops->close(backend);
}
