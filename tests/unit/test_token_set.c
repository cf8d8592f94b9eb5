/* Tokens without a server: the lines of a token file, patterns, the rate, and the sets in force. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/auth/auth.h"
#include "tests/support/temp_dir.h"
#include "tests/support/threads.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The SHA-256 of "alpha" and "beta". */
#define ALPHA "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"
#define BETA  "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753"

static char error[400];

/* ---- Lines ---- */

static bool parse(const char *text, struct token_line *ret)
{
	error[0] = '\0';
	return token_line_parse(slice_of(text), ret, error, sizeof(error));
}

Test(token_line, all_fields)
{
	struct token_line line;
	uint8_t digest[TOKEN_DIGEST_BYTES];

	cr_assert(parse("name=ci-1 sha256=" ALPHA
			" rights=read,admin namespaces=build-*,tmp rate=2.5:7 expires=2027-01-31",
			&line),
		  "%s", error);
	token_digest(SLICE("alpha"), digest);
	cr_expect(slice_equal(line.name, SLICE("ci-1")));
	cr_expect_eq(memcmp(line.digest, digest, sizeof(digest)), 0);
	cr_expect_eq(line.rights, TOKEN_READ | TOKEN_ADMIN);
	cr_expect(slice_equal(line.namespaces, SLICE("build-*,tmp")));
	cr_expect_eq(line.rate_per_s, 2.5);
	cr_expect_eq(line.burst, 7);
	cr_expect_eq(line.expires_at_us, INT64_C(1801353600) * US_PER_S);
}

Test(token_line, in_any_order_and_with_blanks)
{
	struct token_line line;

	cr_assert(parse("\t namespaces=*   rights=write\tsha256=" ALPHA "  name=x \t", &line), "%s",
		  error);
	cr_expect_eq(line.rights, TOKEN_WRITE);
	cr_expect_eq(line.rate_per_s, 0);
	cr_expect_eq(line.expires_at_us, 0);
}

#define GOOD "name=x sha256=" ALPHA " rights=read namespaces=*"

Test(token_line, times_are_utc)
{
	static const struct {
		const char *text;
		int64_t s;
	} cases[] = {
		{"2027-01-31T12:30:15Z", 1801398615}, {"2027-01-31T12:30Z", 1801398600},
		{"2028-02-29", 1835395200},           {"1", 1},
		{"253402300799", 253402300799},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct token_line line;
		char text[300];

		(void)snprintf(text, sizeof(text), GOOD " expires=%s", cases[i].text);
		cr_assert(parse(text, &line), "%s: %s", text, error);
		cr_expect_eq(line.expires_at_us, cases[i].s * US_PER_S, "%s", cases[i].text);
	}
}

Test(token_line, a_rate_has_a_burst_of_a_second)
{
	static const struct {
		const char *text;
		double rate, burst;
	} cases[] = {{"5", 5, 5}, {"0.5", 0.5, 1}, {"0.001:1", 0.001, 1}, {"1000000", 1e6, 1e6}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct token_line line;
		char text[300];

		(void)snprintf(text, sizeof(text), GOOD " rate=%s", cases[i].text);
		cr_assert(parse(text, &line), "%s: %s", text, error);
		cr_expect_eq(line.rate_per_s, cases[i].rate, "%s", cases[i].text);
		cr_expect_eq(line.burst, cases[i].burst, "%s", cases[i].text);
	}
}

Test(token_line, what_is_wrong_is_named_and_no_value_repeated)
{
	static const struct {
		const char *line, *named;
	} cases[] = {
		{"", "name= is missing"},
		{"name=x", "sha256= is missing"},
		{"name=x sha256=" ALPHA, "rights= is missing"},
		{"name=x sha256=" ALPHA " rights=read", "namespaces= is missing"},
		{GOOD " name=y", "name stands there twice"},
		{GOOD " rights=admin", "rights stands there twice"},
		{GOOD " hunter2", "none of"},
		{GOOD " token=hunter2", "none of"},
		{GOOD " Name=hunter2", "none of"},
		{GOOD " rate", "none of"},
		{GOOD " =hunter2", "none of"},
		{"name= sha256=" ALPHA " rights=read namespaces=*", "name must"},
		{"name=hunter2/ sha256=" ALPHA " rights=read namespaces=*", "name must"},
		{"name=x sha256=hunter2 rights=read namespaces=*", "sha256 must"},
		{"name=x sha256=" ALPHA "0 rights=read namespaces=*", "sha256 must"},
		{"name=x sha256=g" ALPHA " rights=read namespaces=*", "sha256 must"},
		{"name=x sha256=" ALPHA " rights= namespaces=*", "rights must"},
		{"name=x sha256=" ALPHA " rights=hunter2 namespaces=*", "rights must"},
		{"name=x sha256=" ALPHA " rights=read, namespaces=*", "rights must"},
		{"name=x sha256=" ALPHA " rights=,read namespaces=*", "rights must"},
		{"name=x sha256=" ALPHA " rights=READ namespaces=*", "rights must"},
		{"name=x sha256=" ALPHA " rights=read namespaces=", "namespaces must"},
		{"name=x sha256=" ALPHA " rights=read namespaces=a,", "namespaces must"},
		{"name=x sha256=" ALPHA " rights=read namespaces=,a", "namespaces must"},
		{"name=x sha256=" ALPHA " rights=read namespaces=a,,b", "namespaces must"},
		{"name=x sha256=" ALPHA " rights=read namespaces=a?", "namespaces must"},
		{GOOD " rate=", "rate must"},
		{GOOD " rate=0", "rate must"},
		{GOOD " rate=-1", "rate must"},
		{GOOD " rate=1e3", "rate must"},
		{GOOD " rate=1.2.3", "rate must"},
		{GOOD " rate=.5", "rate must"},
		{GOOD " rate=1000001", "rate must"},
		{GOOD " rate=1:", "rate must"},
		{GOOD " rate=1:0", "rate must"},
		{GOOD " rate=1:1.5", "rate must"},
		{GOOD " rate=1:2:3", "rate must"},
		{"sc_hunter2", "it is a token itself"},
		{GOOD " expires=", "expires must"},
		{GOOD " expires=0", "expires must"},
		{GOOD " expires=-5", "expires must"},
		{GOOD " expires=hunter2", "expires must"},
		{GOOD " expires=2027-02-29", "expires must"},
		{GOOD " expires=2027-13-01", "expires must"},
		{GOOD " expires=2027-01-31T24:00:00Z", "expires must"},
		{GOOD " expires=2027-01-31T12:00:00", "expires must"},
		{GOOD " expires=2027-01-31Z", "expires must"},
		{GOOD " expires=99999999999999999999", "expires must"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct token_line line;

		cr_expect_not(parse(cases[i].line, &line), "%s", cases[i].line);
		cr_expect_not_null(strstr(error, cases[i].named), "%s: %s", cases[i].line, error);
		cr_expect_null(strstr(error, "hunter2"), "%s", error);
	}
}

Test(token_line, a_name_of_64_bytes_is_the_longest)
{
	struct token_line line;
	char text[300];

	for (int len = 64; len <= 65; len++) {
		(void)snprintf(text, sizeof(text),
			       "name=%0*d sha256=" ALPHA " rights=read namespaces=*", len, 7);
		cr_expect_eq(parse(text, &line), len == 64);
	}
}

Test(token_line, bytes_that_are_no_text)
{
	struct token_line line;

	cr_expect_not(token_line_parse(SLICE("name=a\0b sha256=" ALPHA " rights=read namespaces=*"),
				       &line, error, sizeof(error)));
	cr_expect_not(
		token_line_parse(SLICE(GOOD " expires=2027-01-31\0"), &line, error, sizeof(error)));
}

/* ---- Patterns ---- */

Test(token_patterns, stars_stand_for_any_run)
{
	static const struct {
		const char *patterns, *name;
		bool matches;
	} cases[] = {
		{"*", "a", true},           {"*", "", true},
		{"a", "a", true},           {"a", "ab", false},
		{"ab", "a", false},         {"a*", "a", true},
		{"a*", "abc", true},        {"a*", "ba", false},
		{"*c", "abc", true},        {"*c", "abcd", false},
		{"a*c", "ac", true},        {"a*c", "abcc", true},
		{"a*b*c", "axbxbxc", true}, {"a*b*c", "acb", false},
		{"a**c", "abc", true},      {"*aab", "aaab", true},
		{"x,y", "y", true},         {"x,y", "x,y", false},
		{"x,y*", "yes", true},      {"x,y*", "no", false},
		{"A", "a", false},          {"build-*,tmp", "build", false},
	};
	char many[129] = "", name[65] = "";

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(
			token_patterns_match(slice_of(cases[i].patterns), slice_of(cases[i].name)),
			cases[i].matches, "%s on %s", cases[i].patterns, cases[i].name);
	/* A case that takes a naive matcher for ever. */
	for (int i = 0; i < 60; i++)
		strcat(many, "*a");
	strcat(many, "b");
	memset(name, 'a', 64);
	cr_expect_not(token_patterns_match(slice_of(many), slice_of(name)));
}

/* ---- The rate ---- */

#define MS INT64_C(1000000)

Test(rate_limit, the_burst_then_the_rate)
{
	struct rate_limit limit;
	int64_t now_ns = INT64_C(1) << 50;

	rate_limit_init(&limit, 10, 3);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(rate_limit_take(&limit, now_ns), 0, "%d", i);
	cr_expect_eq(rate_limit_take(&limit, now_ns), 100 * MS);
	cr_expect_eq(rate_limit_take(&limit, now_ns + 30 * MS), 70 * MS, "a refusal costs nothing");
	cr_expect_eq(rate_limit_take(&limit, now_ns + 100 * MS), 0);
	cr_expect_eq(rate_limit_take(&limit, now_ns + 100 * MS), 100 * MS);
	/* An idle time restores the burst, and no more. */
	now_ns += 3600 * 1000 * MS;
	for (int i = 0; i < 3; i++)
		cr_expect_eq(rate_limit_take(&limit, now_ns), 0, "%d", i);
	cr_expect_eq(rate_limit_take(&limit, now_ns), 100 * MS);
}

Test(rate_limit, none_and_slow_ones)
{
	struct rate_limit limit;

	rate_limit_init(&limit, 0, 0);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(rate_limit_take(&limit, 5), 0);
	rate_limit_init(&limit, 0.001, 1);
	cr_expect_eq(rate_limit_take(&limit, 5), 0);
	cr_expect_eq(rate_limit_take(&limit, 5), 1000000 * MS);
	rate_limit_init(&limit, 0.001, 1e6);
	cr_expect_eq(rate_limit_take(&limit, 5), 0, "no overflow");
}

static struct rate_limit shared_limit;
static atomic_int passed;

static const char *take_many(size_t thread, void *user)
{
	(void)thread;
	(void)user;
	for (int i = 0; i < 20000; i++)
		if (rate_limit_take(&shared_limit, 1000) == 0)
			atomic_fetch_add(&passed, 1);
	return NULL;
}

Test(rate_limit, threads_share_it_exactly)
{
	rate_limit_init(&shared_limit, 10, 12345);
	cr_assert_null(in_threads(4, take_many, NULL));
	cr_expect_eq(atomic_load(&passed), 12345);
}

/* ---- Files and the sets in force ---- */

static struct temp_dir dir;
static char path[TEMP_PATH_SIZE], keys_path[TEMP_PATH_SIZE];
static struct auth auth;
static int64_t fake_now_us = INT64_C(1700000000) * US_PER_S;

static int64_t read_fake_clock(void *user)
{
	(void)user;
	return fake_now_us;
}

static const struct cache_clock fake_clock = {.now_us = read_fake_clock};

static void make_dir(void)
{
	temp_dir_create(&dir);
	(void)temp_dir_path(&dir, "tokens", path);
	(void)temp_dir_path(&dir, "keys", keys_path);
	memset(&auth, 0, sizeof(auth));
}

static void remove_dir(void)
{
	auth_deinit(&auth);
	temp_dir_destroy(&dir);
}

TestSuite(token_set, .init = make_dir, .fini = remove_dir, .timeout = 60);

static bool open_with(const char *keys, const char *keys_file, const char *token_file)
{
	const struct auth_sources sources = {
		.keys = keys, .keys_file = keys_file, .token_file = token_file};

	error[0] = '\0';
	return auth_init(&auth, &sources, &fake_clock, error, sizeof(error));
}

static enum auth_verdict ask(const char *token, struct access *access)
{
	struct response response;
	char header[200];

	response_init(&response);
	(void)snprintf(header, sizeof(header), "Bearer %s", token);
	enum auth_verdict verdict = auth_check(
		&auth, &(struct auth_request){.authorization = header}, access, &response);
	cr_expect_eq(verdict == AUTH_REFUSED, response.status == 401);
	return verdict;
}

static bool comes_in(const char *token)
{
	struct access access;
	bool goes_on = ask(token, &access) == AUTH_GOES_ON;

	auth_leave(&access);
	return goes_on;
}

Test(token_set, several_keys)
{
	cr_assert(open_with("\n  old key, with=any/byte \r\nnew\n\n", NULL, NULL), "%s", error);
	cr_expect(comes_in("old key, with=any/byte"));
	cr_expect(comes_in("new"));
	cr_expect_not(comes_in("old"));
	cr_expect_not(auth_can_reload(&auth));
}

Test(token_set, bad_keys)
{
	static const char *const bad[] = {"", "\n \r\n", "a\nb\na", "a\001b", "a\x7f"};

	for (size_t i = 0; i < COUNT(bad); i++) {
		cr_expect_not(open_with(bad[i], NULL, NULL), "case %zu", i);
		cr_expect_not_null(strstr(error, "STEADYCACHE_API_KEY"), "%s", error);
	}
}

Test(token_set, a_file_of_keys_is_read_again)
{
	struct access access;

	file_write(keys_path, SLICE("one\r\n"));
	cr_assert(open_with("ignored", keys_path, NULL), "%s", error);
	cr_expect(comes_in("one"));
	cr_expect_not(comes_in("ignored"));
	cr_assert_eq(ask("one", &access), AUTH_GOES_ON);
	cr_expect_null(access.token, "a key may do everything");
	auth_leave(&access);
	file_write(keys_path, SLICE("two\none"));
	cr_assert(auth_reload(&auth, error, sizeof(error)), "%s", error);
	cr_expect(comes_in("one") && comes_in("two"));
	file_write(keys_path, SLICE("\n"));
	cr_expect_not(auth_reload(&auth, error, sizeof(error)));
	cr_expect(comes_in("one") && comes_in("two"));
}

Test(token_set, a_file_with_comments)
{
	struct access access;

	file_write(path, SLICE("# who may what\n\n  # indented\r\nname=a sha256=" ALPHA
			       " rights=read namespaces=*\r\nname=b sha256=" BETA
			       " rights=write,read namespaces=x-*,y"));
	cr_assert(open_with("key", NULL, path), "%s", error);
	cr_expect(comes_in("key"));
	cr_assert_eq(ask("alpha", &access), AUTH_GOES_ON);
	cr_expect(slice_equal(access.token->line.name, SLICE("a")));
	cr_expect(token_may_use(access.token, SLICE("anything")));
	auth_leave(&access);
	cr_assert_eq(ask("beta", &access), AUTH_GOES_ON);
	cr_expect_eq(access.token->line.rights, TOKEN_READ | TOKEN_WRITE);
	cr_expect(token_may_use(access.token, SLICE("x-1")));
	cr_expect_not(token_may_use(access.token, SLICE("z")));
	auth_leave(&access);
	cr_expect_not(comes_in("gamma"));
	cr_expect_not(comes_in(ALPHA), "the digest is no token");
}

Test(token_set, bad_files_are_refused_with_the_line)
{
	static const struct {
		const char *text, *named;
	} cases[] = {
		{"", "it holds no token"},
		{"# nothing\n\n", "it holds no token"},
		{"\n#\nname=a\n", "line 3: sha256= is missing"},
		{"hunter2\n", "line 1: "},
		{GOOD "\n" GOOD "\n", "line 2: another line has this name"},
		{GOOD "\nname=y sha256=" ALPHA " rights=read namespaces=*\n",
		 "line 2: another line has this sha256"},
		{"name=y sha256=" BETA " rights=read namespaces=*\n",
		 "line 1: STEADYCACHE_API_KEY holds this token too"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		file_write(path, slice_of(cases[i].text));
		cr_expect_not(open_with("beta", NULL, path), "%s", cases[i].text);
		cr_expect_not_null(strstr(error, cases[i].named), "%s: %s", cases[i].named, error);
		cr_expect_not_null(strstr(error, path), "%s", error);
		cr_expect_null(strstr(error, "hunter2"), "%s", error);
	}
	cr_expect_not(open_with(NULL, NULL, dir.path));
	cr_expect_not_null(strstr(error, "directory"), "%s", error);
	cr_expect_not(open_with(NULL, NULL, "/nonexistent/tokens"));
	cr_expect_not_null(strstr(error, "No such file"), "%s", error);
}

Test(token_set, a_bad_file_leaves_the_old_tokens_in_force)
{
	file_write(path, SLICE(GOOD "\n"));
	cr_assert(open_with(NULL, NULL, path), "%s", error);
	file_write(path, SLICE(GOOD "\nname=y sha256=" BETA " rights=all namespaces=*\n"));
	cr_expect_not(auth_reload(&auth, error, sizeof(error)));
	cr_expect_not_null(strstr(error, "line 2: rights must"), "%s", error);
	cr_expect(comes_in("alpha"));
	cr_expect_not(comes_in("beta"));
}

Test(token_set, tokens_expire)
{
	file_write(path, SLICE(GOOD " expires=1700000060\n"));
	cr_assert(open_with(NULL, NULL, path), "%s", error);
	cr_expect(comes_in("alpha"));
	fake_now_us += 60 * US_PER_S - 1;
	cr_expect(comes_in("alpha"));
	fake_now_us++;
	cr_expect_not(comes_in("alpha"));
}

Test(token_set, a_request_keeps_the_set_that_let_it_in)
{
	struct access held, other;

	file_write(path, SLICE(GOOD "\n"));
	cr_assert(open_with(NULL, NULL, path), "%s", error);
	cr_assert_eq(ask("alpha", &held), AUTH_GOES_ON);
	file_write(path, SLICE("name=y sha256=" BETA " rights=read namespaces=*\n"));
	/* Far more reloads than there are slots. */
	for (int i = 0; i < 3 * AUTH_SLOTS; i++)
		cr_assert(auth_reload(&auth, error, sizeof(error)), "%s", error);
	cr_expect(slice_equal(held.token->line.name, SLICE("x")), "its token is still there");
	cr_expect_not(comes_in("alpha"));
	cr_assert_eq(ask("beta", &other), AUTH_GOES_ON);
	auth_leave(&other);
	auth_leave(&held);
	auth_leave(&held);
	cr_expect_eq(atomic_load(&auth.slots[0].holders), 0, "left once");
}

Test(token_set, where_every_set_is_held_a_reload_waits)
{
	struct access held[AUTH_SLOTS];

	file_write(path, SLICE(GOOD "\n"));
	cr_assert(open_with(NULL, NULL, path), "%s", error);
	for (int i = 0; i < AUTH_SLOTS; i++) {
		cr_assert_eq(ask("alpha", &held[i]), AUTH_GOES_ON);
		cr_assert_eq(auth_reload(&auth, error, sizeof(error)), i < AUTH_SLOTS - 1, "%d", i);
	}
	cr_expect(comes_in("alpha"));
	auth_leave(&held[7]);
	cr_expect(auth_reload(&auth, error, sizeof(error)), "%s", error);
	for (int i = 0; i < AUTH_SLOTS; i++)
		auth_leave(&held[i]);
}

Test(token_set, a_reload_does_not_give_back_the_rate)
{
	struct access access;

	file_write(path, SLICE(GOOD " rate=0.01:2\n"));
	cr_assert(open_with(NULL, NULL, path), "%s", error);
	cr_expect(comes_in("alpha") && comes_in("alpha"));
	cr_expect_eq(ask("alpha", &access), AUTH_TOO_FAST);
	cr_expect(access.retry_after_s >= 99 && access.retry_after_s <= 100, "%u",
		  access.retry_after_s);
	auth_leave(&access);
	cr_assert(auth_reload(&auth, error, sizeof(error)), "%s", error);
	cr_expect_eq(ask("alpha", &access), AUTH_TOO_FAST);
	auth_leave(&access);
}

static atomic_bool over;

static const char *ask_and_reload(size_t thread, void *user)
{
	char reason[200];

	(void)user;
	if (thread == 0) {
		bool reloaded = true;

		for (int i = 0; i < 2000 && reloaded; i++)
			reloaded = auth_reload(&auth, reason, sizeof(reason));
		atomic_store(&over, true);
		return reloaded ? NULL : "a reload has failed";
	}
	while (!atomic_load(&over)) {
		struct response response;
		struct access access;

		response_init(&response);
		if (auth_check(&auth, &(struct auth_request){.authorization = "Bearer alpha"},
			       &access, &response) != AUTH_GOES_ON ||
		    !slice_equal(access.token->line.name, SLICE("x")))
			return "the token was not found";
		auth_leave(&access);
	}
	return NULL;
}

Test(token_set, reloads_under_load)
{
	file_write(path, SLICE(GOOD "\n"));
	cr_assert(open_with(NULL, NULL, path), "%s", error);
	const char *failure = in_threads(4, ask_and_reload, NULL);
	cr_expect_null(failure, "%s", failure);
	for (int i = 0; i < AUTH_SLOTS; i++)
		cr_expect_eq(atomic_load(&auth.slots[i].holders), 0);
}

Test(token_set, thousands_of_tokens_and_no_more)
{
	struct buffer text = {0};
	uint8_t digest[TOKEN_DIGEST_BYTES];

	for (int i = 0; i < TOKENS_MAX + 1; i++) {
		char token[16];

		(void)snprintf(token, sizeof(token), "t%d", i);
		token_digest(slice_of(token), digest);
		buffer_printf(&text, "name=n%d rights=read namespaces=* sha256=", i);
		for (size_t b = 0; b < sizeof(digest); b++)
			buffer_printf(&text, "%02x", digest[b]);
		buffer_printf(&text, "\n");
		if (i == TOKENS_MAX - 1) {
			file_write(path, buffer_bytes(&text));
			cr_assert(open_with(NULL, NULL, path), "%s", error);
		}
	}
	for (int i = 0; i < TOKENS_MAX; i++) {
		char token[16];

		(void)snprintf(token, sizeof(token), "t%d", i);
		cr_assert(comes_in(token), "%s", token);
	}
	cr_expect_not(comes_in("t-1"));
	file_write(path, buffer_bytes(&text));
	cr_expect_not(auth_reload(&auth, error, sizeof(error)));
	cr_expect_not_null(strstr(error, "line 4097: there are more"), "%s", error);
	buffer_deinit(&text);
}
