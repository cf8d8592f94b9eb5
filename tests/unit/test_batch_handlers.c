/* Batches without a socket: the members of their items and what reaches the store. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fake_request fake;

/* A request to /batch/n/... */
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
	cr_assert_eq(start(&handler_batch_set,
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
	static const struct handler *const handlers[] = {&handler_batch_get, &handler_batch_delete,
							 &handler_batch_exists};

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

/* Many keys with few distinct values against the model: the last position of each key, in order. */
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
	cr_assert_eq(start(&handler_batch_set, body), STEP_SUBMIT);
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
	cr_assert_eq(start(&handler_batch_get, "{\"keys\":[]}"), STEP_SUBMIT);
	cr_expect_null(held_op, "the dispatcher has answered");
	fake_request_finish(&fake, CACHE_OK);
	expect_body("{\"results\":{}}");
}

Test(batch, results_have_headers_where_values_have)
{
	cr_assert_eq(start(&handler_batch_get, "{\"keys\":[\"a\"]}"), STEP_SUBMIT);
	held_op->items[0].value =
		cache_value_copy(SLICE("v"), SLICE("a/b\nContent-Language: de\nX-Meta-a: \"1\""));
	fake_request_finish(&fake, CACHE_OK);
	expect_body("{\"results\":{\"a\":{\"found\":true,\"value\":\"v\",\"content_type\":\"a/b\","
		    "\"headers\":{\"Content-Language\":\"de\",\"X-Meta-a\":\"\\\"1\\\"\"}}}}");
}

Test(batch, results_in_the_order_of_the_request)
{
	cr_assert_eq(start(&handler_batch_get, "{\"keys\":[\"b\",\"a\",\"__proto__\"]}"),
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

/* Ends the op as a backend without BACKEND_ATOMIC_BATCH. */
static void finish_partly(enum cache_status status)
{
	cache_op_complete_partly(held_op, status);
	fake.handler->finish(&fake.request, &fake.response);
}

Test(batch, that_is_stored_in_part_says_what_is_not)
{
	static const char items[] = "{\"items\":[{\"key\":\"a\",\"value\":\"1\"},{\"key\":\"\\\"\","
				    "\"value\":\"2\"},{\"key\":\"c\",\"value\":\"3\"}]}";

	cr_assert_eq(start(&handler_batch_set, items), STEP_SUBMIT);
	held_op->items[1].status = held_op->items[2].status = CACHE_UNAVAILABLE;
	held_op->retry_after_s = 7;
	held_op->detail = "why";
	finish_partly(CACHE_UNAVAILABLE);
	cr_expect_eq(fake.response.status, 503);
	cr_expect(body_has("\"detail\":\"why; 1 of the 3 items were stored, "));
	cr_expect(body_has(",\"failed\":[\"\\\"\",\"c\"]}"));
	cr_expect_str_eq(fake_response_header(&fake, "Retry-After"), "7");

	/* Nothing was stored. */
	cr_assert_eq(start(&handler_batch_set, items), STEP_SUBMIT);
	fake_request_finish(&fake, CACHE_UNAVAILABLE);
	cr_expect_eq(fake.response.status, 503);
	cr_expect_not(body_has("failed"));
}

Test(batch, that_is_deleted_in_part_says_what_is_not)
{
	cr_assert_eq(start(&handler_batch_delete, "{\"keys\":[\"a\",\"b\",\"c\"]}"), STEP_SUBMIT);
	held_op->items[0].status = CACHE_NOT_FOUND;
	held_op->items[2].status = CACHE_TIMEOUT;
	finish_partly(CACHE_TIMEOUT);
	cr_expect_eq(fake.response.status, 504);
	cr_expect(body_has("; 2 of the 3 items were deleted, "));
	cr_expect(body_has(",\"failed\":[\"c\"]}"));

	cr_assert_eq(start(&handler_batch_delete, "{\"keys\":[\"a\",\"b\"]}"), STEP_SUBMIT);
	fake_request_finish(&fake, CACHE_TIMEOUT);
	cr_expect_not(body_has("failed"));
}

Test(batch, has_limits_for_items_and_keys)
{
	char body[9000] = "{\"keys\":[\"0\"";
	char item[200];

	for (int i = 1; i < 1000; i++)
		(void)sprintf(body + strlen(body), ",\"%d\"", i);
	strcat(body, "]}");
	cr_expect_eq(start(&handler_batch_get, body), STEP_SUBMIT);
	cr_expect_eq(held_op->item_count, 1000);
	strcpy(body + strlen(body) - 2, ",\"0\"]}");
	cr_expect_eq(start(&handler_batch_get, body), STEP_RESPOND, "duplicates count");
	cr_expect_eq(fake.response.status, 413);
	(void)sprintf(item, "{\"keys\":[\"a\",\"%0101d\"]}", 7);
	cr_expect_eq(start(&handler_batch_get, item), STEP_RESPOND);
	cr_expect_eq(fake.response.status, 413);
	(void)sprintf(item, "{\"keys\":[\"a\",\"%0100d\"]}", 7);
	cr_expect_eq(start(&handler_batch_get, item), STEP_SUBMIT);
}

/* ---- Members of an item ---- */

TestSuite(item, .fini = close_fake);

static enum handler_step start_item(const char *members)
{
	char body[600];

	(void)snprintf(body, sizeof(body), "{\"items\":[{\"key\":\"k\",%s}]}", members);
	return start(&handler_batch_set, body);
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
		{"\"value\":\"\",\"headers\":\"a\"", "items[0].headers"},
		{"\"value\":\"\",\"headers\":null", "items[0].headers"},
		{"\"value\":\"\",\"headers\":{\"Set-Cookie\":\"a=b\"}", "items[0].headers"},
		{"\"value\":\"\",\"headers\":{\"X-Meta-a\":1}", "items[0].headers"},
		{"\"value\":\"\",\"headers\":{\"X-Meta-a\":\"a\\nb\"}", "items[0].headers"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_expect_eq(start_item(cases[i].members), STEP_RESPOND, "%s", cases[i].members);
		cr_expect_eq(fake.response.status, 400, "%s", cases[i].members);
		cr_expect(body_has(cases[i].name), "%s", cases[i].members);
	}
}

Test(item, keeps_headers)
{
	cr_assert_eq(start_item("\"headers\":{\"x-meta-b\":\"2\",\"content-encoding\":\"gzip\"},"
				"\"value\":\"AA==\",\"encoding\":\"base64\""),
		     STEP_SUBMIT);
	cr_expect(slice_equal(cache_value_head(held_op->items[0].value),
			      SLICE(CONTENT_TYPE_BYTES "\nContent-Encoding: gzip\nX-Meta-b: 2")));
	cr_assert_eq(start_item("\"value\":\"v\",\"content_type\":\"a/b\",\"headers\":{}"),
		     STEP_SUBMIT);
	cr_expect(slice_equal(cache_value_head(held_op->items[0].value), SLICE("a/b")));
}

Test(item, whole_numbers_may_be_written_as_reals)
{
	cr_assert_eq(start_item("\"value\":\"v\",\"size\":2e3,\"ttl\":60.0"), STEP_SUBMIT);
	cr_expect_eq(held_op->items[0].size_bytes, 2000);
	cr_expect_eq(held_op->items[0].ttl_s, 60);
	cr_assert_eq(start_item("\"value\":\"v\",\"ttl\":3153600000"), STEP_SUBMIT);
	cr_expect_eq(held_op->items[0].ttl_s, TTL_MAX_S);
}
