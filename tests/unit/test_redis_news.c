/* News of other servers: what is told of them, whatever comes in; and the connection over which
 * they come, against a server of bytes in the same thread. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/redis/subscriber.h"
#include "backends/redis/url.h"
#include "base/clock.h"
#include "tests/support/fake_redis.h"

#define TOLD_MAX 32

static struct redis_news news;
static size_t told_count;
static struct told {
	enum cache_news_kind kind;
	char ns[70], key[40], token[40];
	size_t key_len;
} told[TOLD_MAX];
static char notice[600];
static unsigned notices;

static void copy(char *target, size_t size, struct slice text)
{
	snprintf(target, size, "%.*s", (int)text.len, text.data ? text.data : "");
}

static void take_news(void *user, const struct cache_news *one)
{
	struct told *next = &told[told_count++ % TOLD_MAX];

	cr_assert_eq(user, &news);
	next->kind = one->kind;
	next->key_len = one->key.len;
	copy(next->ns, sizeof(next->ns), one->ns);
	copy(next->key, sizeof(next->key), one->key);
	copy(next->token, sizeof(next->token), one->token);
}

static void take_notice(void *user, enum notice_level level, const char *sentence)
{
	(void)user;
	cr_assert_eq(level, NOTICE_WARN);
	snprintf(notice, sizeof(notice), "%s", sentence);
	notices++;
}

static void open_news(void)
{
	static const struct backend_config config = {
		.news = take_news,
		.news_user = &news,
		.news_always = true,
		.notice = take_notice,
	};

	cr_assert(redis_news_init(&news, &config, "p"));
	told_count = notices = 0;
}

static void close_news(void)
{
	redis_news_deinit(&news);
}

TestSuite(redis_news, .init = open_news, .fini = close_news, .timeout = 30);

#define OTHER "W\x08otherone"

static void publish(const char *channel, struct slice message)
{
	redis_news_take(&news, slice_of(channel), message);
}

static void expect_told(size_t i, enum cache_news_kind kind, const char *ns, const char *key,
			const char *token)
{
	cr_assert_lt(i, told_count);
	cr_expect_eq(told[i].kind, kind);
	cr_expect_str_eq(told[i].ns, ns);
	cr_expect_str_eq(told[i].key, key);
	cr_expect_str_eq(told[i].token, token);
}

Test(redis_news, are_told_as_they_were_published)
{
	publish("p:{ns:0}:m", SLICE(OTHER "\1\0\0\0k\0\0\0\0\3\0\0\0l\0m"));
	publish("p:{a.b-c_d:15.203}:m", SLICE("D\x08otherone\1\0\0\0k"));
	publish("p:{ns:0}:m", SLICE("C\x08otherone"));
	publish("p:{ns:0}:m", SLICE("P\x08otherone\2\0\0\0pr"));
	publish("p:{ns:0}:m", SLICE("L\x03xyz\1\0\0\0k\5\0\0\0token"));
	cr_assert_eq(told_count, 7);
	expect_told(0, NEWS_WRITTEN, "ns", "k", "");
	expect_told(1, NEWS_WRITTEN, "ns", "", "");
	expect_told(2, NEWS_WRITTEN, "ns", "l", "");
	cr_expect_eq(told[2].key_len, 3);
	expect_told(3, NEWS_DELETED, "a.b-c_d", "k", "");
	expect_told(4, NEWS_CLEARED, "ns", "", "");
	expect_told(5, NEWS_CLEARED, "ns", "pr", "");
	expect_told(6, NEWS_LEASE_ENDED, "ns", "k", "token");
	cr_expect_eq(atomic_load(&news.heard), 5);
	cr_expect_eq(atomic_load(&news.malformed), 0);
}

Test(redis_news, of_our_own_are_skipped)
{
	char message[64] = "W\x08";

	memcpy(message + 2, news.id, sizeof(news.id));
	memcpy(message + 10, "\1\0\0\0k", 5);
	publish("p:{ns:0}:m", (struct slice){.data = message, .len = 15});
	cr_expect_eq(told_count, 0);
	cr_expect_eq(atomic_load(&news.own), 1);
	message[2] ^= 1;
	publish("p:{ns:0}:m", (struct slice){.data = message, .len = 15});
	cr_expect_eq(told_count, 1);
}

Test(redis_news, of_another_prefix_are_none)
{
	publish("p:x:{ns:0}:m", SLICE(OTHER "\1\0\0\0k"));
	publish("p", SLICE(OTHER "\1\0\0\0k"));
	publish("q:{ns:0}:m", SLICE(OTHER "\1\0\0\0k"));
	publish("", SLICE(""));
	publish("p:{}:m", SLICE("H\0"));
	cr_expect_eq(told_count, 0);
	cr_expect_eq(atomic_load(&news.malformed), 0);
}

Test(redis_news, that_are_malformed_are_none)
{
	static const char *const channels[] = {
		"p:{",         "p:{ns",       "p:{ns:",      "p:{ns:0",     "p:{ns:0}",
		"p:{ns:0}:v",  "p:{ns:0}:mm", "p:{:0}:m",    "p:{ns:}:m",   "p:{ns:.1}:m",
		"p:{ns:1.}:m", "p:{n s:0}:m", "p:{ns:-1}:m", "p:{ns:0 }:m", "p:{ns:0.1.2}:m",
	};
	static const struct slice messages[] = {
		SLICE(""),
		SLICE("W"),
		SLICE("W\1"),
		SLICE("W\0"), /* no key */
		SLICE("X\0"),
		SLICE("W\0\0\0\0"),
		SLICE("W\0\2\0\0\0k"),
		SLICE("W\0\377\377\377\377k"),
		SLICE("C\0\0\0\0\0"),
		SLICE("P\0"),
		SLICE("L\0\1\0\0\0k"),
		SLICE("P\0\0\0\0\0\0\0\0\0"),
		SLICE("W\0\1\0\0\0k\1"),
	};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++, count++)
		publish(channels[i], SLICE(OTHER "\1\0\0\0k"));
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++, count++)
		publish("p:{ns:0}:m", messages[i]);
	cr_expect_eq(told_count, 0);
	cr_expect_eq(atomic_load(&news.malformed), count);
}

/* Each in a block of its own, so that a sanitizer sees a byte too many. */
Test(redis_news, that_are_cut_anywhere_are_none)
{
	static const struct slice whole = SLICE(OTHER "\1\0\0\0k\2\0\0\0lm");

	for (size_t len = 0; len < whole.len; len++) {
		char *part = malloc(len + 1);

		memcpy(part, whole.data, len);
		char *exact = realloc(part, len > 0 ? len : 1);
		publish("p:{ns:0}:m", (struct slice){.data = exact, .len = len});
		free(exact);
	}
	cr_expect_eq(told_count, 1, "one cut is between the two keys");
	cr_expect_eq(atomic_load(&news.malformed), whole.len - 1);
}

Test(redis_news, have_a_pattern_that_means_the_prefix_alone)
{
	static const struct backend_config config;
	struct redis_news odd;
	struct remote_request request = {0};

	cr_assert(redis_news_init(&odd, &config, "a*[b]?\\"));
	redis_news_write_subscribe(&odd, &request);
	cr_expect(slice_equal(buffer_bytes(&request.body),
			      SLICE("*2\r\n$10\r\nPSUBSCRIBE\r\n$14\r\na\\*\\[b\\]\\?\\\\:*\r\n")));
	cr_expect_not(redis_news_are_wanted(&odd, 0));
	redis_news_want(&odd, 10);
	redis_news_want(&odd, 5);
	cr_expect(redis_news_are_wanted(&odd, 9));
	cr_expect_not(redis_news_are_wanted(&odd, 10));
	remote_request_deinit(&request);
	redis_news_deinit(&odd);
}

Test(redis_news, that_are_forbidden_are_told_of_once)
{
	redis_news_may_publish(&news, true);
	cr_expect_eq(notices, 0);
	redis_news_may_publish(&news, false);
	redis_news_may_publish(&news, false);
	cr_expect_eq(notices, 1);
	cr_expect(strstr(notice, "ACL SETUSER USER +publish &p:*"), "%s", notice);
	cr_expect(redis_news_are_barred(&news));
	redis_news_may_subscribe(&news, false);
	cr_expect_eq(notices, 2);
	cr_expect(strstr(notice, "+psubscribe &p:*"), "%s", notice);
	redis_news_may_publish(&news, true);
	redis_news_may_subscribe(&news, true);
	cr_expect_not(redis_news_are_barred(&news));
	redis_news_may_publish(&news, false);
	cr_expect_eq(notices, 3, "it was allowed meanwhile");
}

/* ---- The connection ---- */

static struct fake_redis fake;
static struct redis_subscriber subscriber;
static struct redis_url url;
static struct redis_endpoint endpoint;
static bool is_deaf;    /* the server takes no PING */
static bool is_refused; /* nor PSUBSCRIBE */

static const char *answer(struct fake_redis *of, const struct redis_reply *command)
{
	(void)of;
	if (slice_equal(command->elements[0].text, SLICE("PSUBSCRIBE")))
		return is_refused ? "-NOPERM this user has no permissions to access one of the "
				    "channels used as arguments\r\n"
				  : "*3\r\n$10\r\npsubscribe\r\n$3\r\np:*\r\n:1\r\n";
	return is_deaf ? NULL : "*2\r\n$4\r\npong\r\n$0\r\n\r\n";
}

static void open_connection(void)
{
	char text[100], error[300];

	open_news();
	fake_redis_open(&fake);
	fake.answer = answer;
	snprintf(text, sizeof(text), "redis://me:secret@127.0.0.1:%u", fake.port);
	cr_assert(redis_url_read(&url, text, error, sizeof(error)), "%s", error);
	endpoint = (struct redis_endpoint){
		.url = &url, .address = url.servers, .wake_fd = -1, .answer_max_bytes = 1U << 20};
	redis_subscriber_init(&subscriber, &news, US_PER_S);
}

static void close_connection(void)
{
	redis_subscriber_deinit(&subscriber);
	redis_url_deinit(&url);
	fake_redis_close(&fake);
	close_news();
}

TestSuite(redis_subscriber, .init = open_connection, .fini = close_connection, .timeout = 60);

/* One turn, and what it is by when the next is to come. */
static int64_t turn(void)
{
	struct pollfd polled;
	int64_t now_us = monotonic_now_us();

	fake_redis_step(&fake);
	int64_t until_us = redis_subscriber_begin_turn(&subscriber, &endpoint, now_us, &polled);
	int64_t wait_us = until_us - now_us;
	int wait_ms = wait_us > 5000 ? 5 : wait_us > 0 ? (int)(wait_us / 1000) : 0;
	int ready = poll(&polled, 1, wait_ms);
	redis_subscriber_end_turn(&subscriber, ready > 0);
	return until_us;
}

#define TURN_UNTIL(condition)                                                                      \
	do {                                                                                       \
		int64_t limit_us = monotonic_now_us() + 20 * US_PER_S;                             \
		while (!(condition)) {                                                             \
			cr_assert_lt(monotonic_now_us(), limit_us, #condition);                    \
			(void)turn();                                                              \
		}                                                                                  \
	} while (0)

static void begin(void)
{
	TURN_UNTIL(redis_news_are_heard(&news));
	cr_assert_eq(told_count, 1);
	expect_told(0, NEWS_MAY_BE_MISSING, "", "", "");
}

#define MESSAGE                                                                                    \
	"*4\r\n$8\r\npmessage\r\n$3\r\np:*\r\n$10\r\np:{ns:0}:m\r\n$15\r\n" OTHER "\1\0\0\0k\r\n"

Test(redis_subscriber, says_who_it_is_and_hears)
{
	begin();
	cr_expect_lt(fake_redis_find(&fake, "AUTH me secret"), fake.log_count);
	cr_expect_eq(fake_redis_count(&fake, "PSUBSCRIBE p:*"), 1);
	cr_expect_eq(fake_redis_count(&fake, "FUNCTION"), 0);
	fake_redis_send(&fake, SLICE(MESSAGE MESSAGE));
	TURN_UNTIL(told_count == 3);
	expect_told(2, NEWS_WRITTEN, "ns", "k", "");
}

Test(redis_subscriber, takes_news_in_pieces)
{
	begin();
	for (size_t i = 0; i < sizeof(MESSAGE) - 1; i++) {
		fake_redis_send(&fake, (struct slice){.data = &MESSAGE[i], .len = 1});
		(void)turn();
	}
	TURN_UNTIL(told_count == 2);
}

Test(redis_subscriber, is_not_there_before_it_is_wanted_nor_after)
{
	news.is_always_wanted = false;
	cr_expect_eq(turn(), INT64_MAX);
	cr_expect_eq(fake.accepted, 0);
	redis_news_want(&news, monotonic_now_us() + US_PER_S / 2);
	begin();
	TURN_UNTIL(!redis_news_are_heard(&news));
	cr_expect_eq(turn(), INT64_MAX);
	cr_expect_eq(atomic_load(&news.lost), 0, "it was not lost");
}

Test(redis_subscriber, comes_back_and_says_that_news_may_be_missing)
{
	begin();
	fake_redis_hang_up(&fake);
	TURN_UNTIL(!redis_news_are_heard(&news));
	cr_expect_eq(told_count, 1, "copies may stand in till then");
	TURN_UNTIL(redis_news_are_heard(&news));
	cr_expect_eq(told_count, 2);
	expect_told(1, NEWS_MAY_BE_MISSING, "", "", "");
	cr_expect_eq(atomic_load(&news.lost), 1);
}

/* Nor does it keep on connecting at once. */
Test(redis_subscriber, waits_longer_each_time)
{
	int64_t until_us = monotonic_now_us() + US_PER_S;

	fake.refusal = "-LOADING Redis is loading the dataset in memory\r\n";
	while (monotonic_now_us() < until_us)
		(void)turn();
	cr_expect_geq(fake.accepted, 3);
	cr_expect_leq(fake.accepted, 12, "%zu attempts", fake.accepted);
	cr_expect_not(redis_news_are_heard(&news));
	fake.refusal = NULL;
	begin();
}

Test(redis_subscriber, notices_a_server_that_stands_still)
{
	int64_t began_us = monotonic_now_us();

	begin();
	is_deaf = true;
	TURN_UNTIL(!redis_news_are_heard(&news));
	cr_expect_leq(monotonic_now_us() - began_us, 6 * US_PER_S);
	is_deaf = false;
	TURN_UNTIL(redis_news_are_heard(&news));
	cr_expect_eq(atomic_load(&news.lost), 1);
}

Test(redis_subscriber, lives_as_long_as_it_is_answered)
{
	int64_t until_us = monotonic_now_us() + 5 * US_PER_S / 4;

	begin();
	while (monotonic_now_us() < until_us)
		(void)turn();
	cr_expect(redis_news_are_heard(&news));
	cr_expect_geq(fake_redis_count(&fake, "PING"), 1);
	cr_expect_eq(fake.accepted, 1);
}

Test(redis_subscriber, that_is_forbidden_is_told_of_and_tried_again_later)
{
	is_refused = true;
	TURN_UNTIL(redis_news_are_barred(&news));
	cr_expect_eq(notices, 1);
	cr_expect_not(redis_news_are_heard(&news));
	cr_expect_geq(subscriber.next_attempt_us, monotonic_now_us() + US_PER_S);
	is_refused = false;
	subscriber.next_attempt_us = 0;
	begin();
	cr_expect_not(redis_news_are_barred(&news));
}

Test(redis_subscriber, ends_with_what_is_no_reply)
{
	begin();
	fake_redis_send(&fake, SLICE("!garbage\r\n"));
	TURN_UNTIL(atomic_load(&news.lost) == 1);
	TURN_UNTIL(redis_news_are_heard(&news));
}
