/* How a server without a token judges a request: by the host that it names, and by the page that
 * sent it. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/auth/site_check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned check(const struct site_request *request, const char *listen_host)
{
	const char *problem = NULL;
	unsigned status = site_check(request, listen_host, &problem);

	cr_expect_eq(problem != NULL, status != 0);
	cr_expect(!problem ||
			  strstr(problem, request->is_basic ? "as Bearer" : "STEADYCACHE_API_KEY"),
		  "it says what to do");
	return status;
}

Test(site_check, hosts_that_lead_to_this_machine_only)
{
	static const struct {
		const char *host;
		bool taken;
	} cases[] = {
		{NULL, true}, /* HTTP/1.0 */
		{"127.0.0.1:8080", true},
		{"127.0.0.1", true},
		{"127.0.0.1:", true},
		{"127.8.9.1:1", true},
		{"127.1:8080", true},
		{"localhost:8080", true},
		{"LOCALHOST", true},
		{"cache.localhost:8080", true},
		{"a.b.LocalHost", true},
		{"[::1]:8080", true},
		{"[::1]", true},
		{"my-box:8080", true}, /* of --listen */
		{"MY-BOX", true},
		{"", false},
		{":8080", false},
		{".localhost", false},
		{"example.com", false}, /* DNS rebinding */
		{"localhost.example.com", false},
		{"xlocalhost", false},
		{"my-box.example.com", false},
		{"127.example.com", false},
		{"127.0.0.1.example.com", false},
		{"127.", false},
		{"128.0.0.1", false},
		{"0.0.0.0", false}, /* browsers send it no Sec-Fetch-Site */
		{"[::]:8080", false},
		{"[::ffff:127.0.0.1]", false},
		{"[::2]", false},
		{"[::1", false},
		{"::1", false},
		{"[::1]x", false},
		{"localhost:x", false},
		{"localhost:80:80", false},
		{"evil@127.0.0.1", false},
		{"127.0.0.1@evil", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct site_request request = {.host = cases[i].host};

		cr_expect_eq(check(&request, "my-box"), cases[i].taken ? 0 : 421, "%s",
			     cases[i].host);
		request.any_host = true;
		cr_expect_eq(check(&request, "my-box"), 0, "%s", cases[i].host);
	}
}

Test(site_check, an_address_of_listen_is_one_in_brackets)
{
	const struct site_request request = {.host = "[fd00::1]:8080"};

	cr_expect_eq(check(&request, "fd00::1"), 0);
	cr_expect_eq(check(&request, "127.0.0.1"), 421);
	cr_expect_eq(check(&(struct site_request){.host = ""}, ""), 421);
}

Test(site_check, pages_of_other_sites)
{
	static const struct {
		const char *fetch_site, *fetch_mode, *origin;
		bool taken, taken_as_page;
	} cases[] = {
		{NULL, NULL, NULL, true, true}, /* curl */
		{"none", "navigate", NULL, true, true},
		{"same-origin", "cors", "http://localhost:8080", true, true},
		{"same-origin", "no-cors", NULL, true, true},
		/* Behind a development server that changes Host: the browser's header counts. */
		{"same-origin", "cors", "http://localhost:3000", true, true},
		{"same-site", "no-cors", NULL, false, false},
		{"same-site", "navigate", NULL, false, true},
		{"cross-site", "no-cors", NULL, false, false},
		{"cross-site", "cors", "http://example.com", false, false},
		{"cross-site", "navigate", NULL, false, true},
		{"cross-site", NULL, NULL, false, false},
		/* It says where it comes from, whatever the other header says. */
		{"cross-site", "cors", "http://localhost:8080", false, false},
		{"Same-Origin", "cors", NULL, false, false},
		{"", "no-cors", NULL, false, false},
		{"unheard-of", "no-cors", NULL, false, false},
		/* Older browsers. */
		{NULL, NULL, "http://localhost:8080", true, true},
		{NULL, NULL, "http://LOCALHOST:8080", true, true},
		{NULL, NULL, "http://localhost:3000", false, false},
		{NULL, NULL, "http://localhost", false, false},
		{NULL, NULL, "http://example.com", false, false},
		{NULL, NULL, "http://127.0.0.1:8080", false, false},
		{NULL, NULL, "null", false, false},
		{NULL, NULL, "", false, false},
		{NULL, "navigate", "null", false, true},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct site_request request = {
			.host = "LocalHost:8080",
			.fetch_site = cases[i].fetch_site,
			.fetch_mode = cases[i].fetch_mode,
			.origin = cases[i].origin,
		};

		cr_expect_eq(check(&request, "localhost"), cases[i].taken ? 0 : 403, "case %zu", i);
		request.any_host = true;
		cr_expect_eq(check(&request, "localhost"), cases[i].taken ? 0 : 403, "case %zu", i);
		request.is_page_load = true;
		cr_expect_eq(check(&request, "localhost"), cases[i].taken_as_page ? 0 : 403,
			     "case %zu", i);
		request.is_page_load = request.any_host = false;
		request.is_basic = true;
		cr_expect_eq(check(&request, "localhost"), cases[i].taken ? 0 : 403, "case %zu", i);
	}
	cr_expect_eq(check(&(struct site_request){.origin = "http://localhost"}, "localhost"), 403,
		     "an origin, and no host that it could be");
}
