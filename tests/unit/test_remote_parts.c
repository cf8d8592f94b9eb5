/* The small parts of remote backends: breaker, backoff, verdicts, requests, locks, JSON. */
#include <criterion/criterion.h>
#include <string.h>

#include "backends/remote/backoff.h"
#include "backends/remote/breaker.h"
#include "backends/remote/locks.h"
#include "backends/remote/request.h"
#include "backends/remote/retry_after.h"
#include "backends/remote/settings.h"
#include "backends/remote/verdict.h"
#include "backends/remote/wire.h"
#include "handlers/respond/status.h"

/* ---- Breaker ---- */

Test(remote_breaker, opens_after_failures_in_a_row_only)
{
	struct remote_breaker breaker;

	remote_breaker_init(&breaker, 3);
	for (int i = 0; i < 10; i++) {
		cr_expect_not(remote_breaker_failure(&breaker, 0));
		cr_expect_not(remote_breaker_failure(&breaker, 0));
		cr_expect_not(remote_breaker_success(&breaker));
	}
	(void)remote_breaker_failure(&breaker, 0);
	(void)remote_breaker_failure(&breaker, 0);
	cr_expect(remote_breaker_failure(&breaker, 0), "the third opens it");
	cr_expect_not(remote_breaker_failure(&breaker, 0), "which is told once");
	cr_expect_eq(remote_breaker_state(&breaker), BREAKER_OPEN);
	cr_expect(remote_breaker_success(&breaker));
	cr_expect_eq(remote_breaker_state(&breaker), BREAKER_CLOSED);
}

Test(remote_breaker, probes_within_a_second_of_any_moment)
{
	struct remote_breaker breaker;
	int64_t now_us = 5000;

	remote_breaker_init(&breaker, 1);
	cr_expect_not(remote_breaker_take_probe(&breaker, PROBE_QUICK, now_us));
	cr_expect_eq(remote_breaker_next_us(&breaker), INT64_MAX);
	cr_expect(remote_breaker_failure(&breaker, now_us));
	cr_expect_eq(remote_breaker_next_us(&breaker), now_us + BREAKER_PROBE_INTERVAL_US);
	cr_expect_not(remote_breaker_take_probe(&breaker, PROBE_QUICK, now_us));
	now_us += BREAKER_PROBE_INTERVAL_US;
	cr_expect(remote_breaker_take_probe(&breaker, PROBE_QUICK, now_us));
	cr_expect_not(remote_breaker_take_probe(&breaker, PROBE_QUICK, now_us), "one at a time");
	cr_expect(remote_breaker_take_probe(&breaker, PROBE_PATIENT, now_us));
	cr_expect_str_eq(remote_breaker_state_name(remote_breaker_state(&breaker)), "half_open");
	cr_expect_eq(remote_breaker_next_us(&breaker), INT64_MAX);
	now_us += BREAKER_PROBE_QUICK_US;
	remote_breaker_end_probe(&breaker, PROBE_QUICK, now_us);
	cr_expect_leq(remote_breaker_next_us(&breaker), now_us + 500000);
	cr_expect_lt(BREAKER_PROBE_QUICK_US + BREAKER_PROBE_INTERVAL_US, 900000);
}

/* ---- Backoff ---- */

Test(remote_backoff, is_full_jitter_under_a_doubling_bound)
{
	uint64_t state = 1;

	for (unsigned attempt = 1; attempt < 20; attempt++) {
		int64_t bound_us = attempt < 7 ? BACKOFF_BASE_US << (attempt - 1) : BACKOFF_MAX_US;
		int64_t least = INT64_MAX;
		int64_t most = 0;

		for (int i = 0; i < 2000; i++) {
			int64_t us = remote_backoff_us(attempt, remote_backoff_random(&state));

			least = us < least ? us : least;
			most = us > most ? us : most;
		}
		if (bound_us > BACKOFF_MAX_US)
			bound_us = BACKOFF_MAX_US;
		cr_expect_leq(most, bound_us);
		cr_expect_gt(most, bound_us / 10 * 9);
		cr_expect_lt(least, bound_us / 10);
	}
}

Test(remote_backoff, retry_after_is_seconds_or_a_date)
{
	cr_expect_eq(remote_retry_after_s("7", 0), 7);
	cr_expect_eq(remote_retry_after_s("0", 0), 0);
	cr_expect_eq(remote_retry_after_s("99999999999999999999999", 0), 86400);
	cr_expect_eq(remote_retry_after_s("Tue, 14 Nov 2023 22:13:30 GMT", 1700000000), 10);
	cr_expect_eq(remote_retry_after_s("Tue, 14 Nov 2023 22:13:30 GMT", 1800000000), 0);
	cr_expect_eq(remote_retry_after_s("soon", 0), -1);
	cr_expect_eq(remote_retry_after_s("", 0), -1);
	cr_expect_eq(remote_retry_after_s("-5", 0), -1);
}

/* ---- Verdicts ---- */

static const char *const sentences[REMOTE_SENTENCES] = {
	"unreachable", "untrusted", "timeout",   "broken_off", "bad_answer", "unauthorized",
	"not_there",   "too_large", "throttled", "failed",     "strange",
};

Test(remote_verdict, every_failure_has_a_sentence_and_a_503_or_504)
{
	static const long statuses[] = {201, 302, 400, 401, 403, 404, 405,
					429, 500, 502, 503, 504, 520, 530};

	for (int failure = 0; failure < FAILURE_KINDS; failure++) {
		struct remote_verdict verdict =
			remote_verdict_http(sentences, (enum remote_failure)failure, 0);

		cr_expect(verdict.sentence);
		cr_expect(status_http(verdict.status) == 503 || status_http(verdict.status) == 504);
	}
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		struct remote_verdict verdict =
			remote_verdict_http(sentences, FAILURE_NONE, statuses[i]);
		bool again = statuses[i] == 429 || (statuses[i] >= 500 && statuses[i] <= 504);

		cr_expect(verdict.sentence);
		cr_expect_eq(verdict.status, CACHE_UNAVAILABLE, "%ld", statuses[i]);
		cr_expect_eq(verdict.may_retry, again, "%ld", statuses[i]);
		cr_expect_eq(verdict.is_outage, statuses[i] >= 500, "%ld", statuses[i]);
	}
}

Test(remote_verdict, each_has_its_sentence)
{
	static const struct {
		enum remote_failure failure;
		long status;
		const char *sentence;
	} cases[] = {
		{FAILURE_CONNECT, 0, "unreachable"},     {FAILURE_TLS, 0, "untrusted"},
		{FAILURE_TIMEOUT, 0, "timeout"},         {FAILURE_RESET, 0, "broken_off"},
		{FAILURE_BAD_ANSWER, 200, "bad_answer"}, {FAILURE_NONE, 401, "unauthorized"},
		{FAILURE_NONE, 403, "unauthorized"},     {FAILURE_NONE, 404, "not_there"},
		{FAILURE_NONE, 413, "too_large"},        {FAILURE_NONE, 429, "throttled"},
		{FAILURE_NONE, 500, "failed"},           {FAILURE_NONE, 530, "failed"},
		{FAILURE_NONE, 302, "strange"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct remote_verdict verdict =
			remote_verdict_http(sentences, cases[i].failure, cases[i].status);

		cr_expect_str_eq(verdict.sentence, cases[i].sentence, "%zu", i);
	}
}

/* ---- Requests ---- */

Test(remote_request, headers_come_back_in_order)
{
	struct remote_request request = {0};

	cr_expect_null(remote_request_next_header(&request, NULL));
	remote_request_add_header(&request, "X-A", SLICE("1"));
	remote_request_add_header(&request, "Authorization", SLICE("of a signer"));
	const char *line = remote_request_next_header(&request, NULL);
	cr_expect_str_eq(line, "X-A: 1");
	line = remote_request_next_header(&request, line);
	cr_expect_str_eq(line, "Authorization: of a signer");
	cr_expect_null(remote_request_next_header(&request, line));
	remote_request_deinit(&request);
}

/* ---- Settings ---- */

Test(remote_settings, urls)
{
	static const char *const good[] = {"http://h", "https://h.example:8443/path/",
					   "HTTP://[::1]:1"};
	static const char *const bad[] = {"",           "h",         "ftp://h",   "http://",
					  "http:///p",  "http://:1", "http://h?", "http://h/a b",
					  "http://u@h", "http://h#", "http://h\n"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(remote_settings_url_is_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(remote_settings_url_is_valid(bad[i]), "%s", bad[i]);
}

/* ---- Locks ---- */

Test(remote_locks, many_keys_come_and_go)
{
	struct remote_locks locks = {0};
	struct remote_job job = {.is_write = true, .item_count = 1, .ns_hash = 12345678901};
	struct remote_job clear = {
		.is_write = true, .covers_namespace = true, .ns_hash = 12345678901};

	for (uint64_t round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 5000; i++) {
			job.key_hash = i * 77;
			cr_assert(remote_locks_allow(&locks, &job));
			cr_assert(remote_locks_take(&locks, &job));
			cr_assert_not(remote_locks_allow(&locks, &job));
		}
		cr_expect_not(remote_locks_allow(&locks, &clear));
		for (uint64_t i = 0; i < 5000; i++) {
			job.key_hash = i * 77;
			remote_locks_release(&locks, &job);
		}
		cr_expect(remote_locks_allow(&locks, &clear));
		cr_assert(remote_locks_take(&locks, &clear));
		cr_expect_not(remote_locks_allow(&locks, &job));
		remote_locks_release(&locks, &clear);
	}
	remote_locks_deinit(&locks);
}

/* ---- JSON ---- */

Test(remote_wire, bytes_come_back)
{
	static const struct slice cases[] = {
		{.data = "", .len = 0},
		{.data = "plain", .len = 5},
		{.data = "q\"\\\n\0z", .len = 6},
		{.data = "\xFF\xFE\0", .len = 3},
		{.data = "\xF0\x9F\x98\x80", .len = 4},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer out = {0};
		struct remote_wire_bytes bytes;
		char decoded[32];
		size_t len = 0;

		buffer_append_char(&out, '{');
		remote_wire_write_bytes(&out, "key", cases[i]);
		buffer_append_char(&out, '}');
		json_auto_t *object = NULL;
		cr_assert(remote_wire_read_object(buffer_bytes(&out), &object));
		cr_assert(object, "%zu", i);
		cr_assert(remote_wire_read_bytes(object, "key", &bytes));
		cr_assert_leq(remote_wire_bytes_max(&bytes), sizeof(decoded));
		cr_assert(remote_wire_decode_bytes(&bytes, decoded, &len));
		cr_expect(slice_equal((struct slice){decoded, len}, cases[i]), "%zu", i);
		buffer_deinit(&out);
	}
	static const char *const others[] = {"[]", "{\"a\":", ""};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		json_auto_t *object = NULL;
		cr_expect(remote_wire_read_object(slice_of(others[i]), &object));
		cr_expect_null(object, "%s", others[i]);
	}
}
