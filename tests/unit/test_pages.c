/* handlers/pages/pages.c over its own table of files. */
#include <criterion/criterion.h>
#include <string.h>

#include "handlers/handlers.h"
#include "handlers/pages/page_files.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const unsigned char plain[] = "a plain file";
static const unsigned char packed[] = "packed";
#define FORMS plain, plain + sizeof(plain) - 1, packed, packed + sizeof(packed) - 1

/* Instead of the files that the build made. /docs is left out. */
const struct page_file page_files[] = {
	{"ui.html", "text/html; charset=utf-8", "\"11\"", FORMS},
	{"ui-1.js", "text/javascript; charset=utf-8", "\"22\"", FORMS},
	{"tiny.svg", "image/svg+xml", "\"33\"", plain, plain + sizeof(plain) - 1, NULL, NULL},
};
const size_t page_file_count = COUNT(page_files);

static struct fake_request fake;

/* Sends the request, and leaves `fake` for inspection. */
static void ask(const struct handler *handler, const char *key)
{
	fake.request.key = slice_of(key);
	cr_assert_eq(fake_request_start(&fake, handler), STEP_RESPOND);
}

static void check_body(const unsigned char *expected, const char *what)
{
	cr_expect(slice_equal(fake_response_body(&fake), slice_of((const char *)expected)), "%s",
		  what);
}

Test(pages, gzip_only_where_it_is_taken_and_there)
{
	static const struct {
		const char *accept;
		bool takes;
	} cases[] = {
		{NULL, false},         {"", false},
		{"gzip", true},        {"deflate, GZIP;q=0.5, br", true},
		{"*", true},           {"gzip;q=0", false},
		{"gzip ; q=0", false}, {"gzip;q=0.000, br", false},
		{"xgzip", false},      {"gzipx", false},
		{"br;q=1", false},     {"br;q=0,gzip", true},
		{",, ,", false},       {"*;q=0, gzip", true},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		for (int tiny = 0; tiny < 2; tiny++) {
			bool gzip = cases[i].takes && !tiny;

			fake_request_init(&fake);
			if (cases[i].accept)
				fake_request_header(&fake, "Accept-Encoding", cases[i].accept);
			ask(&handler_assets, tiny ? "tiny.svg" : "ui-1.js");
			cr_expect_eq(fake.response.status, 200);
			check_body(gzip ? packed : plain, cases[i].accept);
			cr_expect_eq(fake_response_header(&fake, "Content-Encoding") != NULL, gzip);
			cr_expect_str_eq(fake_response_header(&fake, "Vary"), "Accept-Encoding");
			fake_request_close(&fake);
		}
}

Test(pages, what_the_client_has_is_not_sent_again)
{
	static const struct {
		const char *none_match;
		unsigned status;
	} cases[] = {
		{"\"22\"", 304}, {"W/\"22\"", 304}, {"\"1\", \"22\"", 304}, {"*", 304},
		{"\"2\"", 200},  {"22", 200},       {"\"222\"", 200},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_request_init(&fake);
		fake_request_header(&fake, "If-None-Match", cases[i].none_match);
		ask(&handler_assets, "ui-1.js");
		cr_expect_eq(fake.response.status, cases[i].status, "%s", cases[i].none_match);
		cr_expect_str_eq(fake_response_header(&fake, "ETag"), "\"22\"");
		cr_expect((fake_response_header(&fake, "Content-Type") == NULL) ==
			  (cases[i].status == 304));
		fake_request_close(&fake);
	}
}

Test(pages, a_page_is_asked_for_again_and_an_asset_never)
{
	fake_request_init(&fake);
	ask(&handler_ui, "");
	cr_expect_eq(fake.response.status, 200);
	cr_expect_str_eq(fake_response_header(&fake, "Cache-Control"), "no-cache");
	cr_expect_null(strstr(fake_response_header(&fake, "Content-Security-Policy"), "unsafe"));
	cr_expect_str_eq(fake_response_header(&fake, "X-Frame-Options"), "DENY");
	fake_request_close(&fake);
	fake_request_init(&fake);
	ask(&handler_assets, "ui-1.js");
	cr_expect_not_null(strstr(fake_response_header(&fake, "Cache-Control"), "immutable"));
	fake_request_close(&fake);
}

Test(pages, what_is_not_there)
{
	static const char *const names[] = {"ui.html", "ui-2.js", "", "ui-1.js/", "../ui-1.js"};

	for (size_t i = 0; i < COUNT(names); i++) {
		fake_request_init(&fake);
		ask(&handler_assets, names[i]);
		cr_expect_eq(fake.response.status, 404, "%s", names[i]);
		fake_request_close(&fake);
	}
	fake_request_init(&fake);
	ask(&handler_docs, "");
	cr_expect_eq(fake.response.status, 404);
	cr_expect_not_null(strstr(fake.response.buffer.data, "built without pages"));
	fake_request_close(&fake);
}
