/* Accept-Encoding, as clients and strangers send it. */
#include <criterion/criterion.h>

#include "handlers/respond/accept.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int quality(const char *coding, const char *first, const char *second)
{
	struct fake_request fake;

	fake_request_init(&fake);
	if (first)
		fake_request_more(&fake, "Accept-Encoding", first);
	if (second)
		fake_request_more(&fake, "Accept-Encoding", second);
	return accept_quality(&fake.request, slice_of(coding));
}

Test(accept, weighs_codings)
{
	static const struct {
		const char *line, *coding;
		int weight;
	} cases[] = {
		{NULL, "gzip", ACCEPT_UNSAID},
		{NULL, "identity", ACCEPT_UNSAID},
		{"gzip", "gzip", 1000},
		{"GZip", "gzip", 1000},
		{"gzip, deflate, br, zstd", "zstd", 1000},
		{"gzip,deflate", "zstd", 0},
		{"x-gzip", "gzip", 1000},
		{"gzip", "X-GZIP", 1000},
		{"gzip;q=0", "gzip", 0},
		{"gzip;q=0.000", "gzip", 0},
		{"gzip;q=0.001", "gzip", 1},
		{"gzip ; q=0.5", "gzip", 500},
		{"gzip;Q=0.25", "gzip", 250},
		{"gzip;q=1.000", "gzip", 1000},
		{"gzip;level=9", "gzip", 1000},
		{"gzip;level=9;q=0.3", "gzip", 300},
		{"*", "gzip", 1000},
		{"*;q=0.2", "zstd", 200},
		{"*;q=0.2, zstd", "zstd", 1000},
		{"gzip;q=0, *", "gzip", 0},
		{"gzip;q=0, gzip", "gzip", 0},
		{"", "gzip", 0},
		{" , ,\t", "gzip", 0},
		/* identity is taken unless the header says otherwise */
		{"", "identity", 1},
		{"gzip", "identity", 1},
		{"identity", "identity", 1000},
		{"identity;q=0", "identity", 0},
		{"gzip, identity;q=0.5", "identity", 500},
		{"gzip, *;q=0", "identity", 0},
		{"gzip, *;q=0, identity", "identity", 1000},
		/* no elements by the grammar */
		{"gzip;q=", "gzip", 0},
		{"gzip;q=2", "gzip", 0},
		{"gzip;q=1.5", "gzip", 0},
		{"gzip;q=0.0000", "gzip", 0},
		{"gzip;q=-1", "gzip", 0},
		{"gzip;q=abc, gzip;q=0.5", "gzip", 500},
		{"gzip;q=0.5.", "gzip", 0},
		{";q=1", "gzip", 0},
		{"gzipx", "gzip", 0},
		{"gzi", "gzip", 0},
		{"gzip zstd", "gzip", 0},
		{"\"gzip\"", "gzip", 0},
		{"*gzip", "gzip", 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(quality(cases[i].coding, cases[i].line, NULL), cases[i].weight,
			     "%s of %s: %d", cases[i].coding, cases[i].line,
			     quality(cases[i].coding, cases[i].line, NULL));
}

Test(accept, reads_several_lines_as_one_list)
{
	cr_expect_eq(quality("zstd", "gzip", "zstd;q=0.5"), 500);
	cr_expect_eq(quality("br", "gzip", "zstd"), 0);
	cr_expect_eq(quality("identity", "gzip", "*;q=0"), 0);
	cr_expect_eq(quality("gzip", "", "gzip"), 1000);
}

Test(accept, takes_several_codings_only_together)
{
	struct fake_request fake;

	fake_request_init(&fake);
	cr_expect_eq(accept_quality_of_all(&fake.request, SLICE("gzip, br")), ACCEPT_UNSAID);
	fake_request_header(&fake, "Accept-Encoding", "gzip;q=0.5, br");
	cr_expect_eq(accept_quality_of_all(&fake.request, SLICE("gzip, br")), 500);
	cr_expect_eq(accept_quality_of_all(&fake.request, SLICE("br,,br")), 1000);
	cr_expect_eq(accept_quality_of_all(&fake.request, SLICE("gzip, zstd")), 0);
}
