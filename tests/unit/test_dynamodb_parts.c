/* The parts of backends/dynamodb that need no DynamoDB: what it is told, what exceptions mean, how
 * keys stand in the table. The backend as a whole: tests/contract, tests/cloud. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "backends/dynamodb/settings.h"
#include "backends/dynamodb/space.h"
#include "backends/dynamodb/verdict.h"
#include "backends/dynamodb/wire.h"
#include "base/json_out.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Settings ---- */

static char error[300];

static const char *refusal_of(const char *url, struct dynamodb_config told)
{
	struct backend_config config = {.url = url, .settings = &told};

	error[0] = '\0';
	return dynamodb_settings_check(&config, error, sizeof(error)) ? NULL : error;
}

Test(dynamodb_settings, what_is_missing_or_wrong_is_named)
{
	const struct {
		const char *url;
		struct dynamodb_config told;
		const char *named; /* NULL: nothing is wrong */
	} cases[] = {
		{"dynamodb://cache", {.region = "eu-central-1"}, NULL},
		{"dynamodb://cache/", {.region = "eu-central-1"}, NULL},
		{NULL, {.table = "cache", .region = "eu-central-1"}, NULL},
		{NULL, {.region = "eu-central-1"}, "--dynamodb-table"},
		{"dynamodb://", {.region = "eu-central-1"}, "--dynamodb-table"},
		{"dynamodb://ab", {.region = "eu-central-1"}, "3 to 255"},
		{"dynamodb://a%20b", {.region = "eu-central-1"}, "3 to 255"},
		{"dynamodb://cache", {0}, "AWS_REGION"},
		{"dynamodb://cache", {.region = "Europe!"}, "AWS_REGION"},
		{"dynamodb://cache", {.region = "x", .prefix = "a\"b"}, "--dynamodb-prefix"},
		{"dynamodb://cache", {.region = "x", .endpoint = "ftp://h"}, "--dynamodb-endpoint"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *refusal = refusal_of(cases[i].url, cases[i].told);

		if (!cases[i].named)
			cr_expect_null(refusal, "case %zu: %s", i, refusal ? refusal : "");
		else
			cr_expect(refusal && strstr(refusal, cases[i].named), "case %zu: %s", i,
				  refusal ? refusal : "accepted");
	}
}

static void expect_endpoint(const char *region, const char *endpoint, const char *url,
			    const char *host)
{
	const struct dynamodb_config told = {.region = region, .endpoint = endpoint};
	const struct backend_config config = {.url = "dynamodb://cache", .settings = &told};
	struct dynamodb_settings own;
	struct remote_settings remote;

	cr_assert(dynamodb_settings_init(&own, &remote, &config, error, sizeof(error)), "%s",
		  error);
	cr_expect_str_eq(remote.base_url, url);
	cr_expect_str_eq(own.host, host);
	dynamodb_settings_scope(&config, error, sizeof(error));
	cr_expect(strncmp(error, host, strlen(host)) == 0 && error[strlen(host)] == ' ');
	dynamodb_settings_deinit(&own);
	remote_settings_deinit(&remote);
}

Test(dynamodb_settings, the_endpoint_is_that_of_the_region_or_as_told)
{
	expect_endpoint("eu-north-1", NULL, "https://dynamodb.eu-north-1.amazonaws.com",
			"dynamodb.eu-north-1.amazonaws.com");
	expect_endpoint("cn-north-1", NULL, "https://dynamodb.cn-north-1.amazonaws.com.cn",
			"dynamodb.cn-north-1.amazonaws.com.cn");
	expect_endpoint("x", "http://127.0.0.1:8000/", "http://127.0.0.1:8000", "127.0.0.1:8000");
	expect_endpoint("x", "https://dynamo.example:443", "https://dynamo.example:443",
			"dynamo.example");
	expect_endpoint("x", "http://dynamo.example:443", "http://dynamo.example:443",
			"dynamo.example:443");
}

/* ---- Exceptions ---- */

static struct remote_verdict judge(const char *type, const char *message)
{
	static const struct remote_protocol protocol = {.sentences = dynamodb_verdict_sentences};
	const struct remote_context context = {.protocol = &protocol};
	struct remote_answer answer = {.failure = FAILURE_NONE, .status = 400};

	buffer_printf(&answer.body, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\"", type);
	buffer_printf(&answer.body, ",\"message\":\"%s\"}", message);
	struct remote_verdict verdict = dynamodb_verdict_judge(&context, FAILURE_NONE, &answer);
	buffer_deinit(&answer.body);
	return verdict;
}

Test(dynamodb_verdict, throttled_requests_did_nothing_and_are_repeated)
{
	static const char *const types[] = {"ProvisionedThroughputExceededException",
					    "ThrottlingException", "RequestLimitExceeded",
					    "TransactionConflictException"};

	for (size_t i = 0; i < COUNT(types); i++) {
		struct remote_verdict verdict = judge(types[i], "");

		cr_expect(verdict.may_retry && verdict.did_nothing, "%s", types[i]);
		cr_expect_eq(verdict.status, CACHE_UNAVAILABLE);
		cr_expect_not(verdict.is_outage);
	}
}

Test(dynamodb_verdict, tells_what_to_change)
{
	struct remote_verdict verdict =
		judge("ValidationException", "Item size has exceeded the maximum allowed size");

	cr_expect_eq(verdict.status, CACHE_TOO_LARGE);
	cr_expect(strstr(verdict.sentence, "--large-values"));
	verdict = judge("AccessDeniedException", "");
	cr_expect(strstr(verdict.sentence, "policy"));
	cr_expect_not(verdict.may_retry);
	verdict = judge("ValidationException", "The provided key element does not match");
	cr_expect_eq(verdict.status, CACHE_UNAVAILABLE);
	cr_expect(strstr(verdict.sentence, "docs/dynamodb.md"));
}

Test(dynamodb_verdict, finds_the_type_of_an_exception_and_of_nothing_else)
{
	const struct {
		const char *body, *type;
	} cases[] = {
		{"{\"__type\":\"a.b#C\",\"m\":1}", "C"},
		{"{\"__type\": \"C\"}", "C"},
		{"{\"__type\":\"#\"}", ""},
		{"{\"__type\":\"C", ""},
		{"{\"__type\":", ""},
		{"{\"__type\":7}", ""},
		{"", ""},
		{"{}", ""},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect(slice_equal(dynamodb_verdict_type(slice_of(cases[i].body)),
				      slice_of(cases[i].type)),
			  "%s", cases[i].body);
}

/* ---- Keys ---- */

/* The longest key that is its own name, one that is longer, and one that looks like its name. */
Test(dynamodb_keys, no_two_have_one_name)
{
	char longer[DYNAMODB_NAME_MAX + 1], room[DYNAMODB_NAME_MAX], other[DYNAMODB_NAME_MAX];
	struct slice key = {.data = longer, .len = DYNAMODB_NAME_MAX - 1};

	memset(longer, 'x', sizeof(longer));
	cr_expect_eq(dynamodb_wire_name(key, room).data, key.data);
	key.len++;
	struct slice name = dynamodb_wire_name(key, room);
	cr_expect_eq(name.data, room);
	cr_expect_eq(name.len, DYNAMODB_NAME_MAX);
	cr_expect_eq(memcmp(room, longer, DYNAMODB_STEM), 0);
	struct slice name_of_name = dynamodb_wire_name(name, other);
	cr_expect_not(slice_equal(name, name_of_name), "a key may be the name of another");
	longer[DYNAMODB_NAME_MAX] = 'y';
	key.len++;
	cr_expect_not(slice_equal(name, dynamodb_wire_name(key, other)));
}

Test(dynamodb_keys, sort_keys_come_back)
{
	char bytes[DYNAMODB_NAME_MAX], room[1024];
	struct buffer json = {0};

	for (size_t len = 0; len <= sizeof(bytes); len += 93) {
		struct slice found;

		memset(bytes, (int)(len % 256), sizeof(bytes));
		json.len = 0;
		buffer_append(&json, SLICE("{\"k\":{\"B\":"));
		dynamodb_wire_sort_key(&json, 'k', (struct slice){bytes, len});
		buffer_append(&json, SLICE("}}"));
		json_t *item = json_loadb(json.data, json.len, 0, NULL);
		cr_expect(dynamodb_wire_read_sort_key(item, 'k', room, &found));
		cr_expect(slice_equal(found, (struct slice){bytes, len}), "%zu bytes", len);
		cr_expect_not(dynamodb_wire_read_sort_key(item, 'n', room, &found));
		json_decref(item);
	}
	buffer_deinit(&json);
}

/* ---- Answers ---- */

Test(dynamodb_answer, base64_is_decoded_and_nothing_else_is)
{
	char bytes[1000], room[1000];
	size_t len;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7919);
	for (size_t n = 0; n < 300; n++) {
		struct buffer text = {0};

		json_out_base64(&text, (struct slice){bytes, n});
		struct slice inside = {.data = text.data + 1, .len = text.len - 2};
		cr_expect(dynamodb_answer_decode(inside, room, &len));
		cr_expect(slice_equal((struct slice){room, len}, (struct slice){bytes, n}));
		buffer_deinit(&text);
	}
	static const char *const wrong[] = {
		"A", "AB", "ABC", "A===", "====", "AB=C", "AB-_", "A B=", "AAAA=", "=AAA"};
	for (size_t i = 0; i < COUNT(wrong); i++)
		cr_expect_not(dynamodb_answer_decode(slice_of(wrong[i]), room, &len), "%s",
			      wrong[i]);
}

/* Long texts are left out of what the JSON library reads, and found again; others are not, even if
 * they look like what stands for them. */
Test(dynamodb_answer, texts_of_any_length_come_back)
{
	char text[3000];
	json_t *root = NULL;

	memset(text, 'Q', sizeof(text));
	for (size_t len = 500; len < sizeof(text); len += 499) {
		struct buffer body = {0};

		buffer_printf(&body,
			      "{\"a\":\"%.*s\",\"b\":\"short\",\"c\":\"\\\"%.*s\",\"d\":"
			      "[\"%.*s\"],\"e\":\"@9999,4\"}",
			      (int)len, text, (int)len, text, (int)len, text);
		cr_assert(dynamodb_answer_read(buffer_bytes(&body), &root));
		cr_assert(root);
		struct slice whole = {text, len};
		cr_expect(slice_equal(dynamodb_answer_text(json_object_get(root, "a")), whole));
		cr_expect(slice_equal(dynamodb_answer_text(json_object_get(root, "b")),
				      SLICE("short")));
		cr_expect_eq(json_string_length(json_object_get(root, "c")), len + 1);
		cr_expect(slice_equal(
			dynamodb_answer_text(json_array_get(json_object_get(root, "d"), 0)),
			whole));
		cr_expect_eq(dynamodb_answer_text(json_object_get(root, "e")).len, 0);
		json_decref(root);
		/* Cut off anywhere it is none. */
		for (size_t cut = 0; cut < body.len; cut += 41) {
			cr_assert(dynamodb_answer_read((struct slice){body.data, cut}, &root));
			cr_expect_null(root);
		}
		buffer_deinit(&body);
	}
}

Test(dynamodb_keys, numbers_are_read_in_every_form)
{
	json_t *item = json_loads("{\"a\":{\"N\":\"1700000000000001\"},\"b\":{\"N\":\"1.7E+15\"},"
				  "\"c\":{\"N\":\"x\"},\"d\":{\"S\":\"7\"}}",
				  0, NULL);

	cr_expect_eq(dynamodb_wire_read_number(item, "a", -1), 1700000000000001);
	cr_expect_eq(dynamodb_wire_read_number(item, "b", -1), 1700000000000000);
	cr_expect_eq(dynamodb_wire_read_number(item, "c", -1), -1);
	cr_expect_eq(dynamodb_wire_read_number(item, "d", -1), -1);
	cr_expect_eq(dynamodb_wire_read_number(item, "e", -1), -1);
	json_decref(item);
}
