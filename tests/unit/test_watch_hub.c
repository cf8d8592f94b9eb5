/* The change feed without a server: rings, watchers, and the thread that wakes them. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "handlers/watch/hub.h"
#include "handlers/watch/ring.h"
#include "handlers/watch/watcher.h"
#include "tests/support/threads.h"

TestSuite(watch_hub, .timeout = 60);

#define NEVER_US (3600 * US_PER_S)
#define NS       SLICE("n")

/* ---- Rings ---- */

static atomic_size_t ring_bytes;

static void append(struct watch_ring *ring, const char *key)
{
	watch_ring_append(ring, CHANGE_SET, slice_of(key), &ring_bytes);
}

/* The keys from `position` on, as "a b ". */
static const char *keys_from(const struct watch_ring *ring, uint64_t position)
{
	static char shown[1000];
	struct buffer copied = {0};
	struct watch_record record;
	size_t len = 0;

	shown[0] = '\0';
	(void)watch_ring_copy(ring, position, 1 << 20, &copied);
	struct slice left = buffer_bytes(&copied);
	while (watch_record_take(&left, &record) && len < 900)
		len += (size_t)snprintf(shown + len, sizeof(shown) - len, "%.*s ",
					(int)record.key.len, record.key.data);
	buffer_deinit(&copied);
	return shown;
}

Test(watch_hub, a_ring_keeps_the_latest)
{
	struct watch_ring ring = {0};
	char key[16];

	append(&ring, "a");
	uint64_t behind_a = ring.head;
	append(&ring, "");
	append(&ring, "c");
	cr_expect_str_eq(keys_from(&ring, 0), "a  c ");
	cr_expect_str_eq(keys_from(&ring, behind_a), " c ");
	cr_expect(watch_ring_has(&ring, 0));
	cr_expect(watch_ring_has(&ring, behind_a));
	cr_expect(watch_ring_has(&ring, ring.head));
	cr_expect_not(watch_ring_has(&ring, behind_a + 1));
	cr_expect_not(watch_ring_has(&ring, ring.head + 1));
	for (unsigned i = 0; i < 100000; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		append(&ring, key);
	}
	cr_expect_eq(ring.capacity, WATCH_RING_MAX_BYTES);
	cr_expect_leq(ring.head - ring.tail, ring.capacity);
	cr_expect_not(watch_ring_has(&ring, behind_a));
	cr_expect(watch_ring_has(&ring, ring.tail));
	cr_expect_str_eq(keys_from(&ring, ring.head - 20), "99998 99999 ");
	watch_ring_deinit(&ring, &ring_bytes);
	cr_expect_eq(atomic_load(&ring_bytes), 0);
}

Test(watch_hub, what_a_ring_cannot_have_is_a_gap)
{
	static char long_key[WATCH_RING_MAX_BYTES];
	struct watch_ring ring = {0};

	append(&ring, "a");
	uint64_t before = ring.head;
	watch_ring_append(&ring, CHANGE_SET, (struct slice){long_key, sizeof(long_key)},
			  &ring_bytes);
	cr_expect_lt(before, ring.tail);
	cr_expect_eq(ring.tail, ring.head);
	append(&ring, "b");
	cr_expect_str_eq(keys_from(&ring, ring.tail), "b ");
	watch_ring_deinit(&ring, &ring_bytes);
}

/* ---- Watchers ---- */

static struct watch_hub *hub;

static void open_hub(unsigned max, int64_t beat_us)
{
	hub = watch_hub_create();
	cr_assert(hub);
	cr_assert(watch_hub_start(hub, max, beat_us));
}

static void close_hub(void)
{
	watch_hub_end(hub);
	watch_hub_destroy(hub);
}

static void tell(enum cache_change_kind kind, struct slice ns, const char *key)
{
	watch_hub_tell(hub, &(struct cache_change){.kind = kind, .ns = ns, .key = slice_of(key)});
}

struct sleeper {
	struct watcher watcher;
	atomic_uint woken;
};

static void wake(void *user)
{
	struct sleeper *sleeper = user;

	(void)atomic_fetch_add(&sleeper->woken, 1);
}

static enum watch_attached attach(struct sleeper *sleeper, const char *prefix, const char *last_id,
				  bool *ret_resumed)
{
	*sleeper = (struct sleeper){.watcher = {.prefix = slice_of(prefix), .wake = wake}};
	sleeper->watcher.user = sleeper;
	return watcher_attach(hub, NS, last_id, &sleeper->watcher, ret_resumed);
}

static void watch(struct sleeper *sleeper, const char *prefix)
{
	bool is_resumed;

	cr_assert_eq(attach(sleeper, prefix, NULL, &is_resumed), WATCH_ATTACHED);
	cr_assert_not(is_resumed);
}

static enum watch_outcome next(struct sleeper *sleeper)
{
	struct buffer records = {0};
	enum watch_outcome outcome = watcher_next(&sleeper->watcher, &records);

	buffer_deinit(&records);
	return outcome;
}

static void await_wake(struct sleeper *sleeper, unsigned times)
{
	for (unsigned ms = 0; atomic_load(&sleeper->woken) < times && ms < 10000; ms++)
		(void)usleep(1000);
	cr_assert_eq(atomic_load(&sleeper->woken), times);
}

Test(watch_hub, who_waits_is_woken_once_and_by_what_concerns_it)
{
	struct sleeper all, some;

	open_hub(10, NEVER_US);
	watch(&all, "");
	watch(&some, "b/");
	cr_assert_eq(next(&all), WATCH_WAIT);
	cr_assert_eq(next(&some), WATCH_WAIT);
	tell(CHANGE_SET, SLICE("other"), "b/1");
	tell(CHANGE_SET, NS, "a");
	await_wake(&all, 1);
	cr_assert_eq(next(&all), WATCH_RECORDS);
	cr_assert_eq(next(&all), WATCH_WAIT);
	cr_assert_eq(atomic_load(&some.woken), 0);
	tell(CHANGE_DELETE, NS, "b/1");
	await_wake(&some, 1);
	await_wake(&all, 2);
	tell(CHANGE_DELETE, NS, "b/2"); /* nobody waits */
	cr_assert_eq(next(&some), WATCH_RECORDS);
	cr_assert_eq(next(&some), WATCH_WAIT);
	tell(CHANGE_CLEAR, NS, "b"); /* of more than its prefix */
	await_wake(&some, 2);
	watcher_detach(&some.watcher);
	watcher_detach(&all.watcher);
	close_hub();
}

Test(watch_hub, who_is_too_slow_misses_and_goes_on)
{
	struct watch_figures figures;
	struct sleeper slow;
	char key[32];

	open_hub(10, NEVER_US);
	watch(&slow, "");
	for (unsigned i = 0; i < 100000; i++) {
		(void)snprintf(key, sizeof(key), "key %u", i);
		tell(CHANGE_SET, NS, key);
	}
	cr_assert_eq(next(&slow), WATCH_MISSED);
	cr_assert_eq(next(&slow), WATCH_WAIT);
	tell(CHANGE_SET, NS, "a");
	await_wake(&slow, 1);
	cr_assert_eq(next(&slow), WATCH_RECORDS);
	tell(CHANGE_MISSED, NS, "");
	cr_assert_eq(next(&slow), WATCH_MISSED);
	tell(CHANGE_MISSED, SLICE(""), "");
	cr_assert_eq(next(&slow), WATCH_MISSED);
	cr_assert_eq(next(&slow), WATCH_WAIT);
	tell(CHANGE_MISSED, SLICE(""), "");
	await_wake(&slow, 2);
	cr_assert_eq(next(&slow), WATCH_MISSED);
	watch_hub_read(hub, &figures);
	cr_expect_eq(figures.watchers, 1);
	watcher_detach(&slow.watcher);
	close_hub();
}

Test(watch_hub, an_id_is_known_until_its_place_is_gone)
{
	struct sleeper first, second;
	char id[WATCH_ID_LEN + 1], odd[WATCH_ID_LEN + 8];
	bool is_resumed;

	open_hub(10, NEVER_US);
	watch(&first, "");
	tell(CHANGE_SET, NS, "a");
	cr_assert_eq(next(&first), WATCH_RECORDS);
	watcher_write_id(&first.watcher, first.watcher.position, id);
	watcher_detach(&first.watcher);
	tell(CHANGE_SET, NS, "b");

	cr_assert_eq(attach(&second, "", id, &is_resumed), WATCH_ATTACHED);
	cr_expect(is_resumed);
	cr_expect_eq(next(&second), WATCH_RECORDS);
	watcher_detach(&second.watcher);
	/* Inside of a record, behind the end, of another channel, and no id at all. */
	(void)snprintf(odd, sizeof(odd), "%.17s3", id);
	const char *const unknown[] = {odd,
				       "0000000000000000-0",
				       "x",
				       "-",
				       "1-1-1",
				       " ",
				       "ffffffffffffffff-18446744073709551615"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		cr_assert_eq(attach(&second, "", unknown[i], &is_resumed), WATCH_ATTACHED);
		cr_expect_not(is_resumed, "%s", unknown[i]);
		cr_expect_eq(next(&second), WATCH_WAIT, "%s", unknown[i]);
		watcher_detach(&second.watcher);
	}
	tell(CHANGE_MISSED, NS, "");
	cr_assert_eq(attach(&second, "", id, &is_resumed), WATCH_ATTACHED);
	cr_expect_not(is_resumed);
	watcher_detach(&second.watcher);
	close_hub();
}

Test(watch_hub, there_is_a_limit_and_an_end)
{
	struct sleeper one, two;
	bool is_resumed;

	open_hub(1, NEVER_US);
	watch(&one, "");
	cr_expect_eq(attach(&two, "", NULL, &is_resumed), WATCH_TOO_MANY);
	watcher_detach(&one.watcher);
	watch(&one, "");
	cr_assert_eq(next(&one), WATCH_WAIT);
	watch_hub_stop(hub);
	await_wake(&one, 1);
	cr_expect_eq(next(&one), WATCH_END);
	cr_expect_eq(attach(&two, "", NULL, &is_resumed), WATCH_STOPPED);
	watcher_detach(&one.watcher);
	close_hub();
}

Test(watch_hub, a_sign_of_life_comes_by_itself)
{
	struct sleeper one;

	open_hub(1, US_PER_S / 20);
	watch(&one, "");
	cr_assert_eq(next(&one), WATCH_WAIT);
	await_wake(&one, 1);
	cr_expect_eq(next(&one), WATCH_BEAT);
	cr_assert_eq(next(&one), WATCH_WAIT);
	watcher_detach(&one.watcher);
	close_hub();
}

/* ---- Many at once ---- */

#define TELLERS  3
#define FOLLOWER 8
#define TOLD     20000

static atomic_uint tellers_left;

static const char *tell_many(size_t index)
{
	char key[32];

	for (unsigned i = 1; i <= TOLD; i++) {
		(void)snprintf(key, sizeof(key), "%zu/%u", index, i);
		tell(CHANGE_SET, NS, key);
		if (i % 16 == 0)
			(void)usleep(1);
	}
	(void)atomic_fetch_sub(&tellers_left, 1);
	return NULL;
}

/* Follows the first teller: its numbers only grow, and the last one comes. */
static const char *follow(void)
{
	struct buffer records = {0};
	struct watch_record record;
	struct sleeper sleeper;
	bool is_resumed, has_missed = false;
	long last = 0;

	if (attach(&sleeper, "0/", NULL, &is_resumed) != WATCH_ATTACHED)
		return "not attached";
	for (unsigned waited_ms = 0; last < TOLD && waited_ms < 30000;) {
		unsigned woken = atomic_load(&sleeper.woken);

		records.len = 0;
		switch (watcher_next(&sleeper.watcher, &records)) {
		case WATCH_WAIT:
			for (; atomic_load(&sleeper.woken) == woken && waited_ms < 30000;
			     waited_ms++)
				(void)usleep(1000);
			if (atomic_load(&sleeper.woken) == woken)
				return "not woken";
			break;
		case WATCH_RECORDS:
			for (struct slice left = buffer_bytes(&records);
			     watch_record_take(&left, &record);) {
				if (!watch_record_concerns(&record, SLICE("0/")))
					continue;
				char digits[16] = "";

				memcpy(digits, record.key.data + 2, record.key.len - 2);
				long number = strtol(digits, NULL, 10);

				if (number <= last)
					return "not in order";
				last = number;
			}
			break;
		case WATCH_MISSED:
			has_missed = true;
			break;
		case WATCH_BEAT:
			if (has_missed && atomic_load(&tellers_left) == 0)
				last = TOLD; /* among what was missed */
			break;
		default:
			return "another outcome";
		}
	}
	watcher_detach(&sleeper.watcher);
	buffer_deinit(&records);
	return last == TOLD ? NULL : "the last one did not come";
}

/* Comes and goes. */
static const char *visit(void)
{
	struct sleeper sleeper;
	bool is_resumed;

	while (atomic_load(&tellers_left) > 0) {
		if (attach(&sleeper, "1/", NULL, &is_resumed) != WATCH_ATTACHED)
			return "not attached";
		(void)next(&sleeper);
		watcher_detach(&sleeper.watcher);
	}
	return NULL;
}

static const char *take_part(size_t index, void *user)
{
	(void)user;
	if (index < TELLERS)
		return tell_many(index);
	return index < TELLERS + FOLLOWER ? follow() : visit();
}

Test(watch_hub, many_tell_and_many_follow)
{
	open_hub(100, US_PER_S / 100);
	atomic_store(&tellers_left, TELLERS);
	const char *failure = in_threads(TELLERS + FOLLOWER + 2, take_part, NULL);
	cr_expect_null(failure, "%s", failure);
	close_hub();
}
