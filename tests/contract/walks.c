/* Listings of many pages: long ones, several at once, and changes to the namespace meanwhile. Keys
 * are "<digits>" and those that the writers add between them. */
#include <pthread.h>
#include <stdio.h>

#define CONTRACT_NEEDS BACKEND_ORDERED_SCAN
#include "tests/contract/support.h"
#include "tests/support/sanitized.h"

#define DIGITS 6

static struct slice number_key(unsigned i)
{
	return text("%0*u", DIGITS, i);
}

/* Sets keys 0 to `count`, in an order other than byte order. */
static void set_numbers(struct fixture *f, unsigned count, int64_t ttl_s)
{
	enum { GROUP = 1000 };
	struct cache_item *items = calloc(GROUP, sizeof(*items));
	char(*keys)[DIGITS + 5] = calloc(GROUP, sizeof(*keys));

	const unsigned group = (unsigned)batch_of(f, GROUP);

	for (unsigned at = 0; at < count;) {
		struct cache_op op;
		unsigned in_group = 0;

		cache_op_init(&op, CACHE_OP_SET);
		for (; in_group < group && at < count; in_group++, at++) {
			/* 7919 is prime and no count is a multiple of it. */
			unsigned i = (unsigned)((uint64_t)at * 7919 % count);

			(void)snprintf(keys[in_group], sizeof(keys[0]), "%0*u", DIGITS, i);
			items[in_group] = item_of(slice_of(keys[in_group]), SLICE("v"));
			items[in_group].ttl_s = ttl_s;
		}
		op.ns = NS;
		op.items = items;
		op.item_count = in_group;
		cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
		for (unsigned i = 0; i < in_group; i++)
			cache_value_release(items[i].value);
		cache_op_deinit(&op);
	}
	free(items);
	free(keys);
}

/* ---- A walker ---- */

struct walker {
	struct fixture *f;
	struct slice prefix;
	size_t limit;
	char after_bytes[64];
	size_t after_len;
	unsigned pages;
	bool complete;
	uint64_t keys;
	unsigned *seen;    /* how often each number was met; may be NULL */
	const char *fault; /* static text, or NULL */
};

static struct slice after_of(const struct walker *walker)
{
	return (struct slice){.data = walker->after_bytes, .len = walker->after_len};
}

static void take_key(struct walker *walker, struct slice key)
{
	if (walker->keys++ > 0 && slice_compare(key, after_of(walker)) <= 0)
		walker->fault = "keys do not rise";
	if (key.len > sizeof(walker->after_bytes) || !slice_starts_with(key, walker->prefix)) {
		walker->fault = "a key that nobody set";
		return;
	}
	memcpy(walker->after_bytes, key.data, key.len);
	walker->after_len = key.len;
	if (walker->seen && key.len == DIGITS)
		walker->seen[strtoul(text("%.*s", DIGITS, key.data).data, NULL, 10)]++;
}

/* Gets one page. From any thread, so without assertions. */
static void step(struct walker *walker)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SCAN);
	op.ns = NS;
	op.prefix = walker->prefix;
	op.limit = walker->limit;
	op.has_after = walker->keys > 0;
	struct slice after = after_of(walker);
	op.after = after;
	if (backend_call(walker->f->backend, &op) != CACHE_OK)
		walker->fault = cache_status_text(op.status);
	for (size_t i = 0; i < op.entry_count && !walker->fault; i++)
		take_key(walker, op.entries[i].key);
	if (op.entry_count > walker->limit)
		walker->fault = "more than the limit";
	if (op.entry_count == 0 && !op.complete)
		walker->fault = "an empty page that is not the last";
	walker->complete = op.complete || walker->fault;
	walker->pages++;
	cache_op_deinit(&op);
}

static void *walk(void *arg)
{
	struct walker *walker = arg;

	while (!walker->complete)
		step(walker);
	return NULL;
}

static struct walker make_walker(struct fixture *f, size_t limit)
{
	return (struct walker){.f = f, .limit = limit};
}

static void expect_each_once(const struct walker *walker, unsigned first, unsigned end)
{
	cr_assert(!walker->fault, "%s", walker->fault);
	for (unsigned i = first; i < end; i++)
		cr_assert_eq(walker->seen[i], 1, "key %u was met %u times", i, walker->seen[i]);
}

/* ---- While others write ---- */

struct writer {
	struct fixture *f;
	unsigned count, index;
	atomic_bool *stop;
};

/* Adds and removes keys between those that stay, and overwrites these. */
static void *write_on(void *arg)
{
	struct writer *writer = arg;
	uint64_t random = writer->index;

	while (!atomic_load(writer->stop)) {
		unsigned i = next_random(&random) % writer->count;
		struct slice passing = text("%0*u passing %u", DIGITS, i, writer->index);

		(void)set(writer->f, passing, SLICE("v"));
		(void)set(writer->f, number_key(next_random(&random) % writer->count),
			  text("%u", i));
		if (next_random(&random) % 2)
			(void)delete_key(writer->f, passing);
	}
	return NULL;
}

#define WRITERS 2
#define WALKERS 3

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, walks, meet_each_key_that_stays_once)
{
	/* A sanitizer finds in hundreds of pages what it finds in thousands. */
	const unsigned count = rounds_of(f, IS_SANITIZED ? 20000 : 100000, 3000);
	struct writer writers[WRITERS];
	struct walker walkers[WALKERS];
	pthread_t threads[WRITERS + WALKERS];
	atomic_bool stop = false;

	set_max_size(f, 0);
	set_numbers(f, count, 0);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){f, count, i, &stop};
		cr_assert_eq(pthread_create(&threads[i], NULL, write_on, &writers[i]), 0);
	}
	for (unsigned i = 0; i < WALKERS; i++) {
		walkers[i] = make_walker(f, i == 0 ? 1000 : 217 * i);
		walkers[i].seen = calloc(count, sizeof(unsigned));
		cr_assert_eq(pthread_create(&threads[WRITERS + i], NULL, walk, &walkers[i]), 0);
	}
	for (unsigned i = 0; i < WALKERS; i++)
		(void)pthread_join(threads[WRITERS + i], NULL);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < WRITERS; i++)
		(void)pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < WALKERS; i++) {
		expect_each_once(&walkers[i], 0, count);
		free(walkers[i].seen);
	}
}

/* ---- Begun afresh ---- */

CONTRACT_TEST(walks, begun_afresh_see_what_was_set_before)
{
	const unsigned count = rounds_of(f, 6000, 4000);
	const unsigned rounds = 8;
	struct walker old = make_walker(f, 100);

	set_numbers(f, count, 0);
	old.seen = calloc(count, sizeof(unsigned));
	for (unsigned round = 0; round < rounds; round++) {
		/* What is kept for the earlier listings lacks the new key. */
		step(&old);
		step(&old);
		struct slice key = text("%0*u new", DIGITS, count - 1 - round);
		cr_assert_eq(set(f, key, SLICE("v")), CACHE_OK);
		/* In step with the old one, and from the beginning. */
		struct walker fresh = make_walker(f, 100);
		fresh.seen = calloc(count, sizeof(unsigned));
		(void)walk(&fresh);
		expect_each_once(&fresh, 0, count);
		cr_assert_eq(fresh.keys, count + round + 1, "all that are new, in round %u", round);
		free(fresh.seen);
	}
	(void)walk(&old);
	expect_each_once(&old, 0, count);
	free(old.seen);
}

CONTRACT_TEST(walks, see_with_an_old_cursor_what_is_new)
{
	const unsigned count = rounds_of(f, 3000, 4000);
	struct slice after = number_key(500);
	struct cache_op op;

	set_numbers(f, count, 0);
	scan(f, &op, SLICE(""), &after, 10);
	cache_op_deinit(&op);
	cr_assert_eq(set(f, SLICE("000500 new"), SLICE("v")), CACHE_OK);
	advance_s(f, 3600);
	after = number_key(500);
	scan(f, &op, SLICE(""), &after, 1);
	cr_assert_eq(op.entry_count, 1);
	cr_expect(slice_equal(op.entries[0].key, SLICE("000500 new")));
	cache_op_deinit(&op);
}

/* ---- What is gone, changed or expired meanwhile ---- */

CONTRACT_TEST(walks, show_entries_as_they_are)
{
	const unsigned count = rounds_of(f, 3000, 4000);
	struct walker walker = make_walker(f, 50);

	set_numbers(f, count, 0);
	walker.seen = calloc(count, sizeof(unsigned));
	step(&walker);
	step(&walker);
	for (unsigned i = 200; i < 600; i++)
		if (i != 333)
			cr_assert_eq(delete_key(f, number_key(i)), CACHE_OK);
	cr_assert_eq(set(f, number_key(333), SLICE("longer")), CACHE_OK);
	struct slice after = number_key(150);
	struct cache_op op;
	scan(f, &op, SLICE(""), &after, 60);
	cr_assert_eq(op.entry_count, 60, "a page goes on to fill up");
	cr_expect(slice_equal(op.entries[49].key, number_key(333)));
	cr_expect_eq(op.entries[49].size_bytes, strlen("longer"));
	cr_expect(slice_equal(op.entries[50].key, number_key(600)));
	cache_op_deinit(&op);
	(void)walk(&walker);
	expect_each_once(&walker, 0, 200);
	expect_each_once(&walker, 600, count);
	cr_expect_eq(walker.keys, count - 399);
	free(walker.seen);
}

CONTRACT_TEST(walks, tell_whether_more_follows)
{
	const unsigned count = rounds_of(f, 1500, 1200);
	struct slice after = number_key(count - 31);
	struct cache_op op;

	set_numbers(f, count, 0);
	scan(f, &op, SLICE(""), &after, 30);
	cr_expect_eq(op.entry_count, 30);
	cr_expect(op.complete);
	cache_op_deinit(&op);
	scan(f, &op, SLICE(""), &after, 29);
	cr_expect_eq(op.entry_count, 29);
	cr_expect_not(op.complete);
	cache_op_deinit(&op);
	(void)delete_key(f, number_key(count - 1));
	after = number_key(count - 31);
	scan(f, &op, SLICE(""), &after, 29);
	cr_expect_eq(op.entry_count, 29);
	cr_expect(op.complete, "the one behind is gone");
	cache_op_deinit(&op);
}

CONTRACT_TEST(walks, of_a_namespace_that_is_cleared_end)
{
	const unsigned count = rounds_of(f, 5000, 4000);
	struct walker walker = make_walker(f, 100);

	set_numbers(f, count, 0);
	for (unsigned i = 0; i < 4; i++)
		step(&walker);
	clear(f, SLICE(""));
	step(&walker);
	cr_assert(!walker.fault, "%s", walker.fault);
	cr_expect(walker.complete);
	cr_expect_eq(walker.keys, 400);

	/* And continue with what exists then. */
	set_numbers(f, count, 0);
	walker.seen = calloc(count, sizeof(unsigned));
	walker.complete = false;
	(void)walk(&walker);
	expect_each_once(&walker, 400, count);
	free(walker.seen);
}

CONTRACT_TEST(walks, leave_out_what_expires)
{
	const unsigned count = rounds_of(f, 2500, 4000);
	struct walker walker = make_walker(f, 100);

	set_numbers(f, count, 2);
	cr_assert_eq(set_with_ttl(f, number_key(count / 2), SLICE("v"), 0), CACHE_OK);
	for (unsigned i = 0; i < 3; i++)
		step(&walker);
	cr_expect_eq(walker.keys, 300);
	advance_s(f, 3);
	step(&walker);
	cr_assert(!walker.fault, "%s", walker.fault);
	cr_expect_eq(walker.keys, 301);
	cr_expect(slice_equal(after_of(&walker), number_key(count / 2)));
	cr_expect(walker.complete);
}

/* ---- Many at once ---- */

CONTRACT_TEST(walks, of_many_prefixes_do_not_mix)
{
	const unsigned count = rounds_of(f, 4000, 8000);
	struct walker walkers[10];
	bool goes_on = true;

	set_numbers(f, count, 0);
	for (unsigned i = 0; i < 10; i++) {
		walkers[i] = make_walker(f, 7 + 40 * i);
		walkers[i].seen = calloc(count, sizeof(unsigned));
	}
	walkers[2].prefix = SLICE("0010");
	walkers[5].prefix = SLICE("000");
	walkers[6].prefix = SLICE("00000");
	walkers[8].prefix = SLICE("9");
	while (goes_on) {
		goes_on = false;
		for (unsigned i = 0; i < 10; i++) {
			if (!walkers[i].complete)
				step(&walkers[i]);
			goes_on |= !walkers[i].complete;
		}
	}
	for (unsigned i = 0; i < 10; i++) {
		bool is_whole = walkers[i].prefix.len == 0;

		if (is_whole)
			expect_each_once(&walkers[i], 0, count);
		cr_assert(!walkers[i].fault, "%s", walkers[i].fault);
		if (is_whole)
			cr_expect_eq(walkers[i].keys, count);
		free(walkers[i].seen);
	}
	cr_expect_eq(walkers[2].keys, 100);
	cr_expect_eq(walkers[5].keys, 1000);
	cr_expect_eq(walkers[6].keys, 10);
	cr_expect_eq(walkers[8].keys, 0);
}
