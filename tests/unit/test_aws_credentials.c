/* Credentials of AWS from all of their places, and the region. Every test has a process of its own,
 * and so its own environment. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "backends/aws/credentials.h"
#include "backends/aws/region.h"
#include "tests/support/mock_upstream.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_dir.h"

#define SECRET "very-secret+/="

static struct temp_dir dir;
static struct mock_upstream *mock;
static char error[512];

static void clean(void)
{
	static const char *const names[] = {"AWS_ACCESS_KEY_ID",
					    "AWS_SECRET_ACCESS_KEY",
					    "AWS_SESSION_TOKEN",
					    "AWS_PROFILE",
					    "AWS_DEFAULT_PROFILE",
					    "AWS_SHARED_CREDENTIALS_FILE",
					    "AWS_CONFIG_FILE",
					    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
					    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
					    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
					    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
					    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
					    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
					    "AWS_REGION",
					    "AWS_DEFAULT_REGION"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unsetenv(names[i]);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("no_proxy", "", 1);
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* nothing goes through it */
	temp_dir_create(&dir);
	setenv("HOME", dir.path, 1);
	error[0] = '\0';
}

static void finish(void)
{
	mock_close(mock);
	temp_dir_destroy(&dir);
}

TestSuite(credentials, .init = clean, .fini = finish);

static char *path_of(const char *name)
{
	static char path[TEMP_PATH_SIZE];

	return temp_dir_path(&dir, name, path);
}

static void write_text(const char *name, const char *text)
{
	file_write(path_of(name), slice_of(text));
}

static struct aws_credentials *open_well(void)
{
	struct aws_credentials *credentials = aws_credentials_open(error, sizeof error);

	cr_assert(credentials, "%s", error);
	return credentials;
}

static void expect_refusal(const char *words)
{
	struct aws_credentials *credentials = aws_credentials_open(error, sizeof error);

	cr_assert_null(credentials, "not refused: %s", words);
	cr_assert(strstr(error, words), "\"%s\" lacks \"%s\"", error, words);
	cr_assert_null(strstr(error, SECRET), "%s", error);
}

/* Whether the present access key is `access_key`; NULL: there is none at the moment. */
static bool gives(struct aws_credentials *credentials, const char *access_key)
{
	struct aws_keys keys;
	const char *sentence = NULL;

	if (aws_credentials_get(credentials, &keys, &sentence))
		return access_key && strcmp(keys.access_key, access_key) == 0;
	cr_assert_null(strstr(sentence, SECRET), "%s", sentence);
	return !access_key;
}

static bool says(struct aws_credentials *credentials, const char *words)
{
	struct aws_keys keys;
	const char *sentence = "";

	return !aws_credentials_get(credentials, &keys, &sentence) && strstr(sentence, words);
}

/* ---- Environment, and given keys ---- */

Test(credentials, environment)
{
	struct aws_keys keys;
	const char *sentence;

	setenv("AWS_ACCESS_KEY_ID", "AKIA1", 1);
	expect_refusal("AWS_SECRET_ACCESS_KEY is not");
	setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
	setenv("AWS_SESSION_TOKEN", "token", 1);
	struct aws_credentials *credentials = open_well();
	cr_assert(aws_credentials_get(credentials, &keys, &sentence));
	cr_assert_str_eq(keys.access_key, "AKIA1");
	cr_assert_str_eq(keys.secret_key, SECRET);
	cr_assert_str_eq(keys.session_token, "token");
	aws_credentials_refused(credentials);
	cr_assert(gives(credentials, "AKIA1"));
	aws_credentials_close(credentials);
	setenv("AWS_SECRET_ACCESS_KEY", SECRET "\r\nX-Other: 1", 1);
	expect_refusal("blanks");
	aws_credentials_close(NULL);
}

Test(credentials, given)
{
	char longer[9000];

	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	struct aws_credentials *credentials =
		aws_credentials_open_static("AKIA1", SECRET, NULL, error, sizeof error);
	cr_assert(gives(credentials, "AKIA1"));
	aws_credentials_close(credentials);
	cr_assert_null(aws_credentials_open_static("", SECRET, NULL, error, sizeof error));
	cr_assert_null(aws_credentials_open_static(longer, SECRET, NULL, error, sizeof error));
	cr_assert_null(aws_credentials_open_static("a b", SECRET, NULL, error, sizeof error));
	cr_assert_null(aws_credentials_open_static("a", SECRET, longer, error, sizeof error));
	cr_assert_null(strstr(error, SECRET));
}

Test(credentials, none)
{
	expect_refusal("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
}

/* ---- Shared files ---- */

Test(credentials, profiles)
{
	(void)mkdir(path_of(".aws"), 0700);
	write_text(".aws/credentials", "# keys\n[default]\naws_access_key_id = D1\r\n"
				       "aws_secret_access_key=" SECRET "\r\n\n"
				       "[ other ]\n  AWS_ACCESS_KEY_ID : O1\n"
				       "  aws_secret_access_key : a=b:c\n  aws_session_token=t\n"
				       "; a note\n[half]\naws_access_key_id=H1\n");
	write_text(".aws/config", "[profile third]\ns3 =\n  aws_access_key_id = nested\n"
				  "aws_access_key_id = T1\naws_secret_access_key = " SECRET "\n"
				  "region = eu-west-3\n[default]\nregion=sa-east-1\n"
				  "[fourth]\naws_access_key_id=F1\n[profile role]\n"
				  "role_arn = arn:aws:iam::1:role/x\n");
	struct aws_credentials *credentials = open_well();
	cr_assert(gives(credentials, "D1"));
	aws_credentials_close(credentials);
	setenv("AWS_PROFILE", "other", 1);
	credentials = open_well();
	struct aws_keys keys;
	const char *sentence;
	cr_assert(aws_credentials_get(credentials, &keys, &sentence));
	cr_assert_str_eq(keys.access_key, "O1");
	cr_assert_str_eq(keys.secret_key, "a=b:c");
	cr_assert_str_eq(keys.session_token, "t");
	aws_credentials_close(credentials);
	setenv("AWS_PROFILE", "third", 1);
	credentials = open_well();
	cr_assert(gives(credentials, "T1"));
	aws_credentials_close(credentials);

	setenv("AWS_PROFILE", "half", 1);
	expect_refusal("has no aws_secret_access_key");
	setenv("AWS_PROFILE", "fourth", 1); /* of another tool's section */
	expect_refusal("no such profile");
	setenv("AWS_PROFILE", "role", 1);
	expect_refusal("has role_arn");
	unsetenv("AWS_PROFILE");
	setenv("AWS_SHARED_CREDENTIALS_FILE", dir.path, 1);
	expect_refusal("cannot be read");
	setenv("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", 1);
	credentials = open_well();
	cr_assert(gives(credentials, "D1"));
	aws_credentials_close(credentials);
}

Test(credentials, region)
{
	char region[64];

	cr_assert_not(aws_region(region, sizeof region));
	write_text("config", "[default]\nregion = sa-east-1\n[profile p]\nregion=eu-west-3\n");
	setenv("AWS_CONFIG_FILE", path_of("config"), 1);
	cr_assert(aws_region(region, sizeof region));
	cr_assert_str_eq(region, "sa-east-1");
	setenv("AWS_PROFILE", "p", 1);
	cr_assert(aws_region(region, sizeof region));
	cr_assert_str_eq(region, "eu-west-3");
	setenv("AWS_DEFAULT_REGION", "us-west-2", 1);
	setenv("AWS_REGION", "", 1);
	cr_assert(aws_region(region, sizeof region));
	cr_assert_str_eq(region, "us-west-2");
	setenv("AWS_REGION", "bad\nregion", 1);
	cr_assert_not(aws_region(region, sizeof region));
}

Test(credentials, changed_file)
{
	setenv("AWS_SHARED_CREDENTIALS_FILE", path_of("keys"), 1);
	write_text("keys", "[default]\naws_access_key_id=K1\naws_secret_access_key=" SECRET "\n");
	struct aws_credentials *credentials = open_well();
	cr_assert(gives(credentials, "K1"));
	write_text("keys", "[default]\naws_access_key_id=K2\n"); /* half written */
	aws_credentials_refused(credentials);
	nap_ms(50);
	cr_assert(gives(credentials, "K1"));
	write_text("keys", "[default]\naws_access_key_id=K2\naws_secret_access_key=" SECRET "\n");
	aws_credentials_refused(credentials);
	cr_assert(await_condition(gives(credentials, "K2"), 5000));
	aws_credentials_close(credentials);
}

/* ---- Endpoints ---- */

/* The answer with keys that end in `seconds`; the texts stay. */
static struct mock_reply keys_for(const char *access_key, int seconds)
{
	static char bodies[8][512];
	static unsigned used;
	char *body = bodies[used++ % 8];
	char stamp[40];
	time_t end = time(NULL) + seconds;

	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", gmtime(&end));
	(void)snprintf(body, sizeof *bodies,
		       "{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":"
		       "\"" SECRET "\",\"Token\":\"t-%s\",\"Expiration\":\"%s\"}",
		       access_key, access_key, stamp);
	return (struct mock_reply){.behaviour = MOCK_ANSWER, .status = 200, .body = body};
}

static struct mock_reply answer(int status, const char *body)
{
	return (struct mock_reply){.behaviour = MOCK_ANSWER, .status = status, .body = body};
}

/* A container's endpoint at the mock. */
static void use_container(void)
{
	char url[128];

	mock = mock_open();
	(void)snprintf(url, sizeof url, "%s/v1/credentials", mock_url(mock));
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
}

Test(credentials, container)
{
	use_container();
	mock_always(mock, keys_for("C1", 3600));
	write_text("token", "Basic abc=\n");
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path_of("token"), 1);
	struct aws_credentials *credentials = open_well();
	cr_assert(await_condition(gives(credentials, "C1"), 5000));
	char *head = mock_head(mock, 0);
	cr_assert(strstr(head, "GET /v1/credentials "), "%s", head);
	cr_assert(strstr(head, "\r\nAuthorization: Basic abc=\r\n"), "%s", head);
	free(head);

	/* Others after a refusal, with the token of now. */
	mock_always(mock, keys_for("C2", 3600));
	write_text("token", "Basic later");
	aws_credentials_refused(credentials);
	cr_assert(await_condition(gives(credentials, "C2"), 5000));
	head = mock_head(mock, 1);
	cr_assert(strstr(head, "\r\nAuthorization: Basic later\r\n"), "%s", head);
	free(head);
	aws_credentials_close(credentials);
}

Test(credentials, end_and_come_again)
{
	use_container();
	mock_always(mock, keys_for("C1", 3));
	struct aws_credentials *credentials = open_well();
	cr_assert(await_condition(gives(credentials, "C1"), 5000));
	/* Asked for again before the end: a failure changes nothing until then. */
	mock_always(mock, answer(500, "no"));
	cr_assert(await_condition(mock_requests(mock) >= 2, 5000));
	cr_assert(gives(credentials, "C1"));
	cr_assert(await_condition(says(credentials, "answers 500"), 5000));
	mock_always(mock, keys_for("C2", 3600));
	cr_assert(await_condition(gives(credentials, "C2"), 5000));
	aws_credentials_close(credentials);
}

Test(credentials, wrong_answers)
{
	use_container();
	const struct {
		struct mock_reply reply;
		const char *words;
	} cases[] = {
		{answer(403, "x"), "check AWS_CONTAINER_AUTHORIZATION_TOKEN"},
		{answer(200, "{\"AccessKeyId\":\"a\",\"Token\":\"" SECRET "\"}"), "without usable"},
		{answer(200, "<html>" SECRET), "without usable"},
		{answer(200, "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}"), "AssumeRole"},
		{answer(200, "{\"AccessKeyId\":\"a\\nb\",\"SecretAccessKey\":\"" SECRET "\"}"),
		 "blanks"},
		{keys_for("old", -10), "clock"},
		{{.behaviour = MOCK_RESET}, "endpoint"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		mock_always(mock, cases[i].reply);
		struct aws_credentials *credentials = open_well();
		cr_assert(await_condition(says(credentials, cases[i].words), 5000), "%s",
			  cases[i].words);
		cr_assert(gives(credentials, NULL));
		aws_credentials_close(credentials);
	}
}

Test(credentials, hosts_of_containers)
{
	static const char *const refused[] = {
		"http://example.com/", "http://169.254.170.3/", "http://127.0.0.1.example.com/",
		"ftp://127.0.0.1/",    "http://user@10.0.0.1/", "127.0.0.1"};
	static const char *const allowed[] = {"https://example.invalid/", "http://127.9.9.9:1/",
					      "http://[::1]:1/", "http://localhost:1/"};

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", refused[i], 1);
		expect_refusal("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	}
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
		setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", allowed[i], 1);
		aws_credentials_close(open_well());
	}
}

#define ROLES "/latest/meta-data/iam/security-credentials/"

Test(credentials, instance)
{
	mock = mock_open();
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", mock_url(mock), 1);
	mock_always(mock, answer(404, "not there"));
	mock_at(mock, "PUT /latest/api/token ", answer(200, "the-token"));
	struct aws_credentials *credentials = open_well();
	cr_assert(await_condition(says(credentials, "has no role"), 5000));
	mock_forget(mock);
	mock_at(mock, "GET " ROLES " ", answer(200, "my-role\n"));
	mock_at(mock, "GET " ROLES "my-role ", keys_for("I1", 3600));
	aws_credentials_refused(credentials);
	cr_assert(await_condition(gives(credentials, "I1"), 5000));
	char *put = mock_head(mock, 0), *get = mock_head(mock, 2);
	cr_assert(strstr(put, "\r\nX-aws-ec2-metadata-token-ttl-seconds: "), "%s", put);
	cr_assert(strstr(get, "\r\nX-aws-ec2-metadata-token: the-token\r\n"), "%s", get);
	free(put);
	free(get);
	aws_credentials_close(credentials);
}

Test(credentials, endpoint_that_hangs_or_is_not_there)
{
	mock = mock_open();
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", mock_url(mock), 1);
	mock_always(mock, (struct mock_reply){.behaviour = MOCK_HANG});
	struct aws_credentials *credentials = open_well();
	cr_assert(await_condition(mock_requests(mock) == 1, 5000));
	long long before_ms = steady_now_ms();
	cr_assert(gives(credentials, NULL));
	aws_credentials_close(credentials);
	cr_assert(steady_now_ms() - before_ms < 1000);

	mock_go_down(mock);
	credentials = open_well();
	cr_assert(await_condition(says(credentials, "AWS_SECRET_ACCESS_KEY where there is none"),
				  5000));
	aws_credentials_close(credentials);
}
