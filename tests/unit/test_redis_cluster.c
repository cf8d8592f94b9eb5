/* Requests to the nodes of a Cluster, against three servers of bytes in the same thread. Each node
 * has a third of the slots; its answer to a word is "WORD@NODE". */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/redis/command.h"
#include "backends/redis/figures.h"
#include "backends/redis/transport_resp.h"
#include "backends/redis/verdict.h"
#include "backends/remote/protocol.h"
#include "base/clock.h"
#include "tests/support/asked.h"
#include "tests/support/fake_redis.h"

#define NODES 3
#define INFO                                                                                       \
	"redis_version:7.0.15\r\nrun_id:0123456789012345678901234567890123456789\r\nrole:master\r" \
	"\ncluster_enabled:1\r\n"

/* A slot of each third. */
enum { SLOT_0 = 7, SLOT_1 = 6000, SLOT_2 = 16383 };

static struct fake_redis nodes[NODES];
static struct fake_redis guide; /* knows the map and has no slots; only of some tests */
static struct redis_settings own;
static struct remote_settings settings;
static struct remote_transport *transport;

static unsigned owners[NODES];                              /* of the thirds, as nodes tell it */
static const char *map_told;                                /* in place of that; NULL: that */
static const char *(*say)(unsigned node, const char *word); /* NULL: as above */

static unsigned ask_lane;

static const struct remote_protocol protocol = {.sentences = redis_verdict_sentences,
						.answer_max_bytes = 1U << 20};

static unsigned number_of(const struct fake_redis *node)
{
	return (unsigned)(node - nodes);
}

static const char *tell_map(void)
{
	static char text[600];
	size_t len = (size_t)snprintf(text, sizeof(text), "*%d\r\n", NODES);

	for (unsigned i = 0; i < NODES; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"*3\r\n:%u\r\n:%u\r\n*3\r\n$9\r\n127.0.0.1\r\n:%u\r\n$1\r\n"
					"x\r\n",
					16384 * i / NODES, 16384 * (i + 1) / NODES - 1,
					nodes[owners[i]].port);
	return map_told ? map_told : text;
}

static const char *answer(struct fake_redis *node, const struct redis_reply *command)
{
	static char text[100];
	const char *word = command->elements[0].text.data;
	const char *said;

	if (strcmp(word, "CLUSTER") == 0)
		return tell_map();
	if (strcmp(word, "ASKING") == 0)
		return "+OK\r\n";
	said = say ? say(number_of(node), word) : "";
	if (!said || *said)
		return said;
	snprintf(text, sizeof(text), "+%s@%u\r\n", word, number_of(node));
	return text;
}

static struct redis_figures figures;

/* The gauge of this name; -1: there is none. */
static double figure(const char *name)
{
	struct backend_gauge gauges[BACKEND_GAUGES_MAX];
	size_t count = redis_figures_gauges(&figures, true, gauges, BACKEND_GAUGES_MAX);

	for (size_t i = 0; i < count; i++)
		if (strcmp(gauges[i].name, name) == 0)
			return gauges[i].value;
	return -1;
}

/* The seeds are the first `count` of `seeds`. */
static void open_with(const struct fake_redis *seeds, unsigned count)
{
	char url[200], error[300];
	size_t len = (size_t)snprintf(url, sizeof(url), "redis://");

	asked_reset();
	ask_lane = 0;
	say = NULL;
	map_told = NULL;
	for (unsigned i = 0; i < NODES; i++) {
		fake_redis_open(&nodes[i]);
		nodes[i].info = INFO;
		nodes[i].answer = answer;
		owners[i] = i;
	}
	for (unsigned i = 0; i < count; i++)
		len += (size_t)snprintf(url + len, sizeof(url) - len, "%s127.0.0.1:%u",
					i > 0 ? "," : "", seeds[i].port);
	(void)snprintf(url + len, sizeof(url) - len, "?cluster=1&connections=1");
	cr_assert(redis_url_read(&own.url, url, error, sizeof(error)), "%s", error);
	settings = (struct remote_settings){.connect_timeout_us = US_PER_S, .timeout_us = US_PER_S};
	memset(&figures, 0, sizeof(figures));
	transport = redis_transport_open(&settings, &protocol, &own, NULL, &figures);
	cr_assert(transport);
}

static void open_all(void)
{
	open_with(nodes, NODES);
}

static void close_all(void)
{
	transport->ops->close(transport);
	redis_settings_deinit(&own);
	for (unsigned i = 0; i < NODES; i++)
		fake_redis_close(&nodes[i]);
}

TestSuite(redis_cluster, .init = open_all, .fini = close_all, .timeout = 60);

/* Submits a request of one command for each of `words`, about `slot` (negative: none). */
static struct asked *ask_within(int slot, const char *words, int64_t timeout_us)
{
	const struct remote_request request = {
		.timeout_us = timeout_us, .lane = ask_lane, .route = (unsigned)(slot + 1)};

	return asked_submit(transport, request, words);
}

static struct asked *ask(int slot, const char *words)
{
	return ask_within(slot, words, 2 * US_PER_S);
}

static void turn(void)
{
	for (unsigned i = 0; i < NODES; i++)
		fake_redis_step(&nodes[i]);
	if (guide.port > 0)
		fake_redis_step(&guide);
	transport->ops->wait(transport, 1000);
}

static void turn_until(unsigned count)
{
	int64_t limit_us = monotonic_now_us() + 10 * US_PER_S;

	while (done_count < count) {
		cr_assert_lt(monotonic_now_us(), limit_us, "%u of %u done", done_count, count);
		turn();
	}
}

static void turn_until_done(void)
{
	turn_until(asked_count);
	for (unsigned i = 0; i < asked_count; i++)
		cr_assert_eq(asked[i].done, 1, "request %u", i);
}

static void turn_for(int64_t time_us)
{
	for (int64_t end_us = monotonic_now_us() + time_us; monotonic_now_us() < end_us;)
		turn();
}

static void make_ready(void)
{
	ask(SLOT_0, "A");
	ask(SLOT_1, "B");
	ask(SLOT_2, "C");
	turn_until_done();
}

/* ---- The map ---- */

Test(redis_cluster, each_request_goes_to_the_master_of_its_slot)
{
	make_ready();
	cr_expect_str_eq(asked[0].first, "A@0");
	cr_expect_str_eq(asked[1].first, "B@1");
	cr_expect_str_eq(asked[2].first, "C@2");
	struct asked *any = ask(-1, "PING");
	turn_until_done();
	cr_expect_eq(any->failure, FAILURE_NONE);
	cr_expect_eq(strncmp(any->first, "PING@", 5), 0);
	for (unsigned i = 0; i < NODES; i++)
		cr_expect_eq(fake_redis_count(&nodes[i], "FUNCTION LOAD"), 1);
	cr_expect_eq(figure("servers"), NODES);
	cr_expect_eq(figure("servers_down"), 0);
	cr_expect_eq(figure("connections"), NODES);
	cr_expect_eq(figure("slots_unserved"), 0);
	cr_expect_eq(figure("commands"), 4);
}

static void open_with_one(void)
{
	open_with(nodes, 1);
}

static void open_with_guide(void)
{
	fake_redis_open(&guide);
	guide.info = INFO;
	guide.answer = answer;
	open_with(&guide, 1);
}

static void close_with_guide(void)
{
	close_all();
	fake_redis_close(&guide);
}

TestSuite(redis_cluster_guide, .init = open_with_guide, .fini = close_with_guide, .timeout = 60);
TestSuite(redis_cluster_seeds, .init = open_with_one, .fini = close_all, .timeout = 60);

Test(redis_cluster_seeds, one_leads_to_all)
{
	make_ready();
	cr_expect_str_eq(asked[2].first, "C@2");
}

/* As a node tells it that does not know its own name. */
Test(redis_cluster_seeds, a_node_without_a_host_is_at_the_host_that_was_asked)
{
	static char text[200];

	snprintf(text, sizeof(text),
		 "*2\r\n*3\r\n:0\r\n:9999\r\n*2\r\n$-1\r\n:%u\r\n*3\r\n:10000\r\n:16383\r\n*2\r\n"
		 "$0\r\n\r\n:%u\r\n",
		 nodes[1].port, nodes[2].port);
	map_told = text;
	make_ready();
	cr_expect_str_eq(asked[0].first, "A@1");
	cr_expect_str_eq(asked[2].first, "C@2");
}

Test(redis_cluster, a_seed_that_is_away_does_not_matter)
{
	fake_redis_stop(&nodes[0]);
	owners[0] = 1;
	make_ready();
	cr_expect_str_eq(asked[0].first, "A@1");
}

Test(redis_cluster, a_cluster_that_is_away_is_told_at_once)
{
	for (unsigned i = 0; i < NODES; i++)
		fake_redis_stop(&nodes[i]);
	struct asked *one = ask(SLOT_0, "A");
	int64_t began_us = monotonic_now_us();
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_CONNECT);
	cr_expect_not(one->reached || one->is_partial);
	cr_expect_lt(monotonic_now_us() - began_us, US_PER_S);
}

Test(redis_cluster, a_server_that_is_alone_is_not_used)
{
	for (unsigned i = 0; i < NODES; i++)
		nodes[i].info = "redis_version:7.0.15\r\nrole:master\r\ncluster_enabled:0\r\n";
	struct asked *one = ask(SLOT_0, "A");
	turn_until_done();
	cr_expect_str_eq(one->first, REDIS_ERROR_ALONE);
	cr_expect_not(one->reached);
}

/* ---- Redirections ---- */

static const char *redirect_to(const char *code, unsigned slot, unsigned node)
{
	static char text[60];

	snprintf(text, sizeof(text), "-%s %u 127.0.0.1:%u\r\n", code, slot, nodes[node].port);
	return text;
}

static const char *move_to_1(unsigned node, const char *word)
{
	(void)word;
	return node == 0 ? redirect_to("MOVED", SLOT_0, 1) : "";
}

Test(redis_cluster, a_slot_that_moved_is_followed_and_the_map_read_again)
{
	make_ready();
	size_t looks = 0;
	for (unsigned i = 0; i < NODES; i++)
		looks += fake_redis_count(&nodes[i], "CLUSTER SLOTS");
	say = move_to_1;
	owners[0] = 1;
	struct asked *one = ask(SLOT_0, "X Y");
	turn_until_done();
	cr_expect_str_eq(one->first, "X@1");
	cr_expect_str_eq(one->last, "Y@1");
	turn_for(200000);
	for (unsigned i = 0; i < NODES; i++)
		looks -= fake_redis_count(&nodes[i], "CLUSTER SLOTS");
	cr_expect_eq(looks, (size_t)-1, "once: %zd", (ssize_t)-looks);
	one = ask(SLOT_0 + 1, "Z");
	turn_until_done();
	cr_expect_str_eq(one->first, "Z@1", "its neighbours moved, too");
	cr_expect_eq(fake_redis_count(&nodes[0], "Z"), 0);
	cr_expect_eq(figure("moved"), 1);
	cr_expect_geq(figure("map_reads"), 2);
}

Test(redis_cluster, what_moves_with_a_lane_stays_in_order)
{
	char word[20];

	make_ready();
	say = move_to_1;
	ask_lane = 1;
	for (int i = 0; i < 100; i++) {
		snprintf(word, sizeof(word), "W%02d", i);
		ask(SLOT_0, word);
		if (i % 10 == 9)
			turn();
	}
	turn_until_done();
	size_t at = fake_redis_find(&nodes[1], "W00");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(word, sizeof(word), "W%02u", i);
		cr_expect_eq(fake_redis_find(&nodes[1], word), at + i, "%s", word);
		cr_expect_eq(fake_redis_count(&nodes[1], word), 1);
	}
}

/* The first word is served by node 0, what comes after it is elsewhere. */
static const char *move_rest(unsigned node, const char *word)
{
	return node == 0 && strcmp(word, "ONE") != 0 ? redirect_to("MOVED", SLOT_0, 1) : "";
}

static const char *ask_rest(unsigned node, const char *word)
{
	return node == 0 && strcmp(word, "ONE") != 0 ? redirect_to("ASK", SLOT_0, 2) : "";
}

Test(redis_cluster, of_what_was_executed_in_part_the_rest_is_sent_on)
{
	make_ready();
	say = move_rest;
	struct asked *one = ask(SLOT_0, "ONE TWO THREE");
	turn_until_done();
	cr_expect_str_eq(one->first, "ONE@0");
	cr_expect_str_eq(one->last, "THREE@1");
	cr_expect_eq(one->count, 3);
	cr_expect(one->reached);
	cr_expect_eq(fake_redis_count(&nodes[1], "ONE"), 0);
	cr_expect_eq(fake_redis_count(&nodes[0], "ONE"), 1);
	cr_expect_eq(fake_redis_count(&nodes[1], "TWO"), 1);
}

Test(redis_cluster, what_is_asked_for_elsewhere_comes_behind_asking)
{
	make_ready();
	say = ask_rest;
	struct asked *one = ask(SLOT_0, "ONE TWO THREE");
	turn_until_done();
	cr_expect_str_eq(one->first, "ONE@0");
	cr_expect_str_eq(one->last, "THREE@2");
	cr_expect_eq(fake_redis_count(&nodes[2], "ASKING"), 2);
	cr_expect_eq(fake_redis_find(&nodes[2], "ASKING") + 1, fake_redis_find(&nodes[2], "TWO"));
	cr_expect_eq(figure("asked"), 1);
	cr_expect_eq(figure("moved"), 0);
	say = NULL;
	one = ask(SLOT_0, "FOUR");
	turn_until_done();
	cr_expect_str_eq(one->first, "FOUR@0", "the slot is still there");
}

/* As a slot is while it is moved: its keys are in two places. */
static int64_t moved_us;
static const char *are_on_the_way(unsigned node, const char *word)
{
	bool is_over = monotonic_now_us() >= moved_us;

	(void)word;
	if (node == 0)
		return redirect_to(is_over ? "MOVED" : "ASK", SLOT_0, 1);
	return is_over ? "" : "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
}

Test(redis_cluster, a_slot_on_its_way_is_tried_again_without_a_storm)
{
	char word[20];

	make_ready();
	moved_us = monotonic_now_us() + US_PER_S / 2;
	say = are_on_the_way;
	for (unsigned i = 0; i < 60; i++) {
		ask_lane = i % 2;
		snprintf(word, sizeof(word), "W%02u", i);
		ask(SLOT_0, word);
	}
	turn_until_done();
	for (unsigned i = 3; i < asked_count; i++)
		cr_expect_eq(asked[i].last[4 - 1], '@', "%s", asked[i].last);
	cr_expect_lt(fake_redis_count(&nodes[0], "W"), 140, "%zu",
		     fake_redis_count(&nodes[0], "W"));
	cr_expect_gt(figure("held_back"), 0);
}

static const char *are_down(unsigned node, const char *word)
{
	(void)node;
	(void)word;
	return "-CLUSTERDOWN The cluster is down\r\n";
}

Test(redis_cluster, what_cannot_be_served_in_time_says_why)
{
	make_ready();
	say = are_down;
	struct asked *one = ask_within(SLOT_0, "W", 150000);
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_eq(strncmp(one->first, "CLUSTERDOWN", 11), 0);
	cr_expect_not(one->reached);
	cr_expect(one->is_partial);
	cr_expect_lt(fake_redis_count(&nodes[0], "W"), 10);
}

/* ---- Fail-over ---- */

static const char *say_nothing(unsigned node, const char *word)
{
	(void)node;
	(void)word;
	return NULL;
}

Test(redis_cluster, what_was_not_sent_waits_for_the_next_master)
{
	make_ready();
	say = say_nothing;
	struct asked *sent = ask(SLOT_0, "SENT");
	for (int i = 0; i < 5; i++)
		turn();
	fake_redis_stop(&nodes[0]);
	say = NULL;
	turn_until(asked_count);
	cr_expect_eq(sent->failure, FAILURE_RESET);
	cr_expect(sent->reached && sent->is_partial);
	struct asked *later = ask(SLOT_0, "LATER"), *other = ask(SLOT_1, "OTHER");
	turn_for(300000);
	cr_expect_eq(later->done, 0);
	cr_expect_str_eq(other->first, "OTHER@1");
	owners[0] = 2;
	turn_until_done();
	cr_expect_str_eq(later->first, "LATER@2");
}

/* It keeps its connections, and says nothing. */
Test(redis_cluster, a_master_that_hangs_is_left_when_there_is_another)
{
	make_ready();
	nodes[0].is_paused = true;
	struct asked *one = ask_within(SLOT_0, "ONE", 5 * US_PER_S);
	owners[0] = 1;
	int64_t began_us = monotonic_now_us();
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_RESET);
	cr_expect(one->is_partial);
	cr_expect_lt(monotonic_now_us() - began_us, 3 * US_PER_S);
	one = ask(SLOT_0, "TWO");
	turn_until_done();
	cr_expect_str_eq(one->first, "TWO@1");
}

static const char *is_down_once(unsigned node, const char *word)
{
	(void)node;
	if (strcmp(word, "X") != 0)
		return "";
	say = NULL;
	return "-CLUSTERDOWN The cluster is down\r\n";
}

/* One of them has nothing to do and is forgotten, in the turn in which the other's request ends. */
Test(redis_cluster_guide, masters_that_leave_together)
{
	make_ready();
	nodes[1].is_paused = true;
	struct asked *one = ask_within(SLOT_1, "ONE", 5 * US_PER_S);
	owners[0] = owners[1] = 2;
	say = is_down_once; /* so the map is read again */
	struct asked *other = ask(SLOT_2, "X");
	turn_for(100000);
	cr_expect_str_eq(other->first, "X@2");
	cr_expect_eq(figure("map_reads"), 2);
	usleep(1000000); /* nothing happens meanwhile that would begin a turn */
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_RESET);
	cr_expect(one->is_partial);
	one = ask(SLOT_0, "TWO");
	turn_until_done();
	cr_expect_str_eq(one->first, "TWO@2");
}

Test(redis_cluster, too_many_do_not_wait)
{
	make_ready();
	fake_redis_stop(&nodes[0]);
	ask(SLOT_0, "FIRST");
	turn_for(100000);
	for (int i = 0; i < 200; i++)
		ask(SLOT_0, "ONE");
	turn_for(50000);
	cr_expect(done_count > 60 && done_count < 90, "%u", done_count);
	cr_expect_str_eq(asked[asked_count - 1].first, REDIS_ERROR_NODE);
	cr_expect(asked[asked_count - 1].is_partial);
	owners[0] = 1;
	turn_until_done();
}
