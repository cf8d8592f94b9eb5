/* Which entry is evicted after histories, uses and time have brought the scores into any order:
 * each time the one whose score, as a listing shows it, is the lowest. */
#include <stdio.h>

#define CONTRACT_NEEDS                                                                             \
	(BACKEND_STATS | BACKEND_EXACT_EVICTION | BACKEND_ORDERED_SCAN | BACKEND_HISTORY)
#include "tests/contract/support.h"

#define ENTRIES 60

static double score_of(const struct cache_entry_info *info, int64_t now_us)
{
	return (double)info->frequency /
	       (1 + (double)(now_us - info->last_access_us) / (double)US_PER_S);
}

/* Finds the entry with the lowest score, and how many entries there are; false if another score is
 * too close. */
static bool find_lowest(struct fixture *f, char key[static 32], size_t *ret_count)
{
	int64_t now_us = atomic_load(&f->now_us);
	double lowest = 0, second = 0;
	size_t lowest_at = 0;
	struct cache_op op;

	scan(f, &op, SLICE(""), NULL, 2 * ENTRIES);
	for (size_t i = 0; i < op.entry_count; i++) {
		double score = score_of(&op.entries[i], now_us);

		if (i == 0 || score < lowest) {
			second = i == 0 ? score * 2 : lowest;
			lowest = score;
			lowest_at = i;
		} else if (score < second) {
			second = score;
		}
	}
	(void)snprintf(key, 32, "%.*s", (int)op.entries[lowest_at].key.len,
		       op.entries[lowest_at].key.data);
	*ret_count = op.entry_count;
	cache_op_deinit(&op);
	return lowest < second * (1 - 1e-9);
}

static void restore(struct fixture *f, unsigned i, uint64_t *random, unsigned frequencies)
{
	int64_t now_us = atomic_load(&f->now_us);
	struct cache_history history = {
		.frequency = 1 + next_random(random) % (1 + next_random(random) % frequencies),
		.created_at_us = now_us - INT64_C(100000) * US_PER_S,
	};
	struct cache_item item = item_of(text("%u", i), SLICE("v"));

	history.last_access_us =
		now_us -
		(int64_t)(1 + next_random(random) % (1 + next_random(random) % 80000)) * US_PER_S -
		next_random(random) % US_PER_S;
	item.history = &history;
	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
}

static void live(struct fixture *f, unsigned frequencies, unsigned leap_s, uint64_t random)
{
	unsigned compared = 0;
	unsigned next = 0;

	clear(f, SLICE(""));
	for (; next < ENTRIES; next++)
		restore(f, next, &random, frequencies);
	for (unsigned round = 0; round < rounds_of(f, 1000, 600); round++) {
		char victim[32];
		size_t count;

		advance_us(f, (int64_t)next_random(&random) % (leap_s * US_PER_S));
		for (unsigned i = next_random(&random) % 4; i > 0; i--)
			use(f, text("%u", next_random(&random) % next), 1);
		if (next_random(&random) % 20 == 0)
			(void)delete_key(f, text("%u", next_random(&random) % next));
		if (next_random(&random) % 30 == 0)
			restore(f, next++, &random, frequencies);
		bool is_clear = find_lowest(f, victim, &count);
		cr_assert_eq(set(f, text("%u", next), SLICE("v")), CACHE_OK);
		use(f, text("%u", next++), next_random(&random) % 5);
		cr_assert_eq(stats(f).entry_count, count < ENTRIES ? count + 1 : ENTRIES);
		if (!is_clear || count < ENTRIES)
			continue;
		cr_assert_not(exists(f, slice_of(victim)), "%s should have gone in round %u",
			      victim, round);
		compared++;
	}
	cr_expect_gt(compared, 100);
}

CONTRACT_TEST(victims, have_the_lowest_score)
{
	if (f->is_remote || f->is_tiered)
		cr_skip("uses are hidden here, or too slow");
	set_policy(f, EVICT_FRECENCY);
	set_max_size(f, 0);
	set_capacity(f, ENTRIES);
	live(f, 5, 10, 1);
	live(f, 300, 1, 2);
	live(f, 300, 600, 3);
	live(f, 20000, 60, 4);
}
