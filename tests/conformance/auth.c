/* Authentication: the table of the original Worker, on /api and everywhere else. */
#include "tests/conformance/conformance.h"

#include <string.h>

#include "tests/conformance/resources.h"

CONFORMANCE_SUITE(auth);

static void needs_key(void)
{
	if (!api_key)
		cr_skip("the server has no key");
}

static const struct http_answer *ask(const char *authorization)
{
	return http_post(client, "/api/get", slice_of(quoted("{'cache_name':'%s','key':'k'}", ns)),
			 authorization);
}

#define expect_refused(answer, status, body, challenge)                                            \
	do {                                                                                       \
		const struct http_answer *refused_ = (answer);                                     \
		expect_status(refused_, status);                                                   \
		expect_challenge(refused_, "Bearer", challenge);                                   \
		expect_body(refused_, SLICE(body));                                                \
		expect_that(refused_,                                                              \
			    strncmp(http_header(answer_, "Content-Type"), "text/plain", 10) == 0,  \
			    "expected text/plain");                                                \
	} while (0)

#define expect_no_header(answer) expect_refused(answer, 401, "Unauthorized", "Bearer realm=\"\"")
#define expect_wrong_token(answer)                                                                 \
	expect_refused(answer, 401, "Unauthorized", "Bearer error=\"invalid_token\"")
#define expect_bad_header(answer)                                                                  \
	expect_refused(answer, 400, "Bad Request", "Bearer error=\"invalid_request\"")

Test(auth, no_header)
{
	needs_key();
	expect_no_header(ask("Authorization:"));
}

Test(auth, wrong_tokens)
{
	char longer[300], shorter[300];

	needs_key();
	(void)snprintf(longer, sizeof(longer), "Authorization: Bearer %sx", api_key);
	(void)snprintf(shorter, sizeof(shorter), "Authorization: Bearer %s", api_key);
	shorter[strlen(shorter) - 1] = '\0';
	expect_wrong_token(ask("Authorization: Bearer wrong"));
	expect_wrong_token(ask(longer));
	expect_wrong_token(ask(shorter));
}

Test(auth, another_scheme_or_no_token)
{
	needs_key();
	expect_bad_header(ask("Authorization: Basic dXNlcjpwYXNz"));
	expect_bad_header(ask("Authorization: Bearer"));
	expect_bad_header(ask("Authorization: Digest x"));
	expect_bad_header(ask(quoted("Authorization: %s", api_key)));
}

Test(auth, the_scheme_in_any_case)
{
	static const char *const schemes[] = {"Bearer", "bearer", "BEARER", "bEaReR"};

	needs_key();
	for (size_t i = 0; i < 4; i++)
		expect_d1(ask(quoted("Authorization: %s %s", schemes[i], api_key)), 200,
			  "{'found':false}");
}

Test(auth, a_refused_request_does_nothing)
{
	needs_key();
	must_set("k", "v");
	expect_status(http_delete(client, entry_path("k"), "Authorization:"), 401);
	expect_status(http_put(client, entry_path("k"), SLICE("w"), "Authorization: Bearer wrong"),
		      401);
	expect_status(http_delete(client, ns_path("?all"), "Authorization: Bearer"), 400);
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'v'}");
}

Test(auth, every_resource_but_health_wants_the_token)
{
	needs_key();
	for (const struct resource *resource = resources; resource->method; resource++) {
		const char *method = resource->method, *target = resource->target;
		struct slice body = *method == 'P' ? SLICE("{}") : NO_BODY;

		if (resource->feature && lacks_feature(resource->feature))
			continue;
		const struct http_answer *answer =
			http_request(client, method, target, body, HTTP_HEADERS("Authorization:"));

		expect_status(answer, 401);
		expect_challenge(answer, "Bearer", "Bearer realm=\"\"");
		answer = http_request(client, method, target, body,
				      HTTP_HEADERS("Authorization: Bearer wrong"));
		expect_status(answer, 401);
		expect_challenge(answer, "Bearer", "Bearer error=\"invalid_token\"");
		answer = http_request(client, method, target, body,
				      HTTP_HEADERS("Authorization: Digest x"));
		/* On /api as in the original; elsewhere it names the accepted scheme. */
		bool is_d1 = strncmp(target, "/api/", 5) == 0;
		expect_status(answer, is_d1 ? 400 : 401);
		expect_challenge(answer, "Bearer",
				 is_d1 ? "Bearer error=\"invalid_request\"" : "Bearer realm=\"\"");
	}
}

Test(auth, another_scheme_outside_the_api)
{
	static const char *const schemes[] = {"Basictoken", "Digest x", "Bearertoken", "Negotiate",
					      "B"};

	needs_key();
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		expect_no_header(
			http_get(client, entry_path("k"), quoted("Authorization: %s", schemes[i])));
	expect_bad_header(http_get(client, entry_path("k"), "Authorization: Bearer"));
}

Test(auth, health_wants_none)
{
	http_client_set_key(client, NULL);
	expect_status(http_get(client, "/healthz"), 200);
	expect_status(http_get(client, "/readyz"), 200);
	expect_status(http_get(client, "/healthz", "Authorization: Bearer wrong"), 200);
	http_client_set_key(client, api_key);
}

Test(auth, a_server_without_a_key_ignores_tokens)
{
	if (api_key)
		cr_skip("the server has a key");
	expect_d1(ask("Authorization: Bearer whatever"), 200, "{'found':false}");
	expect_d1(ask("Authorization:"), 200, "{'found':false}");
}
