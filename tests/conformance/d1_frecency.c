/* The size limit of /api: what is evicted, when, and what counts. */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>

static void open_with_frecency(void)
{
	conformance_open();
	/* The default of a cache in memory differs (FIFO). */
	if (!lacks_feature("eviction"))
		expect_that(configure("'eviction':'frecency'"), answer_->status / 100 == 2,
			    "expected success");
}

TestSuite(d1_frecency, .init = open_with_frecency, .fini = conformance_close,
	  .timeout = SUITE_TIMEOUT_S);

static void use(const char *key, int times)
{
	for (int i = 0; i < times; i++)
		expect_status(d1("get", "'key':'%s'", key), 200);
}

/* Expects exactly those of the keys a, b, c, ... that `present` names. */
static void expect_present(const char *among, const char *present)
{
	for (const char *key = among; *key; key++) {
		char name[2] = {*key, '\0'};

		cr_assert_eq(must_exist_or_not(name), strchr(present, *key) != NULL,
			     "key %s: of %s exactly %s should be there", name, among, present);
	}
}

Test(d1_frecency, nothing_goes_while_all_fits)
{
	requires_feature("limits");
	must_init_bytes(10000 * partitions());
	for (const char *key = "abcde"; *key; key++)
		must_set_used((char[]){*key, 0}, 2000);
	cr_assert_eq(d1_stat("used_bytes"), 10000);
	expect_present("abcde", "abcde");
}

Test(d1_frecency, a_full_cache_shrinks_to_four_fifths_by_lowest_score)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	must_init_bytes(10000);
	for (const char *key = "abcde"; *key; key++)
		must_set_used((char[]){*key, 0}, 2000);
	use("a", 20);
	/* 10000 + 2000 > 10000: down to 6000, so two go, the oldest of those used once. */
	must_set_used("f", 2000);
	expect_present("abcdef", "adef");
	cr_assert_eq(d1_stat("used_bytes"), 8000);
	/* 8000 + 2000 fits. */
	must_set_used("g", 2000);
	expect_present("abcdefg", "adefg");
	/* And again: d and e. */
	must_set_used("h", 2000);
	expect_present("abcdefgh", "afgh");
}

Test(d1_frecency, frequency_outweighs_a_little_age)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	must_init_bytes(10000);
	for (const char *key = "abcde"; *key; key++)
		must_set_used((char[]){*key, 0}, 2000);
	use("a", 40);
	use("b", 30);
	use("d", 20);
	must_set_used("f", 2000);
	expect_present("abcdef", "abdf");
}

Test(d1_frecency, an_overwrite_counts_as_a_use)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	must_init_bytes(10000);
	for (const char *key = "abcde"; *key; key++)
		must_set_used((char[]){*key, 0}, 2000);
	for (int i = 0; i < 20; i++)
		must_set_used("a", 2000);
	must_set_used("f", 2000);
	expect_present("abcdef", "adef");
}

Test(d1_frecency, an_item_larger_than_the_limit_is_refused_and_nothing_is_lost)
{
	requires_feature("limits");
	must_init_bytes(10000 * partitions());
	must_set_used("a", 3000);
	must_set_used("b", 3000);
	expect_d1_error(d1("set", "'key':'c','value':'v','size':9847"), 413, "");
	expect_present("abc", "ab");
	/* The old version of an overwritten key stays, too. */
	expect_d1_error(d1("set", "'key':'a','value':'v','size':9847"), 413, "");
	expect_present("abc", "ab");
	cr_assert_eq(d1_stat("used_bytes"), 6000);
	must_set_used("c", 10000);
	if (!lacks_feature("exact-eviction"))
		expect_present("abc", "c");
}

Test(d1_frecency, a_large_entry_with_the_lowest_score_goes_and_the_limit_holds)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	must_init_bytes(10000);
	must_set_used("a", 7000);
	must_set_used("b", 1000);
	must_set_used("c", 1000);
	must_set_used("d", 1000);
	use("b", 20);
	use("c", 20);
	use("d", 20);
	must_set_used("e", 2000);
	expect_present("abcde", "bcde");
	cr_assert_eq(d1_stat("used_bytes"), 5000);
}

Test(d1_frecency, an_overwrite_near_the_limit_counts_the_difference)
{
	requires_feature("limits");
	must_init_bytes(10000 * partitions());
	must_set_used("a", 4000);
	must_set_used("b", 4000);
	must_set_used("a", 5000);
	must_set_used("a", 6000);
	expect_present("ab", "ab");
	cr_assert_eq(d1_stat("used_bytes"), 10000);
}

Test(d1_frecency, an_overwritten_entry_is_never_its_own_victim)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	must_init_bytes(10000);
	must_set_used("a", 1000);
	must_set_used("b", 4500);
	must_set_used("c", 4500);
	use("b", 20);
	/* 9000 + 3000 > 10000: b or c must go; a has the lowest score, and stays. */
	must_set_used("a", 3000);
	expect_present("abc", "ab");
	expect_status(d1("get", "'key':'a'"), 200);
	cr_assert_eq(d1_stat("used_bytes"), 7500);
}

Test(d1_frecency, an_understated_size_does_not_get_past_the_limit)
{
	requires_feature("limits");
	must_init_bytes(5000 * partitions());
	must_set_sized("a", 3000, 0);
	cr_assert_eq(d1_stat("total_size"), 3000);
	cr_assert_eq(d1_stat("used_bytes"), 3000 + TEXT_ENTRY_USED("a"));
	must_set_sized("b", 3000, 1);
	if (!lacks_feature("exact-eviction")) {
		cr_assert_eq(d1_stat("total_size"), 3000);
		expect_present("ab", "b");
	}
	/* More than the limit, whatever its declared size. */
	expect_status(d1("set", "'key':'c','size':1,'value':'%05001d'", 0), 413);
	expect_present("bc", "b");
}

Test(d1_frecency, a_missing_size_is_the_byte_length)
{
	expect_d1(d1("set", "'key':'a','value':'12345'"), 200, "{'success':true}");
	cr_assert_eq(d1_stat("total_size"), 5);
	/* Bytes, not characters. */
	expect_d1(d1("set", "'key':'a','value':'\xc3\xa9\xf0\x9f\x98\x80'"), 200,
		  "{'success':true}");
	cr_assert_eq(d1_stat("total_size"), 6);
	expect_d1(d1("batch/set", "'items':[{'key':'b','value':'1234'}]"), 200, "{'success':true}");
	cr_assert_eq(d1_stat("total_size"), 10);
}

/* A batch of `count` entries that count `used_bytes` each, with four-digit keys from `first` on. */
static void set_many(size_t first, size_t count, size_t used_bytes)
{
	size_t size = used_bytes - TEXT_ENTRY_USED("k1000");
	char *json = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&json, &len);

	(void)fprintf(out, "{\"cache_name\":\"%s\",\"items\":[", ns);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(out, "%s{\"key\":\"k%zu\",\"value\":\"%0*zu\",\"size\":%zu}",
			      i ? "," : "", first + i, (int)size, i, size);
	(void)fputs("]}", out);
	(void)fclose(out);
	expect_d1(http_post_json(client, "/api/batch/set", json), 200, "{'success':true}");
	free(json);
}

/* The original answers "too many SQL variables" here, and to every later write. */
Test(d1_frecency, a_full_cache_of_small_entries_does_not_get_stuck)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	must_init_bytes(600000);
	set_many(1000, 3000, 200);
	cr_assert_eq(d1_stat("entry_count"), 3000);
	/* Down to 480000 - 300000: 2100 entries go in one write. */
	must_set_used("big", 300000);
	cr_assert_eq(d1_stat("entry_count"), 901);
	cr_assert_eq(d1_stat("used_bytes"), 480000);
	for (int i = 0; i < 5; i++) {
		must_set_used("big", 300000);
		must_set_used("another", 250000);
		cr_assert_leq(d1_stat("used_bytes"), 600000);
	}
}

Test(d1_frecency, a_batch_evicts_others_but_not_itself)
{
	requires_feature("limits");
	must_init_bytes(200000);
	set_many(1000, 500, 200);
	set_many(1500, 500, 200);
	set_many(5000, 700, 200);
	cr_assert_leq(d1_stat("used_bytes"), 200000);
	for (size_t i = 5000; i < 5700; i += 100)
		cr_assert(must_exist_or_not(quoted("k%zu", i)), "k%zu", i);
}

Test(d1_frecency, many_small_writes_into_a_full_cache_hold_the_limit)
{
	const unsigned count = rounds_of(partitions() == 1 ? 400 : 100 * partitions());

	requires_feature("limits");
	must_init_bytes(count * 75);
	for (unsigned i = 0; i < count; i++)
		must_set_sized(quoted("key %u", i), 100 + i % 50, 0);
	cr_assert_leq(d1_stat("used_bytes"), count * 75);
	cr_assert_geq(d1_stat("used_bytes"), count * 75 * 0.8 - 500 * partitions());
	cr_assert(must_exist_or_not(quoted("key %u", count - 1)));
}

Test(d1_frecency, a_smaller_limit_holds_from_the_next_write_on)
{
	const unsigned smaller = 4500 * partitions();

	requires_feature("limits");
	must_init_bytes(15000 * partitions());
	for (unsigned i = 0; i < 8 * partitions(); i++)
		must_set_used(quoted("k%u", i), 1500);
	cr_assert_gt(d1_stat("used_bytes"), smaller);
	must_init_bytes(smaller);
	must_set_used("last", 1500);
	cr_assert_leq(d1_stat("used_bytes"), smaller);
	cr_assert(must_exist_or_not("last"));
	cr_assert_eq(d1_stat("max_size_bytes"), smaller);
}
