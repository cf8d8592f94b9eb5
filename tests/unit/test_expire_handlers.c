/* A time to live from the header X-TTL, or without a value: PATCH of /cache/{ns}/{key}, and
 * /batch/{ns}/expire. */
#include <criterion/criterion.h>
#include <string.h>

#include "handlers/handlers.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TAG_ABC "\"ba7816bf8f01cfea414140de5dae2223\"" /* of "abc" */

static struct fake_request fake;

static void open_fake(void)
{
	fake_request_init(&fake);
	fake.request.method = HTTP_PATCH;
	fake.request.ns = SLICE("n");
	fake.request.key = SLICE("k");
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

/* ---- PATCH ---- */

TestSuite(entry_expire, .init = open_fake, .fini = close_fake);

Test(entry_expire, gives_the_entry_another_time)
{
	fake_request_query(&fake, "ttl", "60");
	cr_assert_eq(fake_request_start(&fake, &handler_entry_expire), STEP_SUBMIT);
	cr_expect_eq(held_op->type, CACHE_OP_EXPIRE);
	cr_expect_eq(held_op->one.ttl_s, 60);
	cr_expect(slice_equal(held_op->ns, SLICE("n")));
	cr_expect(slice_equal(held_op->one.key, SLICE("k")));
	cr_expect_eq(held_op->one.condition.kind, CONDITION_NONE);
	fake_request_finish(&fake, CACHE_OK);
	cr_expect_eq(fake.response.status, 204);
	cr_expect_eq(fake.response.body, BODY_NONE);
}

Test(entry_expire, zero_is_for_ever)
{
	fake_request_query(&fake, "ttl", "0");
	cr_assert_eq(fake_request_start(&fake, &handler_entry_expire), STEP_SUBMIT);
	cr_expect_eq(held_op->one.ttl_s, 0);
}

Test(entry_expire, a_missing_entry_is_404)
{
	fake_request_query(&fake, "ttl", "60");
	cr_assert_eq(fake_request_start(&fake, &handler_entry_expire), STEP_SUBMIT);
	fake_request_finish(&fake, CACHE_NOT_FOUND);
	cr_expect_eq(fake.response.status, 404);
	cr_expect(body_has("no such entry"));
}

Test(entry_expire, holds_its_condition)
{
	struct etag abc = etag_of(SLICE("abc"));

	fake_request_query(&fake, "ttl", "60");
	fake_request_header(&fake, "If-Match", TAG_ABC);
	cr_assert_eq(fake_request_start(&fake, &handler_entry_expire), STEP_SUBMIT);
	cr_expect_eq(held_op->one.condition.kind, CONDITION_MATCH);
	cr_assert_eq(held_op->one.condition.etag_count, 1);
	cr_expect(etag_equal(&held_op->one.condition.etags[0], &abc));
	fake_request_finish(&fake, CACHE_PRECONDITION_FAILED);
	cr_expect_eq(fake.response.status, 412);
}

Test(entry_expire, without_a_time_or_with_a_body_it_means_nothing)
{
	cr_expect_eq(fake_request_start(&fake, &handler_entry_expire), STEP_RESPOND);
	cr_expect_eq(fake.response.status, 400);
	cr_expect(body_has("?ttl="));
	fake_request_close(&fake);
	open_fake();
	fake_request_query(&fake, "ttl", "60");
	fake_request_body(&fake, SLICE("{}"), "application/json");
	cr_expect_eq(fake_request_start(&fake, &handler_entry_expire), STEP_RESPOND);
	cr_expect_eq(fake.response.status, 415);
}

Test(entry_expire, the_time_may_be_in_a_header)
{
	static const struct handler *const handlers[] = {&handler_entry_expire, &handler_entry_put};
	static const struct {
		const char *query, *header;
		int64_t ttl_s; /* -2: refused */
	} cases[] = {
		{NULL, "60", 60}, {NULL, "0", 0},  {"60", "060", 60},        {"60", "61", -2},
		{"0", "1", -2},   {NULL, "", -2},  {NULL, "-1", -2},         {NULL, "1.5", -2},
		{"60", "x", -2},  {"x", "60", -2}, {NULL, "3153600001", -2},
	};

	for (size_t h = 0; h < COUNT(handlers); h++)
		for (size_t i = 0; i < COUNT(cases); i++) {
			fake_request_close(&fake);
			open_fake();
			if (cases[i].query)
				fake_request_query(&fake, "ttl", cases[i].query);
			fake_request_header(&fake, "X-TTL", cases[i].header);
			enum handler_step step = fake_request_start(&fake, handlers[h]);
			cr_expect_eq(step, cases[i].ttl_s == -2 ? STEP_RESPOND : STEP_SUBMIT,
				     "case %zu", i);
			if (step == STEP_SUBMIT)
				cr_expect_eq(held_op->one.ttl_s, cases[i].ttl_s, "case %zu", i);
			else
				cr_expect_eq(fake.response.status, 400, "case %zu", i);
		}
}

/* ---- The status of a PUT ---- */

Test(entry_expire, a_put_answers_the_status_that_the_namespace_wants)
{
	static const struct {
		unsigned wanted;
		bool created;
		unsigned status;
	} cases[] = {{0, true, 201}, {0, false, 204}, {200, true, 200}, {200, false, 200}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_request_close(&fake);
		open_fake();
		fake_request_body(&fake, SLICE("abc"), "text/css");
		cr_assert_eq(fake_request_start(&fake, &handler_entry_put), STEP_SUBMIT);
		held_op->one.created = cases[i].created;
		held_op->put_status = cases[i].wanted;
		fake_request_finish(&fake, CACHE_OK);
		cr_expect_eq(fake.response.status, cases[i].status, "case %zu", i);
		cr_expect_str_eq(fake_response_header(&fake, "ETag"), TAG_ABC);
	}
}

/* ---- Batches ---- */

static enum handler_step start_batch(const char *body)
{
	fake_request_close(&fake);
	fake_request_init(&fake);
	fake.request.method = HTTP_POST;
	fake.request.ns = SLICE("n");
	fake_request_body(&fake, slice_of(body), "application/json");
	return fake_request_start(&fake, &handler_batch_expire);
}

Test(entry_expire, a_batch_tells_which_entries_there_are)
{
	cr_assert_eq(start_batch("{\"keys\":[\"a\",\"b\",\"a\"],\"ttl\":60}"), STEP_SUBMIT);
	cr_expect_eq(held_op->type, CACHE_OP_EXPIRE);
	cr_assert_eq(held_op->item_count, 2);
	cr_expect_eq(held_op->items[0].ttl_s, 60);
	cr_expect_eq(held_op->items[1].ttl_s, 60);
	held_op->items[1].status = CACHE_NOT_FOUND;
	fake_request_finish(&fake, CACHE_OK);
	cr_expect_eq(fake.response.status, 200);
	cr_expect(body_has("{\"results\":{\"a\":{\"exists\":true},\"b\":{\"exists\":false}}}"));
}

Test(entry_expire, a_batch_without_a_good_time_or_keys_is_refused)
{
	static const struct {
		const char *body, *word;
	} cases[] = {
		{"{\"keys\":[\"a\"]}", "ttl"},
		{"{\"keys\":[\"a\"],\"ttl\":-1}", "ttl"},
		{"{\"keys\":[\"a\"],\"ttl\":1.5}", "ttl"},
		{"{\"keys\":[\"a\"],\"ttl\":\"60\"}", "ttl"},
		{"{\"keys\":[\"a\"],\"ttl\":3153600001}", "ttl"},
		{"{\"ttl\":60}", "keys"},
		{"{\"keys\":\"a\",\"ttl\":60}", "keys"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_expect_eq(start_batch(cases[i].body), STEP_RESPOND, "%s", cases[i].body);
		cr_expect_eq(fake.response.status, 400, "%s", cases[i].body);
		cr_expect(body_has(cases[i].word), "%s", cases[i].body);
	}
}
