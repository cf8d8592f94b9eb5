/* The eviction orders against a search through all entries. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/policy/check.h"
#include "tests/support/random.h"

#define ENTRIES 150

static struct order order;
static struct order_node *entries[ENTRIES]; /* the model; NULL: absent */
static size_t entry_count;
static uint64_t next_stamp;
static int64_t now_us;

static void open_order(enum eviction_policy policy)
{
	now_us = INT64_C(1700000000000000);
	order_init(&order, policy);
	cr_expect_eq(order_max_frequency(&order), 0);
	cr_assert(order_prepare(&order));
}

static struct order_node *make_node(uint8_t owner_flags)
{
	struct order_node *node = malloc(sizeof(*node));

	cr_assert(node);
	*node = (struct order_node){.frequency = 1, .owner_flags = owner_flags};
	return node;
}

static void close_order(void)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		free(entries[i]);
		entries[i] = NULL;
	}
	order_deinit(&order);
}

static void add(size_t i)
{
	entries[i] = make_node(0);
	entries[i]->last_access_us = now_us;
	entries[i]->stamp = ++next_stamp;
	order_add(&order, entries[i]);
	entry_count++;
}

static void remove_at(size_t i)
{
	order_remove(&order, entries[i]);
	free(entries[i]);
	entries[i] = NULL;
	entry_count--;
}

static void swap(size_t i)
{
	struct order_node *fresh = make_node(1);
	bool pinned = entries[i]->pinned;

	order_swap(&order, entries[i], fresh);
	cr_assert_eq(fresh->owner_flags, 1);
	cr_assert_not(fresh->pinned);
	fresh->pinned = pinned;
	free(entries[i]);
	entries[i] = fresh;
}

/* ---- The model ---- */

static unsigned __int128 age_of(const struct order_node *entry)
{
	return 1000000 + (unsigned __int128)(now_us > entry->last_access_us
						     ? now_us - entry->last_access_us
						     : 0);
}

/* A second implementation of the rules: frequency / (1 + age), then last access, then creation. */
static bool goes_first(enum eviction_policy policy, const struct order_node *a,
		       const struct order_node *b)
{
	if (policy == EVICT_FRECENCY) {
		unsigned __int128 left = a->frequency * age_of(b);
		unsigned __int128 right = b->frequency * age_of(a);

		if (left != right)
			return left < right;
	}
	if (policy != EVICT_FIFO && a->last_access_us != b->last_access_us)
		return a->last_access_us < b->last_access_us;
	return a->stamp < b->stamp;
}

static struct order_node *search_first(enum eviction_policy policy)
{
	struct order_node *first = NULL;

	for (size_t i = 0; i < ENTRIES; i++)
		if (entries[i] && !entries[i]->pinned &&
		    (!first || goes_first(policy, entries[i], first)))
			first = entries[i];
	return first;
}

static void expect_as_model(void)
{
	uint32_t most = 0;
	uint64_t sum = 0;

	cr_assert_eq(order_candidate(&order, now_us), search_first(order.policy));
	for (size_t i = 0; i < ENTRIES; i++)
		if (entries[i]) {
			most = entries[i]->frequency > most ? entries[i]->frequency : most;
			sum += entries[i]->frequency;
		}
	cr_assert_eq(order_max_frequency(&order), most);
	cr_assert_eq(order.frequency_sum, sum);
	cr_assert_null(policy_order_check(&order, true), "%s", policy_order_check(&order, true));
}

/* ---- Random traffic ---- */

static void evict_candidate(void)
{
	struct order_node *victim = order_candidate(&order, now_us);

	for (size_t i = 0; victim && i < ENTRIES; i++)
		if (entries[i] == victim) {
			remove_at(i);
			return;
		}
	cr_assert_null(victim, "the victim is none of the entries");
}

static void step_at(size_t i)
{
	uint64_t what = random_below(100);

	if (!entries[i]) {
		if (what < 60)
			add(i);
		return;
	}
	if (what < 75) {
		uint32_t frequency = entries[i]->frequency;

		order_use(&order, entries[i], now_us);
		cr_assert_eq(entries[i]->frequency, frequency + 1);
		cr_assert_eq(entries[i]->last_access_us, now_us);
	} else if (what < 80) {
		remove_at(i);
	} else if (what < 85) {
		swap(i);
	} else if (what < 90) {
		entries[i]->pinned = !entries[i]->pinned;
	} else {
		evict_candidate();
	}
}

/* Some entries are hot, most are not. The clock stands still, ticks or leaps. */
static void run_random_traffic(bool changes_policy)
{
	for (int step = 0; step < 30000; step++) {
		size_t i = random_below(3) ? random_below(10) : random_below(ENTRIES);
		static const uint64_t leaps[] = {1, 2, 1000, 3000000, 90000000};

		now_us += (int64_t)random_below(leaps[random_below(5)]);
		step_at(i);
		if (changes_policy && random_below(200) == 0)
			order_set_policy(&order, (enum eviction_policy)random_below(3));
		expect_as_model();
	}
	cr_assert_gt(order_max_frequency(&order), 20, "the traffic has no hot entry");
}

Test(order, frecency_is_the_first_of_a_search_through_all)
{
	open_order(EVICT_FRECENCY);
	run_random_traffic(false);
	close_order();
}

Test(order, lru_is_the_first_of_a_search_through_all)
{
	open_order(EVICT_LRU);
	run_random_traffic(false);
	close_order();
}

Test(order, fifo_is_the_first_of_a_search_through_all)
{
	open_order(EVICT_FIFO);
	run_random_traffic(false);
	close_order();
}

Test(order, holds_when_the_policy_changes_in_between)
{
	open_order(EVICT_FIFO);
	run_random_traffic(true);
	close_order();
}

/* ---- Rare cases ---- */

static void expect_all_drain(void)
{
	size_t drained = 0;

	for (; order_candidate(&order, now_us); drained++)
		evict_candidate();
	cr_expect_eq(drained, ENTRIES);
	cr_expect_eq(entry_count, 0);
}

Test(order, no_entry_is_lost_where_the_clock_stands_still)
{
	for (int policy = EVICT_FRECENCY; policy <= EVICT_FIFO; policy++) {
		open_order((enum eviction_policy)policy);
		for (size_t i = 0; i < ENTRIES; i++)
			add(i);
		for (size_t i = 0; i < 1000; i++)
			order_use(&order, entries[random_below(ENTRIES)], now_us);
		expect_all_drain();
		close_order();
	}
}

Test(order, no_entry_is_lost_where_the_clock_goes_back)
{
	for (int policy = EVICT_FRECENCY; policy <= EVICT_FIFO; policy++) {
		open_order((enum eviction_policy)policy);
		for (size_t i = 0; i < ENTRIES; i++) {
			add(i);
			now_us -= 1000000;
			order_use(&order, entries[random_below(i + 1)], now_us);
		}
		order_set_policy(&order, EVICT_LRU);
		order_set_policy(&order, EVICT_FRECENCY);
		expect_all_drain();
		close_order();
	}
}

Test(order, entries_of_one_microsecond_go_in_the_order_of_their_creation)
{
	open_order(EVICT_LRU);
	for (size_t i = 0; i < 20; i++)
		add(i);
	now_us++;
	for (size_t i = 20; i-- > 0;) /* used in the opposite order */
		order_use(&order, entries[i], now_us);
	for (size_t i = 0; i < 20; i++) {
		cr_expect_eq(order_candidate(&order, now_us), entries[i], "entry %zu", i);
		remove_at(i);
	}
	close_order();
}

Test(order, where_all_are_pinned_there_is_no_candidate)
{
	for (int policy = EVICT_FRECENCY; policy <= EVICT_FIFO; policy++) {
		open_order((enum eviction_policy)policy);
		cr_expect_null(order_candidate(&order, now_us), "nor in an empty order");
		for (size_t i = 0; i < 5; i++) {
			add(i);
			entries[i]->pinned = 1;
		}
		cr_expect_null(order_candidate(&order, now_us));
		entries[3]->pinned = 0;
		cr_expect_eq(order_candidate(&order, now_us), entries[3]);
		close_order();
	}
}

Test(order, a_frequency_that_cannot_be_counted_stays)
{
	open_order(EVICT_FRECENCY);
	add(0);
	add(1);
	order_use(&order, entries[0], now_us);
	/* The only one of its frequency: as if it had been used that often. */
	entries[0]->frequency = UINT32_MAX;
	order.classes.blocks[0].classes[1].frequency = UINT32_MAX;
	order.frequency_sum = (uint64_t)UINT32_MAX + 1;
	now_us += 1000000;
	order_use(&order, entries[0], now_us);
	cr_expect_eq(entries[0]->frequency, UINT32_MAX);
	cr_expect_eq(entries[0]->last_access_us, now_us, "but the use counts");
	expect_as_model();
	close_order();
}

/* The search must not end before a class whose oldest entry goes first. */
Test(order, an_old_hot_entry_goes_before_a_fresh_cold_one)
{
	open_order(EVICT_FRECENCY);
	add(0);
	for (int i = 0; i < 4; i++)
		order_use(&order, entries[0], now_us);
	now_us += 1000 * US_PER_S;
	add(1);
	cr_expect_eq(order_candidate(&order, now_us), entries[0]);
	close_order();
}

Test(order, also_where_the_clock_had_gone_back_when_it_was_used)
{
	open_order(EVICT_FRECENCY);
	add(0);
	add(1);
	cr_expect_eq(order_candidate(&order, now_us), entries[0]);
	for (int i = 0; i < 4; i++)
		order_use(&order, entries[0], now_us - 1000 * US_PER_S);
	cr_expect_eq(order_candidate(&order, now_us), entries[0]);
	close_order();
}

Test(order, new_entries_keep_apart_from_the_first_once_it_was_used)
{
	open_order(EVICT_FRECENCY);
	add(0);
	order_use(&order, entries[0], now_us);
	now_us += US_PER_S / 10;
	add(1);
	expect_as_model();
	cr_expect_eq(order_candidate(&order, now_us), entries[1]);
	close_order();
}

/* The result of a search is not valid any more once a head has been added that goes first at
 * another time, later or (a clock that was set back) earlier. */
Test(order, a_head_that_came_after_a_search_is_not_forgotten)
{
	int64_t used_us;

	open_order(EVICT_FRECENCY);
	used_us = now_us;
	add(0);
	for (int i = 0; i < 99; i++)
		order_use(&order, entries[0], used_us);
	now_us = used_us + 99 * US_PER_S;
	cr_expect_eq(order_candidate(&order, now_us), entries[0]);
	add(1);
	order_use(&order, entries[1], now_us);
	cr_expect_eq(order_candidate(&order, now_us), entries[0], "1 is less than 2");
	now_us += 10 * US_PER_S;
	cr_expect_eq(order_candidate(&order, now_us), entries[1], "2 / 11 is less than 100 / 110");
	cr_expect_eq(order_candidate(&order, used_us + US_PER_S), entries[1],
		     "2 is less than 100 / 2");
	now_us -= 10 * US_PER_S;
	expect_as_model();
	cr_expect_eq(order_candidate(&order, used_us + US_PER_S), entries[1]);
	close_order();
}

/* ---- The check itself ---- */

static void expect_broken(const char *sentence)
{
	const char *broken = policy_order_check(&order, true);

	cr_assert(broken, "nothing is found, not even: %s", sentence);
	cr_expect_str_eq(broken, sentence);
}

Test(order, the_check_finds_damage)
{
	struct order_node *hot;
	struct order_node outside;

	open_order(EVICT_FRECENCY);
	for (size_t i = 0; i < 9; i++)
		add(i);
	now_us += US_PER_S;
	for (size_t i = 0; i < 4; i++)
		for (size_t uses = 0; uses <= i / 2; uses++)
			order_use(&order, entries[i], now_us++);
	cr_assert(order_candidate(&order, now_us));
	cr_assert_null(policy_order_check(&order, true));

	hot = entries[2];
	hot->last_access_us += US_PER_S;
	expect_broken("a list is not sorted");
	hot->last_access_us -= US_PER_S;
	hot->frequency = 77;
	expect_broken("a node's frequency has no class");
	hot->frequency = 1;
	expect_broken("a node is in the list of another frequency");
	hot->frequency = 3;
	order.frequency_sum++;
	expect_broken("the sum of the frequencies is another");
	order.frequency_sum--;
	order.classes.blocks->least = 2;
	expect_broken("a class is below the least of its block, or one of an earlier block is not");
	order.classes.blocks->least = 0;
	outside = *order.classes.blocks->first;
	outside.last_access_us--;
	order.classes.blocks->first = &outside;
	expect_broken("the first of a block is the head of no class");
	order.classes.blocks->first = hot;
	expect_broken("a head goes before the one that is known to be the first");
	close_order();
}
