/* PUT /cache/{ns}: limits, default TTL, eviction; DELETE /cache/{ns}. */
#include "tests/conformance/conformance.h"

#include <string.h>

CONFORMANCE_SUITE(settings);

#define expect_success(answer)                                                                     \
	expect_that(answer, answer_->status == 200 || answer_->status == 204, "expected 200 or 204")

static const struct http_answer *put(const char *key)
{
	return http_put(client, entry_path(key), SLICE("v"));
}

static void must_put(const char *keys)
{
	for (const char *key = keys; *key; key++)
		expect_that(put((char[]){*key, 0}), answer_->status / 100 == 2, "expected success");
}

static void use(const char *key, int times)
{
	for (int i = 0; i < times; i++)
		expect_status(http_get(client, entry_path(key)), 200);
}

static void expect_present(const char *among, const char *present)
{
	for (const char *key = among; *key; key++)
		cr_assert_eq(must_exist_or_not((char[]){*key, 0}), strchr(present, *key) != NULL,
			     "key %c: of %s exactly %s should be there", *key, among, present);
}

Test(settings, any_subset)
{
	requires_feature("limits");
	requires_feature("one-server");
	requires_feature("exact-eviction");
	expect_success(configure("'max_size_mb':1"));
	cr_assert_eq(d1_stat("max_size_bytes"), 1048576);
	expect_success(configure("'capacity':5,'eviction':'lru'"));
	cr_assert_eq(d1_stat("max_size_bytes"), 1048576);
	/* A small limit must not become 0, which would mean no limit. */
	expect_success(configure("'max_size_mb':1e-7"));
	cr_assert_eq(d1_stat("max_size_bytes"), 1);
	expect_success(configure("'max_size_mb':0.5,'default_ttl':60"));
	cr_assert_eq(d1_stat("max_size_bytes"), 524288);
	/* Limits that were not named stay: still five entries, still LRU. */
	must_put("abcde");
	use("a", 1);
	must_put("f");
	expect_present("abcdef", "acdef");
}

Test(settings, of_nothing_changes_nothing)
{
	requires_feature("limits");
	expect_success(configure("'max_size_mb':1"));
	expect_success(configure(" "));
	cr_assert_eq(d1_stat("max_size_bytes"), 1048576);
}

Test(settings, refused)
{
	static const struct {
		const char *members, *named;
	} cases[] = {
		{"'max_size_mb':-1", "max_size_mb"},
		{"'max_size_mb':'1'", "max_size_mb"},
		{"'max_size_mb':true", "max_size_mb"},
		{"'max_size_mb':1e300", "max_size_mb"},
		{"'capacity':-5", "capacity"},
		{"'capacity':'1'", "capacity"},
		{"'capacity':1.5", "capacity"},
		{"'capacity':[]", "capacity"},
		{"'default_ttl':-1", "default_ttl"},
		{"'default_ttl':'1'", "default_ttl"},
		{"'default_ttl':0.5", "default_ttl"},
		{"'default_ttl':3153600001", "default_ttl"},
		{"'stale_ttl':-1", "stale_ttl"},
		{"'stale_ttl':'1'", "stale_ttl"},
		{"'stale_ttl':0.5", "stale_ttl"},
		{"'stale_ttl':3153600001", "stale_ttl"},
		{"'eviction':'random'", "eviction"},
		{"'eviction':''", "eviction"},
		{"'eviction':1", "eviction"},
		{"'eviction':'LRU '", "eviction"},
		{"'max_size_mb':2,'eviction':'x'", "eviction"},
	};

	requires_feature("limits");
	expect_success(configure("'max_size_mb':1"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect_problem(configure("%s", requoted(cases[i].members)), 400, cases[i].named);
	/* All or nothing. */
	cr_assert_eq(d1_stat("max_size_bytes"), 1048576);
	expect_problem(http_put_json(client, ns_path(""), "[]"), 400, "object");
	expect_problem(http_put_json(client, ns_path(""), "{"), 400, "");
	expect_problem(http_put_json(client, ns_path(""), ""), 400, "");
}

Test(settings, fifo)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	expect_success(configure("'capacity':3,'eviction':'fifo'"));
	must_put("abc");
	use("a", 5);
	must_put("a"); /* an overwrite keeps the position */
	must_put("d");
	expect_present("abcd", "bcd");
	must_put("e");
	expect_present("abcde", "cde");
}

Test(settings, lru)
{
	requires_feature("limits");
	requires_feature("one-server");
	requires_feature("exact-eviction");
	expect_success(configure("'capacity':3,'eviction':'lru'"));
	must_put("abc");
	use("b", 9);
	use("a", 1);
	must_put("d");
	expect_present("abcd", "abd");
	must_put("e");
	expect_present("abde", "ade");
}

Test(settings, frecency)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	expect_success(configure("'capacity':3,'eviction':'frecency'"));
	must_put("abc");
	use("a", 30);
	use("c", 20);
	must_put("d");
	expect_present("abcd", "acd");
	must_put("e");
	expect_present("acde", "ace");
}

Test(settings, none_refuses_with_507)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	expect_success(configure("'capacity':2,'eviction':'none'"));
	must_put("ab");
	expect_problem(put("c"), 507, "");
	expect_d1_error(d1("set", "'key':'c','value':'v','size':1"), 507, "");
	expect_present("abc", "ab");
	expect_status(put("a"), 204);
	expect_status(http_delete(client, entry_path("b")), 204);
	expect_status(put("c"), 201);
	expect_success(configure("'capacity':100"));
	/* Room for the existing entries and one more, whose value is 1 byte. */
	size_t used = (size_t)d1_stat("used_bytes") + BYTES_ENTRY_USED("d") + 1;
	expect_success(configure("'max_size_mb':%.20f", (double)used / 1048576.0));
	expect_status(http_put(client, entry_path("d"), SLICE("12")), 507);
	expect_status(http_put(client, entry_path("d"), SLICE("1")), 201);
	expect_status(http_put(client, entry_path("d"), SLICE("12")), 507);
	expect_status(http_put(client, entry_path("e"), SLICE("")), 507);
	expect_status(http_put(client, entry_path("f"), slice_of(quoted("%01000d", 0))), 413);
}

Test(settings, capacity_zero_stores_nothing)
{
	requires_feature("limits");
	expect_success(configure("'capacity':0"));
	expect_that(put("a"), answer_->status >= 200, "an answer");
	expect_present("a", "");
	cr_assert_eq(d1_stat("entry_count"), 0);
}

Test(settings, shrinking_evicts_at_once)
{
	requires_feature("limits");
	requires_feature("exact-eviction");
	must_put("abcdefgh");
	use("a", 20);
	use("b", 20);
	expect_success(configure("'capacity':2,'eviction':'frecency'"));
	cr_assert_eq(d1_stat("entry_count"), 2);
	expect_present("abcdefgh", "ab");
	expect_success(configure("'capacity':100"));
	for (const char *key = "cdefghijkl"; *key; key++)
		must_set_sized((char[]){*key, 0}, 1000, 1000);
	expect_success(configure("'max_size_mb':%.20f", 5000 / 1048576.0));
	cr_assert_leq(d1_stat("used_bytes"), 5000);
	cr_assert_gt(d1_stat("entry_count"), 0);
}

Test(settings, clear)
{
	requires_feature("limits");
	expect_success(
		configure("'capacity':%u,'max_size_mb':1,'eviction':'fifo'", 3 * partitions()));
	must_put("abc");
	expect_status(http_delete(client, ns_path("?all")), 204);
	cr_assert_eq(d1_stat("entry_count"), 0);
	cr_assert_eq(d1_stat("total_size"), 0);
	cr_assert_eq(d1_stat("max_size_bytes"), 1048576);
	must_put("abcd");
	if (!lacks_feature("exact-eviction"))
		expect_present("abcd", "bcd");
	expect_status(http_delete(client, ns_path("?all")), 204);
	expect_status(http_delete(client, ns_path("?all")), 204);
}

Test(settings, clear_by_prefix)
{
	static const char *const keys[] = {"user/1",   "user/2", "user",   "users",
					   "x/user/1", "USER/1", "user%2F"};

	for (size_t i = 0; i < 7; i++)
		expect_status(put(keys[i]), 201);
	expect_status(http_delete(client, ns_path("?prefix=user/")), 204);
	cr_assert_eq(d1_stat("entry_count"), 4);
	cr_assert_not(must_exist_or_not("user/1"));
	cr_assert_not(must_exist_or_not("user/"));
	cr_assert(must_exist_or_not("user"));
	cr_assert(must_exist_or_not("users"));
	cr_assert(must_exist_or_not("x/user/1"));
	cr_assert(must_exist_or_not("USER/1"));
	expect_status(http_delete(client, ns_path("?prefix=nothing")), 204);
	cr_assert_eq(d1_stat("entry_count"), 4);
	expect_status(http_delete(client, ns_path("?prefix=%ff")), 204);
	cr_assert_eq(d1_stat("entry_count"), 4);
	expect_status(http_delete(client, ns_path("?prefix=user")), 204);
	cr_assert_eq(d1_stat("entry_count"), 2);
	expect_problem(http_delete(client, ns_path("?prefix=%z")), 400, "prefix");
	cr_assert_eq(d1_stat("entry_count"), 2);
}
