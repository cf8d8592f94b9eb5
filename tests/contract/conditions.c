/* Conditional writes: every kind on an existing, a missing and an expired entry. */
#define CONTRACT_NEEDS BACKEND_CONDITIONS
#include "tests/contract/support.h"

static const struct cache_condition if_absent = {.kind = CONDITION_ABSENT};
static const struct cache_condition if_present = {.kind = CONDITION_PRESENT};

enum state { PRESENT, ABSENT, EXPIRED };

struct condition_case {
	const char *name;
	struct cache_condition condition;
	bool holds_if_present, holds_if_absent;
};

/* etags[0] is that of "current". */
static void make_cases(struct condition_case cases[static 8], struct etag etags[static 3])
{
	etags[0] = etag_of(SLICE("current"));
	etags[1] = etag_of(SLICE("other"));
	etags[2] = etag_of(SLICE("third"));

	const struct condition_case made[8] = {
		{"none", {CONDITION_NONE, NULL, 0}, true, true},
		{"absent", {CONDITION_ABSENT, NULL, 0}, false, true},
		{"present", {CONDITION_PRESENT, NULL, 0}, true, false},
		{"match its etag", {CONDITION_MATCH, &etags[0], 1}, true, false},
		{"match another etag", {CONDITION_MATCH, &etags[1], 2}, false, false},
		{"match one of three", {CONDITION_MATCH, etags, 3}, true, false},
		{"none match its etag", {CONDITION_NONE_MATCH, etags, 3}, false, true},
		{"none match another", {CONDITION_NONE_MATCH, &etags[1], 2}, true, true},
	};
	memcpy(cases, made, sizeof(made));
}

static void bring_to(struct fixture *f, enum state state)
{
	(void)delete_key(f, SLICE("key"));
	if (state == PRESENT)
		(void)set(f, SLICE("key"), SLICE("current"));
	if (state == EXPIRED) {
		(void)set_with_ttl(f, SLICE("key"), SLICE("current"), 1);
		advance_s(f, 2);
	}
}

CONTRACT_TEST(conditions, decide_on_set)
{
	struct condition_case cases[8];
	struct etag etags[3];

	make_cases(cases, etags);
	for (int i = 0; i < 8; i++) {
		for (enum state state = PRESENT; state <= EXPIRED; state++) {
			bool allowed = state == PRESENT ? cases[i].holds_if_present
							: cases[i].holds_if_absent;

			bring_to(f, state);
			struct cache_item item = item_of(SLICE("key"), SLICE("new"));
			item.condition = cases[i].condition;
			enum cache_status status = set_item(f, NS, &item);
			cr_expect_eq(status, allowed ? CACHE_OK : CACHE_PRECONDITION_FAILED,
				     "%s, state %d", cases[i].name, (int)state);
			cr_expect_eq(item.status, status);
			if (allowed) {
				cr_expect_eq(item.created, state != PRESENT, "%s, state %d",
					     cases[i].name, (int)state);
				cr_expect(holds(f, SLICE("key"), SLICE("new")));
			} else if (state == PRESENT) {
				cr_expect(holds(f, SLICE("key"), SLICE("current")));
			} else {
				cr_expect_not(exists(f, SLICE("key")));
			}
		}
	}
}

CONTRACT_TEST(conditions, decide_on_delete)
{
	struct condition_case cases[8];
	struct etag etags[3];

	make_cases(cases, etags);
	for (int i = 0; i < 8; i++) {
		for (enum state state = PRESENT; state <= EXPIRED; state++) {
			bool allowed = state == PRESENT ? cases[i].holds_if_present
							: cases[i].holds_if_absent;
			enum cache_status expected = !allowed           ? CACHE_PRECONDITION_FAILED
						     : state == PRESENT ? CACHE_OK
									: CACHE_NOT_FOUND;

			bring_to(f, state);
			cr_expect_eq(delete_if(f, SLICE("key"), cases[i].condition), expected,
				     "%s, state %d", cases[i].name, (int)state);
			cr_expect_eq(exists(f, SLICE("key")), state == PRESENT && !allowed,
				     "%s, state %d", cases[i].name, (int)state);
		}
	}
}

CONTRACT_TEST(conditions, hold_for_namespaces_that_do_not_exist)
{
	cr_expect_eq(delete_if(f, SLICE("key"), if_present), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(delete_if(f, SLICE("key"), if_absent), CACHE_NOT_FOUND);
	cr_expect_eq(set_if(f, SLICE("key"), SLICE("v"), if_present), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(set_if(f, SLICE("key"), SLICE("v"), if_absent), CACHE_OK);
}

CONTRACT_TEST_OF(BACKEND_STATS, conditions, failed_set_changes_nothing)
{
	(void)set_with_ttl(f, SLICE("key"), SLICE("current"), 100);
	use(f, SLICE("key"), 2);
	struct namespace_stats before = stats(f);

	advance_s(f, 1);
	cr_expect_eq(set_if(f, SLICE("key"), SLICE("a longer one"), if_absent),
		     CACHE_PRECONDITION_FAILED);
	struct namespace_stats after = stats(f);
	cr_expect_eq(after.max_frequency, before.max_frequency);
	cr_expect_eq(after.total_size_bytes, before.total_size_bytes);
	cr_expect_eq(after.sets, before.sets);
	struct cache_value *value = get_untouched(f, SLICE("key"));
	cr_assert(value);
	cr_expect_eq(value->modified_at_us, START_US);
	cr_expect_eq(value->expires_at_us, START_US + 100 * US_PER_S);
	cache_value_release(value);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, conditions, failed_set_evicts_nothing)
{
	set_max_size(f, 10000);
	for (unsigned i = 0; i < 10; i++)
		(void)set_used(f, text("%u", i), 1000);
	struct cache_item item = item_of(SLICE("0"), SLICE("v"));
	item.size_bytes = size_using(SLICE("0"), 9000);
	item.condition.kind = CONDITION_ABSENT;
	cr_expect_eq(set_item(f, NS, &item), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(stats(f).entry_count, 10);
}
