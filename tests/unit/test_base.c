/* The base types: buffer, slice, UTF-8, status, clock, words, threads. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/invariant.h"
#include "base/status.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "base/words.h"
#include "tests/support/random.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Buffer ---- */

Test(buffer, grows_and_keeps_what_it_has)
{
	struct buffer buffer = {0};

	for (unsigned i = 0; i < 100000; i++) {
		buffer_append_char(&buffer, (char)(i % 251));
		cr_assert_leq(buffer.len, buffer.capacity);
	}
	cr_assert_eq(buffer.len, 100000);
	for (unsigned i = 0; i < 100000; i++)
		cr_assert_eq(buffer.data[i], (char)(i % 251), "byte %u", i);
	buffer_deinit(&buffer);
	cr_expect_null(buffer.data);
	cr_expect_eq(buffer.len, 0);
}

Test(buffer, takes_a_piece_larger_than_twice_its_capacity)
{
	static char piece[70000];
	struct buffer buffer = {0};

	memset(piece, 'p', sizeof(piece));
	buffer_append(&buffer, SLICE("ab"));
	buffer_append(&buffer, (struct slice){.data = piece, .len = sizeof(piece)});
	cr_assert_eq(buffer.len, sizeof(piece) + 2);
	cr_expect_eq(buffer.data[1], 'b');
	cr_expect_eq(buffer.data[sizeof(piece) + 1], 'p');
	buffer_deinit(&buffer);
}

Test(buffer, allocates_nothing_for_nothing)
{
	struct buffer buffer = {0};

	buffer_append(&buffer, (struct slice){0});
	cr_expect_null(buffer.data);
	cr_expect_not(buffer.failed);
}

Test(buffer, printf_of_any_length)
{
	struct buffer buffer = {0};
	char wide[700];

	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	buffer_printf(&buffer, "%d-%s-", 7, wide);
	buffer_printf(&buffer, "%s", "");
	buffer_printf(&buffer, "%c", 'z');
	cr_assert_eq(buffer.len, 2 + 699 + 1 + 1);
	cr_expect_eq(memcmp(buffer.data, "7-ww", 4), 0);
	cr_expect_eq(memcmp(buffer.data + buffer.len - 3, "w-z", 3), 0);
	buffer_deinit(&buffer);
}

Test(buffer, a_failure_sticks_and_keeps_the_bytes_so_far)
{
	struct buffer buffer = {0};

	buffer_append(&buffer, SLICE("abc"));
	cr_expect_not(buffer_reserve(&buffer, SIZE_MAX / 2));
	cr_expect(buffer.failed);
	buffer_append(&buffer, SLICE("d"));
	buffer_append_char(&buffer, 'e');
	buffer_printf(&buffer, "%d", 1);
	cr_expect_not(buffer_reserve(&buffer, 0));
	cr_expect(slice_equal(buffer_bytes(&buffer), SLICE("abc")));
	buffer_deinit(&buffer);
	cr_expect_not(buffer.failed, "a deinitialised buffer may be used again");
}

/* ---- Slice ---- */

Test(slice, compares_in_byte_order_with_prefixes_first)
{
	static const struct slice ascending[] = {
		{.data = NULL, .len = 0},
		SLICE("\0"),
		SLICE("\0\0"),
		SLICE("a"),
		SLICE("a\0"),
		SLICE("a\0b"),
		SLICE("aa"),
		SLICE("ab"),
		SLICE("b"),
		SLICE("\x7F"),
		SLICE("\x80"),
		SLICE("\xFF"),
		SLICE("\xFF\xFF"),
	};

	for (size_t i = 0; i < COUNT(ascending); i++)
		for (size_t k = 0; k < COUNT(ascending); k++) {
			int order = slice_compare(ascending[i], ascending[k]);

			cr_expect_eq((order > 0) - (order < 0), (i > k) - (i < k), "%zu, %zu", i,
				     k);
			cr_expect_eq(slice_equal(ascending[i], ascending[k]), i == k);
		}
}

Test(slice, every_slice_starts_with_the_empty_one_and_itself)
{
	cr_expect(slice_starts_with(SLICE("ab"), (struct slice){0}));
	cr_expect(slice_starts_with((struct slice){0}, (struct slice){0}));
	cr_expect(slice_starts_with(SLICE("ab"), SLICE("ab")));
	cr_expect_not(slice_starts_with(SLICE("ab"), SLICE("abc")));
	cr_expect_not(slice_starts_with(SLICE("ab"), SLICE("b")));
	cr_expect_eq(slice_of(NULL).len, 0);
}

/* ---- UTF-8 ---- */

Test(utf8, valid_and_invalid_sequences)
{
	static const struct {
		struct slice bytes;
		bool valid;
	} cases[] = {
		{{.data = NULL, .len = 0}, true},
		{SLICE("plain"), true},
		{SLICE("\0"), true},
		{SLICE("\x7F"), true},
		{SLICE("\xC2\x80"), true},                /* U+0080 */
		{SLICE("\xDF\xBF"), true},                /* U+07FF */
		{SLICE("\xE0\xA0\x80"), true},            /* U+0800 */
		{SLICE("\xED\x9F\xBF"), true},            /* U+D7FF */
		{SLICE("\xEE\x80\x80"), true},            /* U+E000 */
		{SLICE("\xEF\xBF\xBF"), true},            /* U+FFFF */
		{SLICE("\xF0\x90\x80\x80"), true},        /* U+10000 */
		{SLICE("\xF4\x8F\xBF\xBF"), true},        /* U+10FFFF */
		{SLICE("a\xC3\xA4z\xE2\x82\xAC!"), true}, /* mixed */
		{SLICE("\x80"), false},                   /* a continuation alone */
		{SLICE("\xBF"), false},
		{SLICE("\xC0\x80"), false},         /* overlong NUL */
		{SLICE("\xC1\xBF"), false},         /* overlong U+007F */
		{SLICE("\xE0\x9F\xBF"), false},     /* overlong U+07FF */
		{SLICE("\xF0\x8F\xBF\xBF"), false}, /* overlong U+FFFF */
		{SLICE("\xED\xA0\x80"), false},     /* first surrogate */
		{SLICE("\xED\xBF\xBF"), false},     /* last surrogate */
		{SLICE("\xF4\x90\x80\x80"), false}, /* U+110000 */
		{SLICE("\xF5\x80\x80\x80"), false},
		{SLICE("\xF8\x88\x80\x80\x80"), false}, /* five bytes */
		{SLICE("\xFE"), false},
		{SLICE("\xFF"), false},
		{SLICE("\xC3"), false}, /* truncated */
		{SLICE("\xE2\x82"), false},
		{SLICE("\xF0\x9F\x98"), false},
		{SLICE("\xC3("), false}, /* no continuation */
		{SLICE("\xE2\x82("), false},
		{SLICE("\xF0\x9F\x98("), false},
		{SLICE("\xE2(\x82"), false},
		{SLICE("good\xE2\x82\xAC"
		       "bad\xE2"),
		 false},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(utf8_is_valid(cases[i].bytes), cases[i].valid, "case %zu", i);
}

/* Every three bytes against the definition: decode, then encode again. */
Test(utf8, agrees_with_decoding_on_all_three_byte_forms)
{
	for (unsigned n = 0; n < 1U << 20; n++) {
		char bytes[3] = {(char)(0xE0 | (n >> 16)), (char)(n >> 8), (char)n};
		unsigned second = n >> 8 & 0xFF;
		unsigned third = n & 0xFF;
		unsigned code = (n >> 16 & 0x0F) << 12 | (second & 0x3F) << 6 | (third & 0x3F);
		bool valid = second >> 6 == 2 && third >> 6 == 2 && code >= 0x800 &&
			     (code < 0xD800 || code > 0xDFFF);

		if (utf8_is_valid((struct slice){.data = bytes, .len = 3}) != valid)
			cr_assert_fail("%02x %02x %02x", (unsigned char)bytes[0], second, third);
	}
}

Test(utf8, json_plain_is_printable_ascii_less_quote_and_backslash)
{
	for (int c = 0; c < 256; c++) {
		char bytes[3] = {'a', (char)c, 'z'};
		bool plain = c >= 0x20 && c < 0x7F && c != '"' && c != '\\';

		cr_expect_eq(utf8_is_json_plain((struct slice){.data = bytes, .len = 3}), plain,
			     "byte %d", c);
	}
	cr_expect(utf8_is_json_plain((struct slice){0}));
}

Test(utf8, a_text_in_pieces_is_judged_as_the_whole)
{
	static const char *const parts[] = {
		"a",    "plain",    "\"",   "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
		"\xC3", "\xE2\x82", "\x80", "\xF4\x90"};

	for (unsigned round = 0; round < 20000; round++) {
		struct utf8_scan scan = {0};
		char text[64] = "";

		for (uint64_t i = random_below(6); i > 0; i--)
			strcat(text, parts[random_below(random_below(4) ? 6 : COUNT(parts))]);
		struct slice whole = slice_of(text);
		for (size_t at = 0, len; at < whole.len; at += len) {
			len = 1 + random_below(random_below(2) ? 2 : whole.len - at);
			len = len < whole.len - at ? len : whole.len - at;
			utf8_scan(&scan, (struct slice){.data = text + at, .len = len});
		}
		cr_assert_eq(utf8_scan_is_valid(&scan), utf8_is_valid(whole), "%s", text);
		cr_assert_eq(utf8_scan_is_json_plain(&scan), utf8_is_json_plain(whole), "%s", text);
	}
}

/* ---- Status, clock ---- */

Test(status, each_has_a_name_and_a_sentence)
{
	for (int i = CACHE_OK; i < CACHE_STATUSES; i++) {
		enum cache_status status = (enum cache_status)i;

		cr_assert_not_null(cache_status_text(status));
		cr_expect_gt(strlen(cache_status_text(status)), 1);
		cr_expect(utf8_is_json_plain(slice_of(cache_status_text(status))));
		cr_expect_null(strstr(cache_status_text(status), "STEADYCACHE_"),
			       "options are the server's");
		cr_assert_not_null(cache_status_name(status));
	}
}

static int64_t told_now_us(void *user)
{
	return *(int64_t *)user;
}

Test(clock, may_be_told_and_is_microseconds_since_1970)
{
	int64_t told_us = 42;
	struct cache_clock clock = {.now_us = told_now_us, .user = &told_us};
	int64_t now_us = cache_clock_now_us(&system_clock);

	cr_expect_eq(cache_clock_now_us(&clock), 42);
	cr_expect_gt(now_us, INT64_C(1600000000) * US_PER_S);
	cr_expect_lt(now_us, INT64_C(16000000000) * US_PER_S);
	for (int64_t last_us = monotonic_now_us(), i = 0; i < 1000; i++) {
		int64_t next_us = monotonic_now_us();

		cr_assert_geq(next_us, last_us);
		last_us = next_us;
	}
}

/* ---- Words ---- */

Test(words, come_one_after_another)
{
	const char *const expected[] = {"ab", "c", "def"};
	const char *at = "ab c def";
	struct slice word;
	size_t count = 0;

	while (words_next(&at, &word)) {
		cr_assert_lt(count, COUNT(expected));
		cr_expect(slice_equal(word, slice_of(expected[count])), "word %zu", count);
		count++;
	}
	cr_expect_eq(count, COUNT(expected));
	at = "";
	cr_expect_not(words_next(&at, &word));
}

Test(words, are_found_whole)
{
	cr_expect(words_hold("lru fifo none", SLICE("fifo")));
	cr_expect_not(words_hold("lru fifo none", SLICE("fif")));
	cr_expect_not(words_hold("lru fifo none", SLICE("FIFO")));
	cr_expect_not(words_hold("lru fifo none", SLICE("")));
	cr_expect_not(words_hold("", SLICE("")));
	cr_expect(words_hold_in_any_case("lru fifo none", "NoNe"));
	cr_expect_not(words_hold_in_any_case("lru fifo none", "no"));
}

/* ---- Threads ---- */

static void *note_signals(void *ret)
{
	(void)pthread_sigmask(SIG_BLOCK, NULL, ret);
	return NULL;
}

Test(thread, receives_the_signals_of_its_own_faults_alone)
{
	sigset_t before, after, inside;
	pthread_t thread;

	(void)pthread_sigmask(SIG_BLOCK, NULL, &before);
	cr_assert_eq(thread_start(&thread, "a-name", note_signals, &inside), 0);
	(void)pthread_join(thread, NULL);
	(void)pthread_sigmask(SIG_BLOCK, NULL, &after);
	cr_expect_eq(sigismember(&inside, SIGTERM), 1);
	cr_expect_eq(sigismember(&inside, SIGUSR1), 1);
	cr_expect_eq(sigismember(&inside, SIGBUS), 0);
	cr_expect_eq(sigismember(&inside, SIGSEGV), 0);
	cr_expect_eq(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

Test(thread, waits_until_a_time)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t condition;
	int64_t until_us = monotonic_now_us() + 20000;

	thread_condition_init(&condition);
	(void)pthread_mutex_lock(&lock);
	while (thread_wait_until(&condition, &lock, until_us))
		;
	cr_expect_geq(monotonic_now_us(), until_us);
	cr_expect_not(thread_wait_until(&condition, &lock, until_us), "it is over already");
	(void)pthread_mutex_unlock(&lock);
	(void)pthread_cond_destroy(&condition);
}

/* ---- Invariants ---- */

#ifdef STEADYCACHE_INVARIANTS
Test(invariant, ends_the_process_where_it_does_not_hold, .signal = SIGABRT)
{
	INVARIANT(1 + 1 == 3);
}
#else
Test(invariant, is_not_looked_at_in_a_release)
{
	int looked = 0;

	INVARIANT(looked++);
	cr_expect_eq(looked, 0);
}
#endif
