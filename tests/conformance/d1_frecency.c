/* The size limit of /api: who is evicted, when, and what counts. */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>

static void open_with_frecency(void)
{
	conformance_open();
	/* What a cache in memory does unless asked is another thing (FIFO). */
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
	must_init_bytes(1000);
	for (const char *key = "abcde"; *key; key++)
		must_set_sized((char[]){*key, 0}, 200, 200);
	cr_assert_eq(d1_stat("total_size"), 1000);
	expect_present("abcde", "abcde");
}

Test(d1_frecency, a_full_cache_shrinks_to_four_fifths_by_lowest_score)
{
	must_init_bytes(1000);
	for (const char *key = "abcde"; *key; key++)
		must_set_sized((char[]){*key, 0}, 200, 200);
	use("a", 20);
	/* 1000 + 200 > 1000: down to 600, so two go, the oldest of those used once. */
	must_set_sized("f", 200, 200);
	expect_present("abcdef", "adef");
	cr_assert_eq(d1_stat("total_size"), 800);
	/* 800 + 200 fits. */
	must_set_sized("g", 200, 200);
	expect_present("abcdefg", "adefg");
	/* And again: d and e. */
	must_set_sized("h", 200, 200);
	expect_present("abcdefgh", "afgh");
}

Test(d1_frecency, frequency_outweighs_a_little_age)
{
	must_init_bytes(1000);
	for (const char *key = "abcde"; *key; key++)
		must_set_sized((char[]){*key, 0}, 200, 200);
	use("a", 40);
	use("b", 30);
	use("d", 20);
	must_set_sized("f", 200, 200);
	expect_present("abcdef", "abdf");
}

Test(d1_frecency, an_overwrite_counts_as_a_use)
{
	must_init_bytes(1000);
	for (const char *key = "abcde"; *key; key++)
		must_set_sized((char[]){*key, 0}, 200, 200);
	for (int i = 0; i < 20; i++)
		must_set_sized("a", 200, 200);
	must_set_sized("f", 200, 200);
	expect_present("abcdef", "adef");
}

Test(d1_frecency, an_item_larger_than_the_limit_is_refused_and_nothing_is_lost)
{
	must_init_bytes(1000);
	must_set_sized("a", 300, 300);
	must_set_sized("b", 300, 300);
	expect_d1_error(d1("set", "'key':'c','value':'v','size':1001"), 413, "");
	expect_present("abc", "ab");
	/* The old version of a key that is overwritten stays, too. */
	expect_d1_error(d1("set", "'key':'a','value':'v','size':1001"), 413, "");
	expect_present("abc", "ab");
	cr_assert_eq(d1_stat("total_size"), 600);
	must_set_sized("c", 1000, 1000);
	expect_present("abc", "c");
}

Test(d1_frecency, a_large_entry_with_the_lowest_score_goes_and_the_limit_holds)
{
	must_init_bytes(1000);
	must_set_sized("a", 700, 700);
	must_set_sized("b", 100, 100);
	must_set_sized("c", 100, 100);
	must_set_sized("d", 100, 100);
	use("b", 20);
	use("c", 20);
	use("d", 20);
	must_set_sized("e", 200, 200);
	expect_present("abcde", "bcde");
	cr_assert_eq(d1_stat("total_size"), 500);
}

Test(d1_frecency, an_overwrite_near_the_limit_counts_the_difference)
{
	must_init_bytes(1000);
	must_set_sized("a", 400, 400);
	must_set_sized("b", 400, 400);
	must_set_sized("a", 500, 500);
	must_set_sized("a", 600, 600);
	expect_present("ab", "ab");
	cr_assert_eq(d1_stat("total_size"), 1000);
}

Test(d1_frecency, an_overwritten_entry_is_never_its_own_victim)
{
	must_init_bytes(1000);
	must_set_sized("a", 100, 100);
	must_set_sized("b", 450, 450);
	must_set_sized("c", 450, 450);
	use("b", 20);
	/* 900 + 300 > 1000: b or c must go; a has the lowest score, and stays. */
	must_set_sized("a", 300, 300);
	expect_present("abc", "ab");
	expect_status(d1("get", "'key':'a'"), 200);
	cr_assert_eq(d1_stat("total_size"), 750);
}

Test(d1_frecency, an_understated_size_does_not_get_past_the_limit)
{
	must_init_bytes(1000);
	must_set_sized("a", 600, 0);
	cr_assert_eq(d1_stat("total_size"), 600);
	must_set_sized("b", 600, 1);
	cr_assert_eq(d1_stat("total_size"), 600);
	expect_present("ab", "b");
	/* More than the limit, whatever it says of itself. */
	expect_status(d1("set", "'key':'c','size':1,'value':'%01001d'", 0), 413);
	expect_present("abc", "b");
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

/* A batch of `count` entries of `size` bytes each, keys from `first` on. */
static void set_many(size_t first, size_t count, size_t size)
{
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

/* The original answers "too many SQL variables" here, and to every write from then on. */
Test(d1_frecency, a_full_cache_of_small_entries_does_not_get_stuck)
{
	must_init_bytes(120000);
	set_many(0, 3000, 40);
	cr_assert_eq(d1_stat("entry_count"), 3000);
	/* Down to 96000 - 60000: 2100 entries go in one write. */
	must_set_sized("big", 60000, 60000);
	cr_assert_eq(d1_stat("entry_count"), 901);
	cr_assert_eq(d1_stat("total_size"), 96000);
	for (int i = 0; i < 5; i++) {
		must_set_sized("big", 60000, 60000);
		must_set_sized("another", 50000, 50000);
		cr_assert_leq(d1_stat("total_size"), 120000);
	}
}

Test(d1_frecency, a_batch_evicts_others_but_not_itself)
{
	must_init_bytes(40000);
	set_many(0, 1000, 40);
	set_many(5000, 800, 40);
	cr_assert_leq(d1_stat("total_size"), 40000);
	for (size_t i = 5000; i < 5800; i += 100)
		cr_assert(must_exist_or_not(quoted("k%zu", i)), "k%zu", i);
}

Test(d1_frecency, many_small_writes_into_a_full_cache_hold_the_limit)
{
	must_init_bytes(10000);
	for (size_t i = 0; i < 400; i++)
		must_set_sized(quoted("key %zu", i), 100 + i % 50, 0);
	cr_assert_leq(d1_stat("total_size"), 10000);
	cr_assert_geq(d1_stat("total_size"), 7500);
	cr_assert(must_exist_or_not("key 399"));
}

Test(d1_frecency, a_smaller_limit_holds_from_the_next_write_on)
{
	must_init_bytes(10000);
	for (const char *key = "abcdefgh"; *key; key++)
		must_set_sized((char[]){*key, 0}, 1000, 1000);
	must_init_bytes(3000);
	must_set_sized("i", 1000, 1000);
	cr_assert_leq(d1_stat("total_size"), 3000);
	cr_assert(must_exist_or_not("i"));
	cr_assert_eq(d1_stat("max_size_bytes"), 3000);
}
