/* What a JSON body may contain besides the expected members, and how faults are reported. */
#include <string.h>

#include "tests/conformance/conformance.h"

CONFORMANCE_SUITE(json_texts);

static const struct http_answer *post_batch(const char *call, const char *json)
{
	return http_post_json(client, quoted("/batch/%s/%s", ns, call), json);
}

static void expect_detail(const struct http_answer *answer, long status, const char *part)
{
	expect_status(answer, status);
	expect_that(answer, strstr(answer->body, part), "expected \"%s\" in it", part);
}

Test(json_texts, unknown_members_may_hold_anything)
{
	expect_status(
		post_batch("set",
			   quoted("{'x':123456789012345678901234567890,'y':1e999,"
				  "'z':[{'a':'\\ud800'}],"
				  "'items':[{'key':'k','value':'v','n':18446744073709551616}]}")),
		200);
	expect_body(http_get(client, entry_path("k")), SLICE("v"));
	expect_status(http_post_json(client, "/api/get",
				     quoted("{'cache_name':'%s','key':'k','big':1e400}", ns)),
		      200);
}

Test(json_texts, a_byte_order_mark_is_ignored)
{
	requires_feature("limits");
	expect_status(
		post_batch("set", requoted("\xEF\xBB\xBF{'items':[{'key':'k','value':'v'}]}")),
		200);
	expect_status(http_post_json(client, "/api/get",
				     quoted("\xEF\xBB\xBF{'cache_name':'%s','key':'k'}", ns)),
		      200);
	expect_status(http_put_json(client, quoted("/cache/%s", ns),
				    quoted("\xEF\xBB\xBF{'capacity':1000}")),
		      204);
}

/* Python's json.dumps produces them; nothing of the batch is stored. */
Test(json_texts, half_a_surrogate_pair_is_told_by_its_place)
{
	expect_detail(post_batch("set", quoted("{'items':[{'key':'a','value':'v'},"
					       "{'key':'b','value':'x\\ud83d'}]}")),
		      400, "items[1].value");
	expect_status(http_get(client, entry_path("a")), 404);
	expect_detail(post_batch("get", quoted("{'keys':['a','b','\\udc00']}")), 400, "keys[2]");
	expect_detail(http_post_json(client, "/api/get",
				     quoted("{'cache_name':'%s','key':'\\ud800'}", ns)),
		      400, "key");
}

Test(json_texts, numbers_are_those_of_json)
{
	expect_status(
		post_batch("set",
			   quoted("{'items':[{'key':'k','value':'v','ttl':6e1,'size':1.0}]}")),
		200);
	expect_status(post_batch("set", quoted("{'items':[{'key':'k','value':'v','ttl':060}]}")),
		      400);
	expect_status(post_batch("set", quoted("{'items':[{'key':'k','value':'v','ttl':0.5}]}")),
		      400);
	expect_status(post_batch("set", quoted("{'items':[{'key':'k','value':'v'}],'x':abc}")),
		      400);
}
