/* HTTP Basic: the token as the password of any user name. */
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conformance.h"
#include "tests/conformance/resources.h"

CONFORMANCE_SUITE(basic);

#define CHALLENGE "Basic realm=\"steadycache\", charset=\"UTF-8\""

static void needs_basic(void)
{
	requires_feature("basic");
	if (!api_key)
		cr_skip("the server has no key");
}

/* "Authorization: Basic ..." of those credentials. */
static const char *basic(const char *credentials)
{
	size_t len = strlen(credentials);
	char *text = calloc(1, BASE64_ENCODE_RAW_LENGTH(len) + 1);

	base64_encode_raw(text, len, (const uint8_t *)credentials);
	const char *line = quoted("Authorization: Basic %s", text);
	free(text);
	return line;
}

Test(basic, any_user_name_with_the_token)
{
	static const char *const users[] = {"", "user", "a b", "\xc3\xa4", "Bearer"};

	needs_basic();
	must_set("k", "v");
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++) {
		const char *line = basic(quoted("%s:%s", users[i], api_key));

		expect_status(http_get(client, entry_path("k"), line), 200);
		expect_status(http_put(client, entry_path("k"), SLICE("v"), line), 204);
	}
	expect_status(
		http_get(client, entry_path("k"),
			 quoted("Authorization: basic  %s",
				basic(quoted("u:%s", api_key)) + strlen("Authorization: Basic "))),
		200);
}

Test(basic, wherever_bearer_is_taken)
{
	needs_basic();
	for (const struct resource *resource = resources; resource->method; resource++) {
		const char *method = resource->method, *target = resource->target;
		struct slice body = *method == 'P' ? SLICE("{") : NO_BODY;

		if ((resource->feature && lacks_feature(resource->feature)) ||
		    strcmp(method, "DELETE") == 0)
			continue;
		const struct http_answer *answer = http_request(
			client, method, target, body, HTTP_HEADERS(basic(quoted("u:%s", api_key))));

		expect_that(answer, answer->status != 401 && answer->status != 403,
			    "expected it to pass");
		answer = http_request(client, method, target, body, HTTP_HEADERS(basic("u:wrong")));
		/* On /api as in the original, which does not know this scheme. */
		expect_status(answer, strncmp(target, "/api/", 5) == 0 ? 400 : 401);
	}
}

Test(basic, what_is_no_token)
{
	static const char *const refused[] = {
		"Authorization: Basic",          "Authorization: Basic ",
		"Authorization: Basic :",        "Authorization: Basic ====",
		"Authorization: Basic Og==",     /* ":" */
		"Authorization: Basic dXNlcg==", /* no colon */
		"Authorization: Basic dXNlcjo=", /* no password */
		"Authorization: Basic AAAAAAAA", "Authorization: Basic \xff\xfe",
	};
	char longest[5600] = "Authorization: Basic ";
	const char *right = basic(quoted("u:%s", api_key ? api_key : ""));

	needs_basic();
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		expect_status(http_get(client, entry_path("k"), refused[i]), 401);
	expect_status(http_get(client, entry_path("k"), quoted("%s!", right)), 401);
	expect_status(http_get(client, entry_path("k"), quoted("%s=AAAA", right)), 401);
	expect_status(http_get(client, entry_path("k"), quoted("%s AAAA", right)), 401);
	expect_status(http_get(client, entry_path("k"), basic(quoted("%s:", api_key))), 401);
	expect_status(http_get(client, entry_path("k"), basic(quoted("u:%sx", api_key))), 401);
	expect_status(http_get(client, entry_path("k"), basic(quoted("u: %s", api_key))), 401);
	memset(longest + strlen(longest), 'A', sizeof(longest) - 1 - strlen(longest));
	expect_status(http_get(client, entry_path("k"), longest), 401);
}

Test(basic, two_headers_are_refused)
{
	needs_basic();
	const char *bearer = quoted("Authorization: Bearer %s", api_key);

	expect_status(http_get(client, entry_path("k"), basic(quoted("u:%s", api_key)), bearer),
		      400);
	expect_status(http_get(client, entry_path("k"), bearer, bearer), 400);
}

Test(basic, is_offered_to_programs_and_not_to_browsers)
{
	static const char *const browsers[] = {
		"Sec-Fetch-Site: same-origin",
		"Sec-Fetch-Mode: navigate",
		"Sec-Fetch-Dest: document",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0",
	};
	const struct http_answer *answer;

	needs_basic();
	answer = http_get(client, entry_path("k"), "Authorization:");
	expect_challenge(answer, "Bearer", "Bearer realm=\"\"");
	expect_challenge(answer, "Basic", CHALLENGE);
	answer = http_get(client, entry_path("k"), basic("u:wrong"));
	expect_challenge(answer, "Bearer", "Bearer error=\"invalid_token\"");
	expect_challenge(answer, "Basic", CHALLENGE);
	for (size_t i = 0; i < sizeof(browsers) / sizeof(*browsers); i++) {
		answer = http_get(client, entry_path("k"), "Authorization:", browsers[i]);
		expect_challenge(answer, "Bearer", "Bearer realm=\"\"");
		expect_that(answer, !challenge_of(answer, "Basic"), "expected no Basic");
	}
	answer = http_post_json(client, "/api/get", "{}");
	expect_that(answer, !challenge_of(answer, "Basic"), "expected no Basic");
}

/* A browser that has once asked its user sends name and password with whatever any page asks for.
 */
Test(basic, pages_of_other_sites_cannot_use_what_a_browser_remembers)
{
	static const char *const foreign[] = {
		"Sec-Fetch-Site: cross-site",
		"Sec-Fetch-Site: same-site",
		"Origin: http://example.com",
		"Origin: null",
	};

	needs_basic();
	must_set("k", "v");
	const char *remembered = basic(quoted("u:%s", api_key));

	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
		for (const struct resource *resource = resources; resource->method; resource++) {
			const char *method = resource->method;

			if (resource->feature && lacks_feature(resource->feature))
				continue;
			expect_status(http_request(client, method, resource->target,
						   *method == 'P' ? SLICE("{}") : NO_BODY,
						   HTTP_HEADERS(remembered, foreign[i])),
				      403);
		}
		expect_status(http_get(client, entry_path("k"), foreign[i],
				       "Sec-Fetch-Mode: navigate", remembered),
			      403);
		/* A page that was given the token is no stranger. */
		expect_status(http_get(client, entry_path("k"), foreign[i]), 200);
	}
	expect_status(http_get(client, entry_path("k"), remembered, "Sec-Fetch-Site: same-origin"),
		      200);
	expect_status(http_get(client, entry_path("k"), remembered, "Sec-Fetch-Site: none"), 200);
	expect_status(http_get(client, entry_path("k"), remembered, "Host: cache.example"), 200);
}
