/* /cache/{ns} without a socket: settings and listings. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fake_request fake;

/* A request to /cache/n. */
static enum handler_step start(const struct handler *handler, const char *body)
{
	fake_request_close(&fake);
	fake_request_init(&fake);
	fake.request.ns = SLICE("n");
	if (body)
		fake_request_body(&fake, slice_of(body), "application/json");
	return fake_request_start(&fake, handler);
}

static void close_fake(void)
{
	fake_request_close(&fake);
}

static bool body_has(const char *text)
{
	struct slice body = fake_response_body(&fake);

	return body.len > 0 && memmem(body.data, body.len, text, strlen(text)) != NULL;
}

/* ---- Settings ---- */

TestSuite(settings, .fini = close_fake);

Test(settings, change_only_what_they_name)
{
	cr_assert_eq(start(&handler_namespace_put, "{\"max_size_mb\":0.5,\"eviction\":\"fifo\"}"),
		     STEP_SUBMIT);
	cr_expect_eq(held_op->settings_mask, SETTING_MAX_SIZE | SETTING_POLICY);
	cr_expect_eq(held_op->settings.max_size_bytes, 524288);
	cr_expect_eq(held_op->settings.policy, EVICT_FIFO);
	cr_assert_eq(start(&handler_namespace_put,
			   "{\"capacity\":null,\"default_ttl\":null,\"max_size_mb\":null}"),
		     STEP_SUBMIT);
	cr_expect_eq(held_op->settings_mask,
		     SETTING_CAPACITY | SETTING_DEFAULT_TTL | SETTING_MAX_SIZE);
	cr_expect_eq(held_op->settings.capacity, CAPACITY_UNLIMITED);
	cr_expect_eq(held_op->settings.default_ttl_s, 0);
	cr_expect_eq(held_op->settings.max_size_bytes, 0);
	cr_assert_eq(start(&handler_namespace_put, "{\"stale_ttl\":3153600000}"), STEP_SUBMIT);
	cr_expect_eq(held_op->settings_mask, SETTING_STALE_TTL);
	cr_expect_eq(held_op->settings.stale_ttl_s, TTL_MAX_S);
	cr_assert_eq(start(&handler_namespace_put, "{\"stale_ttl\":null}"), STEP_SUBMIT);
	cr_expect_eq(held_op->settings_mask, SETTING_STALE_TTL);
	cr_expect_eq(held_op->settings.stale_ttl_s, 0);
	cr_assert_eq(start(&handler_namespace_put,
			   "{\"max_idle\":60,\"compression\":\"zstd\",\"put_status\":200}"),
		     STEP_SUBMIT);
	cr_expect_eq(held_op->settings_mask,
		     SETTING_MAX_IDLE | SETTING_COMPRESSION | SETTING_PUT_STATUS);
	cr_expect_eq(held_op->settings.max_idle_s, 60);
	cr_expect_eq(held_op->settings.compression, COMPRESSION_ZSTD);
	cr_expect_eq(held_op->settings.put_status, 200);
	cr_assert_eq(start(&handler_namespace_put,
			   "{\"max_idle\":null,\"compression\":null,\"put_status\":null}"),
		     STEP_SUBMIT);
	cr_expect_eq(held_op->settings_mask,
		     SETTING_MAX_IDLE | SETTING_COMPRESSION | SETTING_PUT_STATUS);
	cr_expect_eq(held_op->settings.max_idle_s, 0);
	cr_expect_eq(held_op->settings.compression, COMPRESSION_NONE);
	cr_expect_eq(held_op->settings.put_status, 0);
	cr_assert_eq(start(&handler_namespace_put, "{\"compression\":\"none\"}"), STEP_SUBMIT);
	cr_expect_eq(held_op->settings.compression, COMPRESSION_NONE);
	cr_assert_eq(start(&handler_namespace_put, "{}"), STEP_SUBMIT);
	cr_expect_eq(held_op->settings_mask, 0);
}

Test(settings, refusals_say_what_is_wrong)
{
	static const struct {
		const char *body, *word;
	} cases[] = {
		{"{\"capacity\":-1}", "capacity"},
		{"{\"capacity\":1.5}", "capacity"},
		{"{\"default_ttl\":3153600001}", "default_ttl"},
		{"{\"stale_ttl\":3153600001}", "stale_ttl"},
		{"{\"stale_ttl\":-1}", "stale_ttl"},
		{"{\"stale_ttl\":0.5}", "stale_ttl"},
		{"{\"max_idle\":-1}", "max_idle"},
		{"{\"max_idle\":3153600001}", "max_idle"},
		{"{\"compression\":\"gzip\"}", "compression"},
		{"{\"compression\":true}", "compression"},
		{"{\"put_status\":201}", "put_status"},
		{"{\"put_status\":\"200\"}", "put_status"},
		{"{\"put_status\":0}", "put_status"},
		{"{\"max_size_mb\":-0.1}", "max_size_mb"},
		{"{\"max_size_mb\":1e300}", "max_size_mb"},
		{"{\"max_size_mb\":\"1\"}", "max_size_mb"},
		{"{\"eviction\":\"LRU\"}", "eviction"},
		{"{\"eviction\":null}", "eviction"},
		{"{\"colour\":\"red\"}", "\\\"colour\\\" is not a setting"},
		/* 99 bytes and a character of two: it must not be cut in the middle. */
		{"{\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		 "xxxxxxxxxxxxxxxxxxxxx\xC3\xA4\":1}",
		 "is not a setting"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_expect_eq(start(&handler_namespace_put, cases[i].body), STEP_RESPOND);
		cr_expect_eq(fake.response.status, 400, "%s", cases[i].body);
		cr_expect(body_has(cases[i].word), "%s: %.*s", cases[i].body,
			  (int)fake_response_body(&fake).len, fake_response_body(&fake).data);
	}
}

/* A settled answer of /stats/n. */
static void show(const struct namespace_settings *settings)
{
	cr_assert_eq(start(&handler_namespace_stats, NULL), STEP_SUBMIT);
	held_op->stats = calloc(1, sizeof(*held_op->stats));
	held_op->stats_count = 1;
	held_op->stats[0].settings = *settings;
	fake_request_finish(&fake, CACHE_OK);
}

Test(settings, are_shown)
{
	show(&(struct namespace_settings){.capacity = CAPACITY_UNLIMITED});
	cr_expect(body_has("\"stale_ttl\":0,\"max_idle\":0,\"eviction\":\"frecency\","
			   "\"compression\":\"none\",\"put_status\":null}"));
	show(&(struct namespace_settings){
		.max_idle_s = 60, .compression = COMPRESSION_ZSTD, .put_status = 200});
	cr_expect(body_has("\"max_idle\":60,\"eviction\":\"frecency\",\"compression\":\"zstd\","
			   "\"put_status\":200}"));
}

/* ---- Clearing ---- */

TestSuite(clearing, .fini = close_fake);

/* DELETE with these parameters; NULL: not given. */
static enum handler_step clear(const char *all, const char *drop, const char *prefix)
{
	fake_request_close(&fake);
	fake_request_init(&fake);
	fake.request.ns = SLICE("n");
	if (all)
		fake_request_query(&fake, "all", all);
	if (drop)
		fake_request_query(&fake, "drop", drop);
	if (prefix)
		fake_request_query(&fake, "prefix", prefix);
	return fake_request_start(&fake, &handler_namespace_clear);
}

Test(clearing, says_which_of_three_is_meant)
{
	static const struct {
		const char *all, *drop, *prefix;
		bool is_good;
	} cases[] = {
		{"", NULL, NULL, true},       {NULL, "", NULL, true},     {NULL, NULL, "a", true},
		{"1", NULL, NULL, true},      {NULL, "true", NULL, true}, {NULL, NULL, NULL, false},
		{NULL, NULL, "", false},      {"", "", NULL, false},      {NULL, "", "a", false},
		{NULL, "", "", false},        {"", NULL, "a", false},     {"", NULL, "", false},
		{NULL, "false", NULL, false}, {"0", NULL, NULL, false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		enum handler_step step = clear(cases[i].all, cases[i].drop, cases[i].prefix);

		cr_expect_eq(step, cases[i].is_good ? STEP_SUBMIT : STEP_RESPOND, "case %zu", i);
		if (step == STEP_SUBMIT)
			cr_expect_eq(held_op->drop, cases[i].drop != NULL, "case %zu", i);
		else
			cr_expect_eq(fake.response.status, 400, "case %zu", i);
	}
}

Test(clearing, dropping_needs_a_namespace)
{
	cr_assert_eq(clear(NULL, "", NULL), STEP_SUBMIT);
	fake_request_finish(&fake, CACHE_NOT_FOUND);
	cr_expect_eq(fake.response.status, 404);
	cr_expect(body_has("no such namespace"));
	cr_assert_eq(clear(NULL, "", NULL), STEP_SUBMIT);
	fake_request_finish(&fake, CACHE_OK);
	cr_expect_eq(fake.response.status, 204);
}

/* ---- Listings ---- */

TestSuite(listing, .fini = close_fake);

/* A listing of one entry called `key`, with more after it; its cursor goes to `cursor`. */
static void list_one(struct slice key, char cursor[static 2000])
{
	cr_assert_eq(start(&handler_namespace_list, NULL), STEP_SUBMIT);
	held_op->entries = calloc(1, sizeof(*held_op->entries));
	held_op->entries[0].key = (struct slice){
		.data = memcpy(malloc(key.len + 1), key.data, key.len), .len = key.len};
	held_op->entry_count = 1;
	fake_request_finish(&fake, CACHE_OK);
	struct slice body = fake_response_body(&fake);
	json_auto_t *page = json_loadb(body.data, body.len, JSON_ALLOW_NUL, NULL);
	cr_assert(json_is_string(json_object_get(page, "cursor")), "%.*s", (int)body.len,
		  body.data);
	strcpy(cursor, json_string_value(json_object_get(page, "cursor")));
	cr_expect(json_is_false(json_object_get(page, "complete")));
}

static void expect_to_go_on_behind(struct slice key)
{
	char cursor[2000];

	list_one(key, cursor);
	cr_expect_eq(strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_"),
		     strlen(cursor), "it needs no encoding in a URL: %s", cursor);
	fake_request_close(&fake);
	fake_request_init(&fake);
	fake.request.ns = SLICE("n");
	fake_request_query(&fake, "cursor", cursor);
	cr_assert_eq(fake_request_start(&fake, &handler_namespace_list), STEP_SUBMIT);
	cr_expect(held_op->has_after, "the listing begins anew behind a key of %zu bytes", key.len);
	cr_expect(slice_equal(held_op->after, key), "of %zu bytes", key.len);
}

Test(listing, goes_on_behind_any_key)
{
	char key[1000];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (char)(i * 37 ^ i >> 3);
	for (size_t len = 1; len <= 300; len++)
		expect_to_go_on_behind((struct slice){.data = key + len, .len = len});
	expect_to_go_on_behind((struct slice){.data = key, .len = sizeof(key)});
}

Test(listing, goes_on_behind_the_empty_key)
{
	expect_to_go_on_behind((struct slice){.data = "", .len = 0});
}

Test(listing, limits_and_cursors_that_are_refused)
{
	static const struct {
		const char *name, *value;
	} bad[] = {
		{"limit", ""},
		{"limit", "0"},
		{"limit", "1001"},
		{"limit", "-1"},
		{"limit", "1x"},
		{"limit", " 1"},
		{"limit", "99999999999999999999"},
		{"cursor", "B"},
		{"cursor", "AAAAA"},
		{"cursor", "!!!!"},
		{"cursor", "%4"},
		{"cursor", "AA=A"},
		{"prefix", "%"},
		{"prefix", "a%zz"},
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		fake_request_init(&fake);
		fake.request.ns = SLICE("n");
		fake_request_query(&fake, bad[i].name, bad[i].value);
		cr_expect_eq(fake_request_start(&fake, &handler_namespace_list), STEP_RESPOND,
			     "%s=%s", bad[i].name, bad[i].value);
		cr_expect_eq(fake.response.status, 400);
		cr_expect(body_has(bad[i].name), "%s=%s", bad[i].name, bad[i].value);
		fake_request_close(&fake);
	}
}

Test(listing, the_prefix_is_decoded_for_listing_and_clearing)
{
	static const struct handler *const handlers[] = {&handler_namespace_list,
							 &handler_namespace_clear};

	for (size_t i = 0; i < COUNT(handlers); i++) {
		fake_request_close(&fake);
		fake_request_init(&fake);
		fake.request.ns = SLICE("n");
		fake_request_query(&fake, "prefix", "a%2F%00b+");
		cr_assert_eq(fake_request_start(&fake, handlers[i]), STEP_SUBMIT);
		cr_expect(slice_equal(held_op->prefix, SLICE("a/\0b+")));
	}
}
