/* The JSON of batches, settings and listings without a socket. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fake_request fake;

/* A request to /batch/n/... or /cache/n. */
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

static void expect_body(const char *expected)
{
	struct slice body = fake_response_body(&fake);

	cr_expect(slice_equal(body, slice_of(expected)), "%.*s is not %s", (int)body.len, body.data,
		  expected);
}

/* ---- Batches ---- */

TestSuite(batch, .fini = close_fake);

Test(batch, of_two_items_with_one_key_the_later_is_set)
{
	cr_assert_eq(start(&batch_set_handler,
			   "{\"items\":[{\"key\":\"a\",\"value\":\"1\"},{\"key\":\"b\",\"value\":"
			   "\"2\"},{\"key\":\"a\",\"value\":\"3\"},{\"key\":\"\",\"value\":\"4\"},"
			   "{\"key\":\"a\",\"value\":\"5\"}]}"),
		     STEP_SUBMIT);
	cr_assert_eq(held_op->item_count, 3);
	cr_expect(slice_equal(held_op->items[0].key, SLICE("b")));
	cr_expect(slice_equal(held_op->items[1].key, SLICE("")));
	cr_expect(slice_equal(held_op->items[2].key, SLICE("a")));
	cr_expect(slice_equal(cache_value_bytes(held_op->items[2].value), SLICE("5")));
}

Test(batch, a_key_asked_twice_is_looked_up_once)
{
	static const struct handler *const handlers[] = {&batch_get_handler, &batch_delete_handler,
							 &batch_exists_handler};

	for (size_t i = 0; i < COUNT(handlers); i++) {
		cr_assert_eq(
			start(handlers[i], "{\"keys\":[\"b\",\"a\",\"b\",\"a\\u0000\",\"b\"]}"),
			STEP_SUBMIT);
		cr_assert_eq(held_op->item_count, 3);
		cr_expect(slice_equal(held_op->items[0].key, SLICE("b")));
		cr_expect(slice_equal(held_op->items[1].key, SLICE("a")));
		cr_expect(slice_equal(held_op->items[2].key, SLICE("a\0")));
	}
}

/* Many keys of few kinds against the model: the last place of each key, in order. */
Test(batch, duplicates_behave_as_a_search_for_the_last_of_each_key)
{
	unsigned kinds[500];
	unsigned seed = 7;
	char *body = malloc(COUNT(kinds) * 40);
	size_t len = (size_t)sprintf(body, "{\"items\":[");
	size_t expected = 0;

	for (size_t i = 0; i < COUNT(kinds); i++) {
		seed = seed * 1103515245 + 12345;
		kinds[i] = seed / 65536 % 150;
		len += (size_t)sprintf(body + len, "%s{\"key\":\"%u\",\"value\":\"%zu\"}",
				       i ? "," : "", kinds[i], i);
	}
	strcpy(body + len, "]}");
	cr_assert_eq(start(&batch_set_handler, body), STEP_SUBMIT);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		bool last = true;
		char text[16];

		for (size_t k = i + 1; k < COUNT(kinds); k++)
			last = last && kinds[k] != kinds[i];
		if (!last)
			continue;
		cr_assert_lt(expected, held_op->item_count);
		(void)snprintf(text, sizeof(text), "%zu", i);
		cr_expect(slice_equal(cache_value_bytes(held_op->items[expected].value),
				      slice_of(text)));
		expected++;
	}
	cr_expect_eq(held_op->item_count, expected);
	free(body);
}

Test(batch, an_empty_one_is_answered)
{
	cr_assert_eq(start(&batch_get_handler, "{\"keys\":[]}"), STEP_SUBMIT);
	cr_expect_null(held_op, "the dispatcher has answered");
	fake_request_finish(&fake, CACHE_OK);
	expect_body("{\"results\":{}}");
}

Test(batch, results_in_the_order_of_the_request)
{
	cr_assert_eq(start(&batch_get_handler, "{\"keys\":[\"b\",\"a\",\"__proto__\"]}"),
		     STEP_SUBMIT);
	held_op->items[0].value = cache_value_copy(SLICE("\xFF"), SLICE("x/y"));
	held_op->items[1].status = CACHE_NOT_FOUND;
	held_op->items[2].value = cache_value_copy(SLICE("v"), SLICE(CONTENT_TYPE_TEXT));
	fake_request_finish(&fake, CACHE_OK);
	expect_body("{\"results\":{\"b\":{\"found\":true,\"value\":\"/w==\",\"encoding\":"
		    "\"base64\",\"content_type\":\"x/y\"},\"a\":{\"found\":false},\"__proto__\":{"
		    "\"found\":true,\"value\":\"v\",\"content_type\":\"text/plain; "
		    "charset=utf-8\"}}}");
}

Test(batch, has_limits_for_items_and_keys)
{
	char body[9000] = "{\"keys\":[\"0\"";
	char item[200];

	for (int i = 1; i < 1000; i++)
		(void)sprintf(body + strlen(body), ",\"%d\"", i);
	strcat(body, "]}");
	cr_expect_eq(start(&batch_get_handler, body), STEP_SUBMIT);
	cr_expect_eq(held_op->item_count, 1000);
	strcpy(body + strlen(body) - 2, ",\"0\"]}");
	cr_expect_eq(start(&batch_get_handler, body), STEP_RESPOND, "duplicates count");
	cr_expect_eq(fake.response.status, 413);
	(void)sprintf(item, "{\"keys\":[\"a\",\"%0101d\"]}", 7);
	cr_expect_eq(start(&batch_get_handler, item), STEP_RESPOND);
	cr_expect_eq(fake.response.status, 413);
	(void)sprintf(item, "{\"keys\":[\"a\",\"%0100d\"]}", 7);
	cr_expect_eq(start(&batch_get_handler, item), STEP_SUBMIT);
}

/* ---- What an item carries ---- */

TestSuite(item, .fini = close_fake);

static enum handler_step start_item(const char *members)
{
	char body[600];

	(void)snprintf(body, sizeof(body), "{\"items\":[{\"key\":\"k\",%s}]}", members);
	return start(&batch_set_handler, body);
}

Test(item, base64_is_decoded_strictly)
{
	static const struct {
		const char *text;
		struct slice bytes;
	} good[] = {
		{"", SLICE("")},        {"Zg==", SLICE("f")},          {"Zm8=", SLICE("fo")},
		{"Zm9v", SLICE("foo")}, {"AP/+", SLICE("\0\xFF\xFE")},
	};
	static const char *const bad[] = {
		"Z",     "Zg",   "Zg=",  "Zm8",  "Zm9v=",    "Zm 9v",       "Zm9v\\n",
		" Zm9v", "Zm9-", "Zm9_", "====", "Zg==Zg==", "Zm9v\\u0000", "\xC3\xA4zz"};
	char members[200];

	for (size_t i = 0; i < COUNT(good); i++) {
		(void)snprintf(members, sizeof(members), "\"value\":\"%s\",\"encoding\":\"base64\"",
			       good[i].text);
		cr_assert_eq(start_item(members), STEP_SUBMIT, "%s", good[i].text);
		cr_expect(slice_equal(cache_value_bytes(held_op->items[0].value), good[i].bytes));
		cr_expect_str_eq(cache_value_content_type(held_op->items[0].value),
				 CONTENT_TYPE_BYTES);
		cr_expect_eq(held_op->items[0].size_bytes, good[i].bytes.len);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		(void)snprintf(members, sizeof(members), "\"value\":\"%s\",\"encoding\":\"base64\"",
			       bad[i]);
		cr_expect_eq(start_item(members), STEP_RESPOND, "%s", bad[i]);
		cr_expect_eq(fake.response.status, 400);
		cr_expect(body_has("items[0].value"), "%s", bad[i]);
	}
}

Test(item, members_that_are_refused_are_named)
{
	static const struct {
		const char *members, *name;
	} cases[] = {
		{"\"x\":1", "items[0].value"},
		{"\"value\":1", "items[0].value"},
		{"\"value\":\"\",\"size\":-1", "items[0].size"},
		{"\"value\":\"\",\"size\":1.5", "items[0].size"},
		{"\"value\":\"\",\"size\":null", "items[0].size"},
		{"\"value\":\"\",\"ttl\":-1", "items[0].ttl"},
		{"\"value\":\"\",\"ttl\":3153600001", "items[0].ttl"},
		{"\"value\":\"\",\"ttl\":\"60\"", "items[0].ttl"},
		{"\"value\":\"\",\"ttl\":1e300", "items[0].ttl"},
		{"\"value\":\"\",\"encoding\":\"hex\"", "items[0].encoding"},
		{"\"value\":\"\",\"encoding\":null", "items[0].encoding"},
		{"\"value\":\"\",\"content_type\":\"\"", "items[0].content_type"},
		{"\"value\":\"\",\"content_type\":\"a\\nb\"", "items[0].content_type"},
		{"\"value\":\"\",\"content_type\":\"\xC3\xA4\"", "items[0].content_type"},
		{"\"value\":\"\",\"content_type\":7", "items[0].content_type"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_expect_eq(start_item(cases[i].members), STEP_RESPOND, "%s", cases[i].members);
		cr_expect_eq(fake.response.status, 400, "%s", cases[i].members);
		cr_expect(body_has(cases[i].name), "%s", cases[i].members);
	}
}

Test(item, whole_numbers_may_be_written_as_reals)
{
	cr_assert_eq(start_item("\"value\":\"v\",\"size\":2e3,\"ttl\":60.0"), STEP_SUBMIT);
	cr_expect_eq(held_op->items[0].size_bytes, 2000);
	cr_expect_eq(held_op->items[0].ttl_s, 60);
}

/* ---- Settings ---- */

TestSuite(settings, .fini = close_fake);

Test(settings, change_only_what_they_name)
{
	cr_assert_eq(start(&namespace_put_handler, "{\"max_size_mb\":0.5,\"eviction\":\"fifo\"}"),
		     STEP_SUBMIT);
	cr_expect_eq(held_op->settings_mask, SETTING_MAX_SIZE | SETTING_POLICY);
	cr_expect_eq(held_op->settings.max_size_bytes, 524288);
	cr_expect_eq(held_op->settings.policy, EVICT_FIFO);
	cr_assert_eq(start(&namespace_put_handler,
			   "{\"capacity\":null,\"default_ttl\":null,\"max_size_mb\":null}"),
		     STEP_SUBMIT);
	cr_expect_eq(held_op->settings_mask,
		     SETTING_CAPACITY | SETTING_DEFAULT_TTL | SETTING_MAX_SIZE);
	cr_expect_eq(held_op->settings.capacity, CAPACITY_UNLIMITED);
	cr_expect_eq(held_op->settings.default_ttl_s, 0);
	cr_expect_eq(held_op->settings.max_size_bytes, 0);
	cr_assert_eq(start(&namespace_put_handler, "{}"), STEP_SUBMIT);
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
		cr_expect_eq(start(&namespace_put_handler, cases[i].body), STEP_RESPOND);
		cr_expect_eq(fake.response.status, 400, "%s", cases[i].body);
		cr_expect(body_has(cases[i].word), "%s: %.*s", cases[i].body,
			  (int)fake_response_body(&fake).len, fake_response_body(&fake).data);
	}
}

/* ---- Listings ---- */

TestSuite(listing, .fini = close_fake);

/* A listing of one entry called `key`, with more behind it; its cursor into `cursor`. */
static void list_one(struct slice key, char cursor[static 2000])
{
	cr_assert_eq(start(&namespace_list_handler, NULL), STEP_SUBMIT);
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
	cr_assert_eq(fake_request_start(&fake, &namespace_list_handler), STEP_SUBMIT);
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
		cr_expect_eq(fake_request_start(&fake, &namespace_list_handler), STEP_RESPOND,
			     "%s=%s", bad[i].name, bad[i].value);
		cr_expect_eq(fake.response.status, 400);
		cr_expect(body_has(bad[i].name), "%s=%s", bad[i].name, bad[i].value);
		fake_request_close(&fake);
	}
}

Test(listing, the_prefix_is_decoded_for_listing_and_clearing)
{
	static const struct handler *const handlers[] = {&namespace_list_handler,
							 &namespace_clear_handler};

	for (size_t i = 0; i < COUNT(handlers); i++) {
		fake_request_close(&fake);
		fake_request_init(&fake);
		fake.request.ns = SLICE("n");
		fake_request_query(&fake, "prefix", "a%2F%00b+");
		cr_assert_eq(fake_request_start(&fake, handlers[i]), STEP_SUBMIT);
		cr_expect(slice_equal(held_op->prefix, SLICE("a/\0b+")));
	}
}
