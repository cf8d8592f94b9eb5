/* GET /watch/{ns}: what happens to entries, as Server-Sent Events. What each backend tells is
 * tested in tests/contract/changes.c. */
#include "tests/conformance/conformance.h"

#include <stdlib.h>

CONFORMANCE_SUITE(watch);

#define EVENT_MS 20000

/* Opens a watch of the test's namespace; `rest`: of the path; `fields`: lines of the head. */
static void begin(struct raw_socket *raw, const char *method, const char *rest, const char *fields)
{
	const char *key = api_key ? quoted("Authorization: Bearer %s\r\n", api_key) : "";

	requires_feature("watch");
	requires_feature("raw");
	cr_assert(raw_open(raw, server_url), "cannot connect to %s", server_url);
	cr_assert(raw_send_text(raw, "%s /watch/%s%s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n",
				method, ns, rest, key, fields));
}

/* Sets `key` until the watch tells of it. What was stored in one transaction with others' writes,
 * from before somebody watched, is told as a reset. */
static void must_be_told(struct raw_socket *raw, const char *key)
{
	char shown[100];
	bool is_told = false;

	(void)snprintf(shown, sizeof(shown), "data: {\"key\":\"%s\"}\n\n", key);
	for (int left_ms = EVENT_MS; !is_told && left_ms > 0; left_ms -= 500) {
		size_t at = raw->len;

		must_set(key, "1");
		is_told = raw_await_behind(raw, at, shown, 500);
	}
	cr_assert(is_told, "no %s in: %s", shown, raw->received);
}

static void watch(struct raw_socket *raw, const char *rest)
{
	begin(raw, "GET", rest, "");
	cr_assert(raw_await(raw, "event: ready\n", EVENT_MS), "no watch: %s", raw->received);
	must_be_told(raw, strstr(rest, "prefix=b") ? "b/ready" : "ready");
}

/* Waits for an event whose data is `data`, single quotes for double ones, behind *at, which moves
 * behind it. */
static void expect_event(struct raw_socket *raw, size_t *at, const char *name, const char *data)
{
	const char *shown = quoted("data: {%s}\n\n", requoted(data));
	const char *event = quoted("event: %s\n", name);
	const char *found = NULL;

	cr_assert(raw_await_behind(raw, *at, shown, EVENT_MS), "no %s behind %zu in: %s", shown,
		  *at, raw->received);
	found = strstr(raw->received + *at, shown);
	const char *begun = strstr(raw->received + *at, event);
	cr_assert(begun && begun < found, "no %s before %s in: %s", event, shown, raw->received);
	*at = (size_t)(found - raw->received) + strlen(shown);
}

/* Waits until the namespace is told to be clear. Where one is in several parts, in a Redis Cluster,
 * they are cleared one by one, which only a reset can tell. */
static void expect_clear(struct raw_socket *raw, size_t at)
{
	bool is_told = false;

	for (int left_ms = EVENT_MS; !is_told && left_ms > 0; left_ms -= 100)
		is_told = raw_await_behind(raw, at, "event: clear\n", 50) ||
			  raw_await_behind(raw, at, "event: reset\n", 50);
	cr_assert(is_told, "no clear behind %zu in: %s", at, raw->received);
}

/* The id of the event that ends at `at`. */
static const char *id_before(const struct raw_socket *raw, size_t at)
{
	const char *found = NULL;

	for (const char *id = strstr(raw->received, "\nid: "); id && id < raw->received + at;
	     id = strstr(id + 1, "\nid: "))
		found = id + strlen("\nid: ");
	cr_assert(found, "no id in: %s", raw->received);
	return quoted("%.*s", (int)strcspn(found, "\n"), found);
}

Test(watch, changes_come_in_order)
{
	struct raw_socket raw;
	size_t at = 0;

	watch(&raw, "");
	cr_assert(strstr(raw.received, "HTTP/1.1 200 "), "got: %s", raw.received);
	cr_assert(strstr(raw.received, "\r\nContent-Type: text/event-stream\r\n"));
	cr_assert(strstr(raw.received, "\r\nCache-Control: no-store\r\n"));
	cr_assert(strstr(raw.received, "\r\nX-Accel-Buffering: no\r\n"));
	must_set("a", "1");
	expect_event(&raw, &at, "set", "'key':'a'");
	must_set("a", "2");
	expect_event(&raw, &at, "set", "'key':'a'");
	expect_status(batch("set", "'items':[{'key':'b/1','value':'1'},{'key':'b/2','value':'2'}]"),
		      200);
	expect_event(&raw, &at, "set", "'key':'b/1'");
	expect_event(&raw, &at, "set", "'key':'b/2'");
	expect_status(http_put(client, entry_path("%ff"), SLICE("v")), 201);
	expect_event(&raw, &at, "set", "'key_base64':'/w=='");
	expect_status(http_delete(client, entry_path("a")), 204);
	expect_event(&raw, &at, "delete", "'key':'a'");
	expect_status(http_delete(client, ns_path("?all")), 204);
	expect_clear(&raw, at);
	raw_close(&raw);
}

Test(watch, only_what_has_the_prefix)
{
	struct raw_socket raw;
	size_t at = 0;

	watch(&raw, "?prefix=b%2F");
	must_set("a", "1");
	must_set("b", "1");
	must_set("b/c", "1");
	must_set("a/b/c", "1");
	must_set("b/d", "1");
	expect_event(&raw, &at, "set", "'key':'b/c'");
	expect_event(&raw, &at, "set", "'key':'b/d'");
	cr_expect_null(strstr(raw.received, "'key':'a"));
	cr_expect_null(strstr(raw.received, quoted("'key':'b'")), "got: %s", raw.received);
	raw_close(&raw);
	begin(&raw, "GET", "?prefix=%2", "");
	cr_expect_eq(raw_await_answer(&raw, EVENT_MS), 400, "got: %s", raw.received);
	raw_close(&raw);
}

Test(watch, a_client_that_returns_goes_on_or_is_told_that_it_cannot)
{
	struct raw_socket raw;
	size_t at = 0;

	watch(&raw, "");
	must_set("a", "1");
	expect_event(&raw, &at, "set", "'key':'a'");
	const char *known = quoted("Last-Event-ID: %s\r\n", id_before(&raw, at));
	raw_close(&raw);
	must_set("b", "1");

	begin(&raw, "GET", "", known);
	at = 0;
	expect_event(&raw, &at, "set", "'key':'b'");
	cr_expect(strstr(raw.received, quoted("'resumed':true")), "got: %s", raw.received);
	cr_expect_null(strstr(raw.received, "event: reset"), "got: %s", raw.received);
	raw_close(&raw);

	begin(&raw, "GET", "", "Last-Event-ID: 0123456789abcdef-1\r\n");
	at = 0;
	expect_event(&raw, &at, "reset", "");
	cr_expect(strstr(raw.received, quoted("'resumed':false")), "got: %s", raw.received);
	must_set("c", "1");
	expect_event(&raw, &at, "set", "'key':'c'");
	raw_close(&raw);
}

Test(watch, of_a_namespace_that_comes_later)
{
	struct raw_socket raw;

	begin(&raw, "GET", "", "");
	cr_assert(raw_await(&raw,
			    quoted("data: {'namespace':'%s','prefix':'','resumed':false}\n\n", ns),
			    EVENT_MS),
		  "got: %s", raw.received);
	must_be_told(&raw, "first");
	raw_close(&raw);
}

/* A head has no end of its own. */
Test(watch, head_answers_at_once)
{
	struct raw_socket raw;

	begin(&raw, "HEAD", "", "");
	cr_assert(raw_await(&raw, "\r\n\r\n", EVENT_MS), "got: %s", raw.received);
	cr_expect(strstr(raw.received, "\r\nContent-Type: text/event-stream\r\n"), "got: %s",
		  raw.received);
	raw_close(&raw);
}
