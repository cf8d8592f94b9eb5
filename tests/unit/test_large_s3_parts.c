/* Of the object store in S3 what asks nobody: its URL, XML, and what answers mean. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "backends/large/s3/s3.h"
#include "backends/large/s3/url.h"
#include "backends/large/s3/verdict.h"
#include "backends/large/s3/xml.h"

static struct s3_url url;
static char error[300];

static void forget_region(void)
{
	unsetenv("AWS_REGION");
	unsetenv("AWS_DEFAULT_REGION");
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
}

TestSuite(s3_parts, .init = forget_region);

Test(s3_parts, a_url_says_where_the_store_is)
{
	cr_assert(s3_url_read(&url, "s3://values", error, sizeof(error)), "%s", error);
	cr_expect_str_eq(url.origin, "https://values.s3.us-east-1.amazonaws.com");
	cr_expect_str_eq(url.host, "values.s3.us-east-1.amazonaws.com");
	cr_expect_str_eq(url.path, "");
	cr_expect_str_eq(url.prefix, "");
	cr_expect_eq(url.connections, 32);
	cr_assert(s3_url_read(&url,
			      "s3://values/a/b/?endpoint=https%3A%2F%2FObjects.Example.com%3A443%2F"
			      "&region=auto&connections=7&part-mb=5120",
			      error, sizeof(error)),
		  "%s", error);
	cr_expect_str_eq(url.origin, "https://objects.example.com");
	cr_expect_str_eq(url.path, "/values");
	cr_expect_str_eq(url.prefix, "a/b/");
	cr_expect_str_eq(url.region, "auto");
	cr_expect_eq(url.connections, 7);
	cr_expect_eq(url.part_bytes, UINT64_C(5) << 30);
	cr_assert(s3_url_read(&url, "s3://values?endpoint=http://127.0.0.1:9000/s3&path-style=1",
			      error, sizeof(error)),
		  "%s", error);
	cr_expect_str_eq(url.origin, "http://127.0.0.1:9000");
	cr_expect_str_eq(url.path, "/s3/values");
	setenv("AWS_REGION", "eu-west-3", 1);
	cr_assert(s3_url_read(&url, "s3://v.a?path-style=1", error, sizeof(error)));
	cr_expect_str_eq(url.origin, "https://s3.eu-west-3.amazonaws.com");
	cr_expect_str_eq(url.path, "/v.a");
}

Test(s3_parts, a_url_that_is_wrong_is_refused_with_what_to_change)
{
	static const struct {
		const char *url, *words;
	} wrong[] = {
		{"http://values", "s3://"},
		{"s3://", "3 to 63"},
		{"s3://ab", "3 to 63"},
		{"s3://key:secret@values/p", "without a user"},
		{"s3://values/a b", "prefix"},
		{"s3://values/a//b", "prefix"},
		{"s3://values/../b", "prefix"},
		{"s3://values#f", "fragment"},
		{"s3://values?endpoint=http://10.0.0.1:9000", "insecure=1"},
		{"s3://values?endpoint=ftp://host", "https://"},
		{"s3://values?endpoint=https://u:p@host", "without user"},
		{"s3://values?region=a/b", "region="},
		{"s3://values?regoin=a", "\"regoin\" is not"},
		{"s3://values?secret-key=hidden", "\"secret-key\" is not"},
		{"s3://values?region=a&region=b", "each once"},
		{"s3://values?connections=0", "1 to 256"},
		{"s3://values?part-mb=4", "5 to 5120"},
		{"s3://values?path-style=yes", "0 or 1"},
		{"s3://values?endpoint=http://127.0.0.1&path-style=0", "path-style=0"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_expect_not(s3_url_read(&url, wrong[i].url, error, sizeof(error)), "%s",
			      wrong[i].url);
		cr_expect(strstr(error, wrong[i].words), "%s: %s", wrong[i].url, error);
	}
	cr_expect(s3_url_read(&url, "s3://values?endpoint=http://10.0.0.1:9000&insecure=1", error,
			      sizeof(error)));
}

Test(s3_parts, keys_go_together_and_stay_out_of_sentences)
{
	struct s3_config config = {.url = "s3://values", .access_key = "who", .secret_key = NULL};

	cr_expect_not(s3_config_check(&config, error, sizeof(error)));
	cr_expect(strstr(error, "STEADYCACHE_LARGE_SECRET_KEY"), "%s", error);
	config.secret_key = "hidden";
	cr_expect(s3_config_check(&config, error, sizeof(error)), "%s", error);
	config.ca_file = "/nowhere/ca.pem";
	cr_expect_not(s3_config_check(&config, error, sizeof(error)));
	cr_expect(strstr(error, "--large-ca-file") && !strstr(error, "hidden"), "%s", error);
}

static void note(void *user, const char *path, const char *text)
{
	char *notes = user;

	(void)snprintf(notes + strlen(notes), 400 - strlen(notes), "%s=%s;", path, text);
}

Test(s3_parts, xml_gives_the_text_of_elements_and_takes_nothing_else)
{
	static const char *const broken[] = {
		"",
		"<a><b></a>",
		"<a>",
		"{\"a\": 1}",
		"<!DOCTYPE a [<!ENTITY b \"bbbbbb\">]><a>&b;</a>",
		"<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>",
		"<a>\xff</a>",
	};
	char notes[400] = "";

	cr_assert(s3_xml_read(SLICE("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
				    "<x:R xmlns:x='u'> <x:Key>a&amp;b</x:Key>\n<e/></x:R>"),
			      note, notes));
	cr_expect_str_eq(notes, "R/Key=a&b;R/e=;R=;");
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		cr_expect_not(s3_xml_read(slice_of(broken[i]), note, notes), "%s", broken[i]);
	char *text = malloc(S3_XML_TEXT_MAX_LEN + 20);
	cr_assert(text);
	(void)sprintf(text, "<a>%*d</a>", S3_XML_TEXT_MAX_LEN + 1, 7);
	cr_expect_not(s3_xml_read(slice_of(text), note, notes));
	free(text);
	cr_expect_eq(s3_xml_time_us("2026-11-30T17:49:42.125Z"), INT64_C(1796060982000000));
	cr_expect_eq(s3_xml_time_us("Mon, 30 Nov 2026"), -1);
}

static struct s3_verdict judge(long status, const char *answer, bool is_xml)
{
	static struct remote_details details;
	struct s3_outcome outcome = {
		.status = status,
		.was_connected = true,
		.answer = slice_of(answer),
		.is_xml = is_xml,
		.retry_after_s = -1,
	};

	return s3_verdict_of(&outcome, &details);
}

Test(s3_parts, every_error_has_its_sentence)
{
	static const struct {
		long http;
		const char *code;
		enum cache_status status;
		bool may_retry, is_outage;
		const char *words;
	} cases[] = {
		{404, "NoSuchKey", CACHE_NOT_FOUND, false, false, "object"},
		{404, "NoSuchBucket", CACHE_UNAVAILABLE, false, false, "create it"},
		{403, "InvalidAccessKeyId", CACHE_UNAVAILABLE, false, false, "ACCESS_KEY"},
		{403, "SignatureDoesNotMatch", CACHE_UNAVAILABLE, false, false, "SECRET_KEY"},
		{403, "AccessDenied", CACHE_UNAVAILABLE, false, false, "right to list"},
		{403, "RequestTimeTooSkewed", CACHE_UNAVAILABLE, false, false, "clock"},
		{400, "AuthorizationHeaderMalformed", CACHE_UNAVAILABLE, false, false, "region="},
		{301, "PermanentRedirect", CACHE_UNAVAILABLE, false, false, "region="},
		{403, "QuotaExceeded", CACHE_NO_SPACE, false, false, "quota"},
		{507, "XMinioStorageFull", CACHE_NO_SPACE, false, false, "full"},
		{507, NULL, CACHE_NO_SPACE, false, false, "full"},
		{503, "SlowDown", CACHE_UNAVAILABLE, true, false, "fewer"},
		{429, NULL, CACHE_UNAVAILABLE, true, false, "fewer"},
		{500, "InternalError", CACHE_UNAVAILABLE, true, true, "failed"},
		{503, NULL, CACHE_UNAVAILABLE, true, true, "failed"},
		{501, "NotImplemented", CACHE_UNSUPPORTED, false, false, "know"},
		{400, "Strange", CACHE_UNAVAILABLE, false, false, "Strange: because"},
		{500, "Strange", CACHE_UNAVAILABLE, true, true, "Strange: because"},
		/* A success that is none. */
		{200, "InternalError", CACHE_UNAVAILABLE, true, true, "failed"},
		{403, NULL, CACHE_UNAVAILABLE, false, false, "credentials"},
	};
	char answer[200];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(answer, sizeof(answer),
			       "<Error><Code>%s</Code><Message>because</Message></Error>",
			       cases[i].code ? cases[i].code : "");
		struct s3_verdict verdict =
			judge(cases[i].http, cases[i].code ? answer : "<html>", true);
		cr_expect_eq(verdict.status, cases[i].status, "%ld %s", cases[i].http,
			     cases[i].code);
		cr_expect_eq(verdict.may_retry, cases[i].may_retry, "%ld %s", cases[i].http,
			     cases[i].code);
		cr_expect_eq(verdict.is_outage, cases[i].is_outage, "%ld %s", cases[i].http,
			     cases[i].code);
		cr_expect(strstr(verdict.sentence, cases[i].words), "%ld %s: %s", cases[i].http,
			  cases[i].code, verdict.sentence);
	}
	cr_expect_eq(judge(200, "<ListBucketResult/>", true).status, CACHE_OK);
	cr_expect_eq(judge(204, "", false).status, CACHE_OK);
	cr_expect_eq(judge(200, "not XML", true).failure, FAILURE_BAD_ANSWER);
}
