/* PROPFIND, MKCOL and DELETE of collections (RFC 4918). */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CONFORMANCE_SUITE(webdav);

static const struct http_answer *find(const char *target, const char *depth)
{
	return http_request(client, "PROPFIND", target, NO_BODY,
			    HTTP_HEADERS(quoted("Depth: %s", depth)));
}

/* The paths below /cache/{ns}/ that an answer names, each behind a blank. */
static const char *hrefs(const struct http_answer *answer)
{
	static char list[4000];
	const char *prefix = quoted("<D:href>/cache/%s/", ns);
	size_t len = 0;

	expect_status(answer, 207);
	for (const char *at = answer->body; (at = strstr(at, prefix));) {
		at += strlen(prefix);
		len += (size_t)snprintf(list + len, sizeof(list) - len, " %.*s",
					(int)strcspn(at, "<"), at);
		cr_assert_lt(len, sizeof(list));
	}
	list[len] = '\0';
	return list;
}

#define expect_members(target, expected)                                                           \
	do {                                                                                       \
		const struct http_answer *found_ = find(target, "1");                              \
		expect_that(found_, strcmp(hrefs(found_), expected) == 0, "expected%s, not%s",     \
			    expected, hrefs(found_));                                              \
	} while (0)

Test(webdav, an_entry)
{
	requires_feature("webdav");
	expect_status(http_put(client, entry_path("a/b.txt"), SLICE("hello"),
			       "Content-Type: text/x; a=\"<&>\""),
		      201);
	const struct http_answer *head = http_head(client, entry_path("a/b.txt"));
	for (int depth = 0; depth < 2; depth++) {
		const struct http_answer *answer =
			find(entry_path("a/b.txt"), depth == 0 ? "0" : "1");
		const char *wanted[] = {
			quoted("<D:href>/cache/%s/a/b.txt</D:href>", ns),
			"<D:resourcetype/>",
			"<D:getcontentlength>5</D:getcontentlength>",
			quoted("<D:getetag>%s</D:getetag>", http_header(head, "ETag")),
			quoted("<D:getlastmodified>%s</D:getlastmodified>",
			       http_header(head, "Last-Modified")),
			"<D:getcontenttype>text/x; a=\"&lt;&amp;&gt;\"</D:getcontenttype>",
			"<D:status>HTTP/1.1 200 OK</D:status>",
		};

		expect_status(answer, 207);
		expect_header(answer, "Content-Type", "application/xml; charset=utf-8");
		expect_header(answer, "Cache-Control", "no-store");
		for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
			expect_that(answer, strstr(answer_->body, wanted[i]) != NULL, "expected %s",
				    wanted[i]);
	}
	expect_problem(find(entry_path("a/b"), "0"), 404, "no such entry");
	expect_problem(find(entry_path("a/b"), "1"), 404, "no such entry");
}

Test(webdav, members_of_collections)
{
	static const char *const keys[] = {"a.txt", "a/1", "a/2/x", "a/2/y", "a-b", "b/c/d/e"};

	requires_feature("webdav");
	expect_members(ns_path("/"), " ");
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		expect_status(http_put(client, entry_path(keys[i]), SLICE("v")), 201);
	expect_members(ns_path("/"), "  a-b a.txt a/ b/");
	expect_members(ns_path(""), "  a-b a.txt a/ b/");
	expect_members(entry_path("a/"), " a/ a/1 a/2/");
	expect_members(entry_path("a"), " a/ a/1 a/2/");
	expect_members(entry_path("b/c/d/"), " b/c/d/ b/c/d/e");
	expect_members(entry_path("none/"), " none/");
	cr_assert_str_eq(hrefs(find(ns_path("/"), "0")), " ");
	cr_assert_str_eq(hrefs(find(entry_path("a"), "0")), " a/");
	cr_assert_str_eq(hrefs(find(entry_path("none/"), "0")), " none/");
	/* An entry that has the name of a collection, and one that ends with a slash. */
	expect_status(http_put(client, entry_path("a"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("b/"), SLICE("v")), 201);
	expect_members(ns_path("/"), "  a a-b a.txt a/ b/");
	cr_assert_str_eq(hrefs(find(entry_path("a"), "0")), " a");
	expect_members(entry_path("b/"), " b/ b/c/");
}

Test(webdav, any_byte_and_no_name_that_leads_elsewhere)
{
	requires_feature("webdav");
	requires_feature("dot-segments");
	expect_status(http_put(client, entry_path("%3C%26%3E%22%00%0A%FF%C3%A4%25"), SLICE("v")),
		      201);
	expect_status(http_put(client, entry_path("../up"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("./here"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path(".."), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("/none"), SLICE("v")), 201);
	expect_members(ns_path("/"), "  %3C%26%3E%22%00%0A%FF%C3%A4%25");
}

/* A page that ends in a collection is followed by what is behind the collection, if it can be told
 * where that is. */
Test(webdav, a_collection_of_odd_names_has_an_end)
{
	enum { KEYS = 2100, LINE_BYTES = 200 };
	static char lines[KEYS * LINE_BYTES];
	char slashes[85] = "";
	size_t len = 0;

	requires_feature("webdav");
	requires_feature("large-batches");
	memset(slashes, '/', sizeof(slashes) - 1);
	/* f/, 64 bytes of 0xFF, and six more. */
	for (int i = 0; i < KEYS; i++)
		len += (size_t)snprintf(lines + len, sizeof(lines) - len,
					"{\"namespace\":\"%s\",\"key_base64\":\"Zi//%s%08d\","
					"\"value\":\"v\"}\n",
					ns, slashes, i);
	expect_status(http_request(client, "POST", "/import",
				   (struct slice){.data = lines, .len = len}, HTTP_HEADERS()),
		      200);
	expect_status(http_put(client, entry_path("g"), SLICE("v")), 201);
	expect_members(ns_path("/"), "  f/ g");
}

Test(webdav, many_members_of_one_collection_are_passed_over)
{
	char items[60000];

	requires_feature("webdav");
	requires_feature("large-batches");
	for (int page = 0; page < 3; page++) {
		size_t len = (size_t)snprintf(items, sizeof(items), "'items':[");

		for (int i = 0; i < 1000; i++)
			len += (size_t)snprintf(items + len, sizeof(items) - len,
						"%s{'key':'m/%04d','value':'v'}", i > 0 ? "," : "",
						1000 * page + i);
		(void)snprintf(items + len, sizeof(items) - len, "]");
		expect_status(batch("set", "%s", requoted(items)), 200);
	}
	expect_status(http_put(client, entry_path("a"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("m0"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("z/z"), SLICE("v")), 201);
	expect_members(ns_path("/"), "  a m/ m0 z/");
	const struct http_answer *answer = find(entry_path("m/"), "1");
	size_t count = 0;
	expect_status(answer, 207);
	for (const char *at = answer->body; (at = strstr(at, "<D:response>")); at++)
		count++;
	cr_assert_eq(count, 3001, "%zu", count);
}

Test(webdav, namespaces)
{
	requires_feature("webdav");
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	const struct http_answer *answer = find("/cache/", "1");
	expect_that(answer,
		    strstr(answer_->body, quoted("<D:href>/cache/%s/</D:href>", ns)) != NULL,
		    "expected the namespace");
	answer = find("/cache", "0");
	expect_status(answer, 207);
	expect_that(answer, strstr(answer_->body, ns) == NULL, "expected no member");
}

Test(webdav, a_depth_without_end_is_refused)
{
	static const char *const depths[] = {"infinity", "2", "", "00"};

	requires_feature("webdav");
	for (size_t i = 0; i < 4; i++) {
		const struct http_answer *answer = find(ns_path("/"), depths[i]);

		expect_status(answer, 403);
		expect_that(answer, strstr(answer_->body, "propfind-finite-depth") != NULL,
			    "expected the condition of RFC 4918");
	}
	expect_status(http_request(client, "PROPFIND", ns_path("/"), NO_BODY, HTTP_HEADERS()), 403);
}

Test(webdav, the_body_does_not_matter_and_is_bounded)
{
	static char body[70000];
	static const char *const bodies[] = {
		"<D:propfind xmlns:D=\"DAV:\"><D:allprop/></D:propfind>", "no XML at all", ""};

	requires_feature("webdav");
	for (size_t i = 0; i < 3; i++)
		expect_status(http_request(client, "PROPFIND", ns_path("/"), slice_of(bodies[i]),
					   HTTP_HEADERS("Depth: 0")),
			      207);
	memset(body, 'x', sizeof(body));
	expect_problem(http_request(client, "PROPFIND", ns_path("/"),
				    (struct slice){.data = body, .len = sizeof(body)},
				    HTTP_HEADERS("Depth: 0")),
		       413, "PROPFIND");
}

Test(webdav, collections_need_not_be_made_and_go_when_they_are_empty)
{
	requires_feature("webdav");
	expect_status(http_request(client, "MKCOL", entry_path("d/"), NO_BODY, HTTP_HEADERS()),
		      201);
	expect_status(http_request(client, "MKCOL", entry_path("d"), NO_BODY, HTTP_HEADERS()), 201);
	expect_status(http_request(client, "MKCOL", ns_path("/"), NO_BODY, HTTP_HEADERS()), 201);
	expect_problem(
		http_request(client, "MKCOL", entry_path("d/"), SLICE("<x/>"), HTTP_HEADERS()), 415,
		"MKCOL");
	expect_status(http_get(client, entry_path("d/")), 404);
	expect_status(http_get(client, entry_path("d")), 404);
	expect_status(http_put(client, entry_path("d/k"), SLICE("v")), 201);
	expect_status(http_get(client, entry_path("d/")), 404);
	expect_problem(http_delete(client, entry_path("d/")), 409, "prefix=");
	expect_body(http_get(client, entry_path("d/k")), SLICE("v"));
	expect_status(http_delete(client, entry_path("d/k")), 204);
	expect_status(http_delete(client, entry_path("d/")), 204);
	expect_status(http_delete(client, entry_path("d")), 404);
	/* An entry with such a key goes alone. */
	expect_status(http_put(client, entry_path("e/"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("e/k"), SLICE("v")), 201);
	expect_status(http_delete(client, entry_path("e/"), "If-Match: \"no\""), 412);
	expect_status(http_delete(client, entry_path("e/")), 204);
	expect_body(http_get(client, entry_path("e/k")), SLICE("v"));
}

Test(webdav, what_is_not_there)
{
	static const char *const methods[] = {"LOCK", "COPY", "MOVE", "PROPPATCH"};

	requires_feature("webdav");
	requires_feature("unknown-methods");
	for (size_t i = 0; i < 4; i++)
		expect_problem(
			http_request(client, methods[i], entry_path("k"), NO_BODY, HTTP_HEADERS()),
			405, "");
	expect_problem(http_get(client, ns_path("/")), 404, "");
	expect_problem(http_request(client, "PROPFIND", "/stats", NO_BODY, HTTP_HEADERS()), 405,
		       "");
}
