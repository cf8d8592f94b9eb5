/* GET /cache and GET /cache/{ns}: keys in byte order, page by page. */
#include "tests/conformance/conformance.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CONFORMANCE_SUITE(listing);

static void put(const char *encoded)
{
	const struct http_answer *answer = http_put(client, entry_path(encoded), SLICE("v"));

	expect_that(answer, answer_->status / 100 == 2, "expected success");
}

/* The keys of a listing as "a b c", followed by "..." if it is not complete. Storage as
 * quoted(). */
static const char *keys_of(const struct http_answer *answer)
{
	json_auto_t *listing = http_json(answer);
	const json_t *entry, *complete = json_object_get(listing, "complete");
	char text[4096] = "";
	size_t i, len = 0;

	expect_status(answer, 200);
	expect_that(answer, json_is_boolean(complete), "expected \"complete\"");
	expect_that(answer, json_is_array(json_object_get(listing, "keys")), "expected \"keys\"");
	json_array_foreach(json_object_get(listing, "keys"), i, entry)
	{
		const char *key = json_string_value(json_object_get(entry, "key"));

		expect_that(answer, key != NULL, "expected a key in each entry");
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "", key);
	}
	return quoted("%s%s", text, json_is_true(complete) ? "" : "...");
}

#define expect_keys(answer, expected)                                                              \
	do {                                                                                       \
		const struct http_answer *listed_ = (answer);                                      \
		const char *keys_ = keys_of(listed_);                                              \
		expect_that(listed_, strcmp(keys_, expected) == 0, "expected the keys %s",         \
			    expected);                                                             \
	} while (0)

/* The cursor of a listing, ready for a query; NULL if the listing is complete. */
static const char *cursor_of(const struct http_answer *answer)
{
	json_auto_t *listing = http_json(answer);
	const json_t *cursor = json_object_get(listing, "cursor");
	const char *kept;
	char *encoded;

	if (json_is_true(json_object_get(listing, "complete")))
		return NULL;
	expect_that(answer, json_is_string(cursor), "expected a cursor");
	encoded = percent_encode(slice_of(json_string_value(cursor)));
	kept = quoted("%s", encoded);
	free(encoded);
	return kept;
}

Test(listing, of_an_empty_namespace)
{
	expect_keys(http_get(client, ns_path("")), "");
	expect_keys(http_get(client, quoted("/cache/%.50s_untouched", ns)), "");
}

Test(listing, keys_in_byte_order)
{
	static const char *const encoded[] = {"b", "a", "B", "aa", "a%20", "%7E", "10", "9", "a/b"};

	for (size_t i = 0; i < 9; i++)
		put(encoded[i]);
	expect_keys(http_get(client, ns_path("")), "10 9 B a a  a/b aa b ~");
}

Test(listing, members_of_an_entry)
{
	static const char *const names[] = {"key",         "size",       "etag",      "frequency",
					    "last_access", "created_at", "expires_at"};
	const struct http_answer *answer;
	const char *etag;
	json_t *listing, *entry, *member;
	const char *name;
	size_t i = 0;

	requires_feature("uses");
	expect_status(http_put(client, entry_path("k"), SLICE("12345")), 201);
	answer = http_get(client, entry_path("k"));
	etag = quoted("%s", http_header(answer, "ETag"));
	answer = http_get(client, ns_path(""));
	expect_header(answer, "Content-Type", "application/json; charset=UTF-8");
	listing = http_json(answer);
	entry = json_array_get(json_object_get(listing, "keys"), 0);
	json_object_foreach(entry, name, member)
	{
		expect_that(answer, i >= 7 || strcmp(name, names[i]) == 0,
			    "expected member %zu to be %s", i, names[i < 7 ? i : 6]);
		i++;
	}
	expect_that(answer, i >= 7, "expected seven members");
	expect_that(answer, json_integer_value(json_object_get(entry, "size")) == 5,
		    "expected a size of 5");
	expect_that(answer,
		    lacks_feature("one-server") ||
			    json_integer_value(json_object_get(entry, "frequency")) == 2,
		    "expected a frequency of 2");
	expect_that(answer,
		    http_text_equal(json_string_value(json_object_get(entry, "etag")), etag),
		    "expected the ETag %s", etag);
	expect_that(answer, json_is_null(json_object_get(entry, "expires_at")),
		    "expected an expires_at of null");
	json_decref(listing);
	expect_status(http_put(client, entry_path("k?ttl=100"), SLICE("12345")), 204);
	answer = http_get(client, ns_path(""));
	listing = http_json(answer);
	entry = json_array_get(json_object_get(listing, "keys"), 0);
	expect_that(answer, !json_is_null(json_object_get(entry, "expires_at")),
		    "expected an expires_at");
	json_decref(listing);
}

Test(listing, is_no_use)
{
	requires_feature("uses");
	put("k");
	for (int i = 0; i < 3; i++)
		expect_keys(http_get(client, ns_path("")), "k");
	cr_assert_eq(d1_stat("max_frequency"), 1);
}

Test(listing, prefix)
{
	static const char *const encoded[] = {"a", "ab", "abc", "b", "a/x", "a/y", "a%25", "%2B"};

	for (size_t i = 0; i < 8; i++)
		put(encoded[i]);
	expect_keys(http_get(client, ns_path("?prefix=a")), "a a% a/x a/y ab abc");
	expect_keys(http_get(client, ns_path("?prefix=a/")), "a/x a/y");
	expect_keys(http_get(client, ns_path("?prefix=a%2F")), "a/x a/y");
	expect_keys(http_get(client, ns_path("?prefix=a%25")), "a%");
	expect_keys(http_get(client, ns_path("?prefix=%2B")), "+");
	expect_keys(http_get(client, ns_path("?prefix=abcd")), "");
	expect_keys(http_get(client, ns_path("?prefix=")), "+ a a% a/x a/y ab abc b");
}

Test(listing, limit_and_cursor)
{
	const struct http_answer *answer;

	for (const char *key = "abcdefg"; *key; key++)
		put((char[]){*key, 0});
	answer = http_get(client, ns_path("?limit=3"));
	expect_keys(answer, "a b c...");
	answer = http_get(client, ns_path(quoted("?limit=3&cursor=%s", cursor_of(answer))));
	expect_keys(answer, "d e f...");
	answer = http_get(client, ns_path(quoted("?limit=3&cursor=%s", cursor_of(answer))));
	expect_keys(answer, "g");
	expect_keys(http_get(client, ns_path("?limit=7")), "a b c d e f g");
	expect_keys(http_get(client, ns_path("?limit=1000")), "a b c d e f g");
}

Test(listing, cursor_with_prefix)
{
	static const char *const encoded[] = {"a", "p1", "p2", "p3", "q"};
	const struct http_answer *answer;

	for (size_t i = 0; i < 5; i++)
		put(encoded[i]);
	answer = http_get(client, ns_path("?prefix=p&limit=2"));
	expect_keys(answer, "p1 p2...");
	answer =
		http_get(client, ns_path(quoted("?prefix=p&limit=2&cursor=%s", cursor_of(answer))));
	expect_keys(answer, "p3");
}

Test(listing, cursor_after_keys_of_any_bytes)
{
	static const char *const encoded[] = {"%00", "%00%00", "%01", "a%0A", "%ff", "%ff%00"};
	const struct http_answer *answer;
	const char *cursor = NULL;
	size_t pages = 0;

	for (size_t i = 0; i < 6; i++)
		put(encoded[i]);
	do {
		answer = http_get(client, ns_path(cursor ? quoted("?limit=1&cursor=%s", cursor)
							 : "?limit=1"));
		expect_status(answer, 200);
		cursor = cursor_of(answer);
		pages++;
	} while (cursor && pages < 20);
	cr_assert_eq(pages, 6);
}

Test(listing, keys_that_are_not_utf8_appear_in_base64)
{
	const struct http_answer *answer;
	json_auto_t *listing = NULL;
	const json_t *entry;

	put("a%ff");
	answer = http_get(client, ns_path(""));
	expect_status(answer, 200);
	listing = http_json(answer);
	entry = json_array_get(json_object_get(listing, "keys"), 0);
	expect_that(
		answer,
		http_text_equal(json_string_value(json_object_get(entry, "key_base64")), "Yf8=") &&
			!json_object_get(entry, "key"),
		"expected {\"key_base64\":\"Yf8=\"}");
}

Test(listing, wrong_parameters)
{
	static const char *const queries[] = {"?limit=0",   "?limit=-1",   "?limit=x",   "?limit=",
					      "?limit=1.5", "?limit=1001", "?prefix=%zz"};

	for (size_t i = 0; i < 7; i++)
		expect_problem(http_get(client, ns_path(queries[i])), 400,
			       i < 6 ? "limit" : "prefix");
	expect_problem(http_get(client, ns_path("?cursor=%21%21%21")), 400, "cursor");
}

/* Shared by the writers of the next test. */
struct churn {
	atomic_bool stop;
};

/* Creates and deletes keys between those that stay. */
static const char *churn_keys(size_t index, void *user)
{
	struct churn *churn = user;
	struct http_client *mine = http_client_open(server_url, api_key);
	const char *failure = NULL;

	for (size_t i = index; !atomic_load(&churn->stop) && !failure; i += 3) {
		const char *path = entry_path(quoted("key%%20%03zu.%zu", i % 500, index));

		if (http_put(mine, path, SLICE("v"))->status / 100 != 2)
			failure = "a put failed";
		if (i % 2 && http_delete(mine, path)->status != 204)
			failure = "a delete failed";
	}
	http_client_close(mine);
	return failure;
}

static const char *list_pages(void)
{
	const struct http_answer *answer = NULL;
	const char *cursor = NULL;
	unsigned seen[500] = {0};
	char last[64] = "";

	do {
		json_auto_t *listing = NULL;
		const json_t *entry;
		size_t i;

		answer = http_get(client, ns_path(cursor ? quoted("?limit=37&cursor=%s", cursor)
							 : "?limit=37"));
		if (answer->status != 200)
			return "a page failed";
		listing = http_json(answer);
		json_array_foreach(json_object_get(listing, "keys"), i, entry)
		{
			const char *key = json_string_value(json_object_get(entry, "key"));
			unsigned number = 0;
			int end = 0;

			if (strcmp(key, last) <= 0)
				return "a key out of order";
			(void)snprintf(last, sizeof(last), "%s", key);
			if (sscanf(key, "key %u%n", &number, &end) == 1 && !key[end] &&
			    number < 500)
				seen[number]++;
		}
		cursor = cursor_of(answer);
	} while (cursor);
	for (size_t i = 0; i < 500; i++)
		if (seen[i] != 1)
			return seen[i] ? "a key twice" : "a key that stayed was skipped";
	return NULL;
}

/* Thread 0 lists, the others write. */
static const char *list_or_churn(size_t index, void *user)
{
	struct churn *churn = user;
	const char *failure = NULL;

	if (index > 0)
		return churn_keys(index, churn);
	for (int round = 0; round < 10 && !failure; round++)
		failure = list_pages();
	atomic_store(&churn->stop, true);
	return failure;
}

Test(listing, is_stable_under_concurrent_writes)
{
	struct churn churn = {.stop = false};
	const char *failure;

	for (int i = 0; i < 500; i++)
		put(quoted("key%%20%03d", i));
	failure = in_threads(4, list_or_churn, &churn);
	cr_assert(failure == NULL, "%s", failure);
}

Test(listing, of_the_namespaces)
{
	const struct http_answer *answer;
	json_auto_t *document = NULL;
	const json_t *entry, *mine = NULL;
	size_t i;

	requires_feature("limits");
	must_init_bytes(100000);
	put("k");
	answer = http_get(client, "/cache");
	expect_status(answer, 200);
	document = http_json(answer);
	json_array_foreach(json_object_get(document, "namespaces"), i, entry)
	{
		if (http_text_equal(json_string_value(json_object_get(entry, "name")), ns))
			mine = entry;
	}
	expect_that(answer, mine != NULL, "expected the namespace %s", ns);
	expect_that(answer, json_integer_value(json_object_get(mine, "entry_count")) == 1,
		    "expected one entry in %s", ns);
	expect_that(answer, json_integer_value(json_object_get(mine, "total_size")) == 1,
		    "expected one byte in %s", ns);
	expect_that(answer,
		    json_integer_value(json_object_get(mine, "used_bytes")) ==
			    (json_int_t)BYTES_ENTRY_USED("k") + 1,
		    "expected what the entry of %s counts", ns);
	expect_that(answer, json_integer_value(json_object_get(mine, "max_size_bytes")) == 100000,
		    "expected the limit of %s", ns);
}
