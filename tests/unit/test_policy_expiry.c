/* The expiry heap against a search through all nodes. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "store/policy/check.h"
#include "tests/support/random.h"

#define TIMED 400

struct timed {
	struct expiry_node node; /* first */
	int64_t expires_at_us;
};

static struct timed *make_timed(int64_t expires_at_us)
{
	struct timed *timed = malloc(sizeof(*timed));

	cr_assert(timed);
	timed->expires_at_us = expires_at_us;
	return timed;
}

static struct timed *due_of(const struct expiry *expiry, int64_t now_us)
{
	return (struct timed *)expiry_due(expiry, now_us);
}

static int64_t earliest(struct timed *const *timed)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < TIMED; i++)
		if (timed[i] && timed[i]->expires_at_us < least)
			least = timed[i]->expires_at_us;
	return least;
}

Test(expiry, the_next_is_always_the_earliest)
{
	struct timed *timed[TIMED] = {0};
	struct expiry expiry = {0};
	size_t count = 0;

	for (int step = 0; step < 8000; step++) {
		size_t i = random_below(TIMED);

		if (timed[i]) {
			expiry_remove(&expiry, &timed[i]->node);
			free(timed[i]);
			timed[i] = NULL;
			count--;
		} else if (step / 1000 % 3 != 2) { /* every third phase only removes */
			cr_assert(expiry_reserve(&expiry, 1));
			timed[i] = make_timed(1 + (int64_t)random_below(1000));
			expiry_add(&expiry, &timed[i]->node, timed[i]->expires_at_us);
			count++;
		}
		cr_assert_eq(expiry.count, count);
		cr_assert_null(policy_expiry_check(&expiry), "%s", policy_expiry_check(&expiry));
		int64_t least = earliest(timed);
		struct timed *due = due_of(&expiry, INT64_MAX);
		cr_assert_eq(due != NULL, count > 0);
		cr_assert(!due || due->expires_at_us == least);
		cr_assert(!due || due_of(&expiry, least) == due);
		cr_assert_null(due_of(&expiry, least - 1));
	}
	for (size_t i = 0; i < TIMED; i++)
		free(timed[i]);
	expiry_deinit(&expiry);
}

Test(expiry, drains_in_order_and_gives_memory_back)
{
	struct expiry expiry = {0};
	int64_t last_us = 0;

	cr_assert(expiry_reserve(&expiry, 5000));
	size_t capacity = expiry.capacity;
	for (int i = 0; i < 5000; i++) {
		struct timed *timed = make_timed(1 + (int64_t)random_below(3000));

		expiry_add(&expiry, &timed->node, timed->expires_at_us);
	}
	cr_expect_eq(expiry.capacity, capacity, "what was reserved sufficed");
	for (int i = 0; i < 5000; i++) {
		struct timed *due = due_of(&expiry, INT64_MAX);

		cr_assert_geq(due->expires_at_us, last_us);
		last_us = due->expires_at_us;
		expiry_remove(&expiry, &due->node);
		expiry_trim(&expiry);
		free(due);
	}
	cr_expect_null(due_of(&expiry, INT64_MAX));
	cr_expect_lt(expiry.capacity, 100);
	expiry_deinit(&expiry);
}
