/* The connections to Redis, against a server of bytes in the same thread: a test takes turns of
 * both. */
#include <criterion/criterion.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/redis/command.h"
#include "backends/redis/connection.h"
#include "backends/redis/transport_resp.h"
#include "backends/redis/trust.h"
#include "backends/redis/verdict.h"
#include "backends/remote/protocol.h"
#include "base/clock.h"
#include "tests/support/asked.h"
#include "tests/support/fake_redis.h"
#include "tests/support/temp_dir.h"

static struct fake_redis fake;
static struct redis_settings own;
static struct remote_settings settings;
static struct remote_transport *transport;

static unsigned ask_lane;

static const struct remote_protocol protocol = {.sentences = redis_verdict_sentences,
						.answer_max_bytes = 1U << 20};

static void open_as(const char *credentials, const char *query)
{
	char url[200], error[300];

	asked_reset();
	fake_redis_open(&fake);
	snprintf(url, sizeof(url), "redis://%s127.0.0.1:%u%s", credentials, fake.port, query);
	cr_assert(redis_url_read(&own.url, url, error, sizeof(error)), "%s", error);
	if (own.url.connections == 0)
		own.url.connections = 1;
	settings = (struct remote_settings){.connect_timeout_us = US_PER_S, .timeout_us = US_PER_S};
	transport = redis_transport_open(&settings, &protocol, &own, NULL, NULL);
	cr_assert(transport);
}

static void open_both(void)
{
	open_as("", "");
}

static void close_both(void)
{
	transport->ops->close(transport);
	redis_settings_deinit(&own);
	fake_redis_close(&fake);
}

TestSuite(redis_transport, .init = open_both, .fini = close_both, .timeout = 60);

/* Submits a request of one command for each of `words` (blank-separated commands of one word). */
static struct asked *ask_within(const char *words, bool is_repeatable, int64_t timeout_us)
{
	const struct remote_request request = {
		.is_repeatable = is_repeatable, .timeout_us = timeout_us, .lane = ask_lane};

	return asked_submit(transport, request, words);
}

static struct asked *ask(const char *words)
{
	return ask_within(words, false, US_PER_S);
}

static void turn(void)
{
	fake_redis_step(&fake);
	transport->ops->wait(transport, 1000);
}

/* Until all is done; a paused server does not matter. */
static void turn_until_done(void)
{
	int64_t limit_us = monotonic_now_us() + 10 * US_PER_S;

	while (done_count < asked_count) {
		cr_assert_lt(monotonic_now_us(), limit_us, "%u of %u done", done_count,
			     asked_count);
		turn();
	}
	for (unsigned i = 0; i < asked_count; i++)
		cr_assert_eq(asked[i].done, 1, "request %u", i);
}

static void make_ready(void)
{
	ask("PING");
	turn_until_done();
	cr_assert_eq(asked[0].failure, FAILURE_NONE);
}

static const char *echo(struct fake_redis *of, const struct redis_reply *command)
{
	static char reply[100];

	(void)of;
	snprintf(reply, sizeof(reply), "+%s\r\n", command->elements[0].text.data);
	return reply;
}

Test(redis_transport, says_hello_and_carries_a_request)
{
	struct asked *one = ask("PING");

	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect(one->reached);
	cr_expect_eq(one->count, 1);
	cr_expect_eq(one->bytes, sizeof("+OK\r\n") - 1);
	cr_expect_str_eq(one->first, "OK");
	cr_expect_eq(fake.accepted, 1);
	cr_expect_eq(fake_redis_count(&fake, "CLIENT SETNAME steadycache"), 1);
	cr_expect_eq(fake_redis_count(&fake, "FUNCTION LOAD #!lua name=steadycache_2"), 1);
	cr_expect_eq(fake_redis_count(&fake, "AUTH"), 0);
	cr_expect_eq(fake_redis_count(&fake, "SELECT"), 0);
}

Test(redis_transport, many_requests_go_at_once_and_are_answered_in_order)
{
	char word[20];

	fake.answer = echo;
	make_ready();
	fake.is_paused = true;
	for (int i = 0; i < 200; i++) {
		snprintf(word, sizeof(word), "W%d W%d-b", i, i);
		ask(word);
	}
	turn();
	cr_expect_eq(done_count, 1);
	fake.is_paused = false;
	turn();
	turn();
	turn();
	cr_expect_eq(done_count, 201, "all of it in one write, and its replies in another: %u",
		     done_count);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(word, sizeof(word), "W%u", i);
		cr_expect_eq(done_order[i + 1], i + 1);
		cr_expect_str_eq(asked[i + 1].first, word);
		cr_expect_eq(asked[i + 1].count, 2);
	}
	cr_expect_eq(fake.accepted, 1);
}

Test(redis_transport, replies_may_be_cut_anywhere)
{
	make_ready();
	for (fake.cut = 1; fake.cut < 8; fake.cut++) {
		fake.answer = echo;
		ask("ONE TWO-IS-LONGER THREE");
		ask("FOUR");
		turn_until_done();
		cr_expect_str_eq(asked[asked_count - 2].last, "THREE");
		cr_expect_str_eq(asked[asked_count - 1].first, "FOUR");
	}
}

static const char *tell_odd_things(struct fake_redis *of, const struct redis_reply *command)
{
	(void)of;
	(void)command;
	return "!what is this\r\n";
}

Test(redis_transport, what_is_no_reply_ends_the_connection)
{
	make_ready();
	fake.answer = tell_odd_things;
	struct asked *one = ask("ONE"), *two = ask("TWO");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_BAD_ANSWER);
	cr_expect_eq(two->failure, FAILURE_RESET);
	cr_expect(one->reached && two->reached);
	fake.answer = NULL;
	one = ask("AGAIN");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
}

Test(redis_transport, a_reply_without_a_question_ends_the_connection)
{
	make_ready();
	fake_redis_send(&fake, SLICE("+MORE\r\n"));
	for (int i = 0; i < 20; i++)
		turn();
	struct asked *one = ask("ONE");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_str_eq(one->first, "OK");
	cr_expect_eq(fake.accepted, 2);
}

static const char *say_nothing(struct fake_redis *of, const struct redis_reply *command)
{
	(void)of;
	(void)command;
	return NULL;
}

Test(redis_transport, a_broken_connection_resets_its_requests_and_is_forgotten_by_the_server)
{
	make_ready();
	fake.answer = say_nothing;
	struct asked *one = ask("ONE"), *two = ask("TWO");
	for (int i = 0; i < 5; i++)
		turn();
	fake_redis_hang_up(&fake);
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_RESET);
	cr_expect_eq(two->failure, FAILURE_RESET);
	cr_expect(one->reached && two->reached);
	fake.answer = NULL;
	one = ask("LATER");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_eq(fake_redis_count(&fake, "CLIENT KILL ID 1"), 1);
	cr_expect_lt(fake_redis_find(&fake, "CLIENT KILL"), fake_redis_find(&fake, "LATER"));
}

Test(redis_transport, an_idle_connection_that_ended_costs_nothing)
{
	make_ready();
	fake_redis_hang_up(&fake);
	for (int i = 0; i < 5; i++)
		turn();
	struct asked *one = ask("ONE");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_eq(fake_redis_count(&fake, "CLIENT KILL"), 0);
}

Test(redis_transport, nobody_listens_and_then_somebody_does)
{
	make_ready();
	fake_redis_stop(&fake);
	for (int i = 0; i < 5; i++)
		turn();
	struct asked *one = ask("ONE");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_CONNECT);
	cr_expect_not(one->reached);
	fake_redis_listen(&fake);
	int64_t began_us = monotonic_now_us();
	one = ask("TWO");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_lt(monotonic_now_us() - began_us, US_PER_S / 2);
}

Test(redis_transport, a_late_request_ends_and_so_does_its_connection)
{
	make_ready();
	fake.answer = say_nothing;
	struct asked *one = ask_within("ONE", true, 50000), *two = ask("TWO");
	int64_t began_us = monotonic_now_us();
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_TIMEOUT);
	cr_expect(one->reached);
	cr_expect_eq(two->failure, FAILURE_RESET);
	cr_expect_lt(monotonic_now_us() - began_us, US_PER_S / 2);
	fake.answer = NULL;
	one = ask("THREE");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_lt(fake_redis_find(&fake, "CLIENT KILL ID 1"), fake_redis_find(&fake, "THREE"));
}

Test(redis_transport, a_server_that_does_not_greet_is_late)
{
	fake.is_paused = true;
	struct asked *one = ask_within("ONE", true, 50000);
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_TIMEOUT);
	cr_expect_not(one->reached);
	fake.is_paused = false;
	one = ask("TWO");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_eq(fake_redis_count(&fake, "ONE"), 0);
}

/* ---- What the server refuses ---- */

/* Ends the connection, and lets the transport see that. */
static void hang_up(void)
{
	fake_redis_hang_up(&fake);
	for (int i = 0; i < 3; i++)
		turn();
}

static void expect_refusal(const char *refusal, const char *code)
{
	fake.refusal = refusal;
	hang_up();
	struct asked *one = ask("ONE TWO");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_not(one->reached);
	cr_expect_eq(one->count, 2);
	cr_expect_eq(strncmp(one->last, code, strlen(code)), 0, "%s", one->last);
	fake.refusal = NULL;
	one = ask("THREE");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE, "%s", code);
	cr_expect_str_eq(one->first, "OK");
}

Test(redis_transport, a_refused_hello_answers_what_waits)
{
	expect_refusal("-LOADING Redis is loading the dataset in memory\r\n", "LOADING");
	expect_refusal("-NOAUTH Authentication required.\r\n", "NOAUTH");
	expect_refusal("-DENIED Redis is running in protected mode\r\n", "DENIED");
}

static void expect_unfit(const char *info, const char *code)
{
	const char *before = fake.info;

	fake.info = info;
	hang_up();
	struct asked *one = ask("ONE");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_not(one->reached);
	cr_expect_str_eq(one->first, code);
	fake.info = before;
}

Test(redis_transport, a_server_that_does_not_fit_is_not_used)
{
	expect_unfit("redis_version:6.0.16\r\nrole:master\r\n", REDIS_ERROR_OLD);
	expect_unfit("redis_version:5.0.1\r\n", REDIS_ERROR_OLD);
	expect_unfit("redis_version:7.2.4\r\nmaxmemory_policy:allkeys-lru\r\n", REDIS_ERROR_EVICTS);
	expect_unfit("redis_version:7.2.4\r\nrole:slave\r\n", REDIS_ERROR_REPLICA);
	expect_unfit("loading:1\r\nredis_version:7.2.4\r\n", "LOADING");
	expect_unfit("redis_version:7.2.4\r\nrole:master\r\ncluster_enabled:1\r\n",
		     REDIS_ERROR_CLUSTER);
	cr_expect_eq(fake_redis_count(&fake, "ONE"), 0);
	fake.info = "redis_version:6.2.0\r\nmaxmemory_policy:volatile-lru\r\n";
	struct asked *one = ask("TWO");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_str_eq(one->first, "OK");
}

Test(redis_transport, without_functions_the_script_is_loaded)
{
	fake.lacks_functions = true;
	make_ready();
	cr_expect_eq(fake_redis_count(&fake, "SCRIPT LOAD --[["), 1);
	cr_expect_lt(fake_redis_find(&fake, "SCRIPT LOAD"), fake_redis_find(&fake, "PING"));
}

/* Lacks the script until it is loaded once more than by the hello. */
static const char *lack_script(struct fake_redis *of, const struct redis_reply *command)
{
	bool is_plain = strcmp(command->elements[0].text.data, "PLAIN") == 0;

	if (is_plain || fake_redis_count(of, "FUNCTION LOAD") > 1)
		return "+DONE\r\n";
	return "-ERR Function not found\r\n";
}

Test(redis_transport, a_lost_script_is_loaded_and_the_request_sent_again)
{
	make_ready();
	fake.answer = lack_script;
	struct asked *one = ask("CALL CALL"), *two = ask("CALL");
	turn_until_done();
	cr_expect_str_eq(one->first, "DONE");
	cr_expect_str_eq(one->last, "DONE");
	cr_expect_str_eq(two->first, "DONE");
	cr_expect_eq(fake_redis_count(&fake, "CALL"), 6);
}

Test(redis_transport, what_was_done_in_part_is_sent_again_only_if_it_may_be)
{
	make_ready();
	fake.answer = lack_script;
	struct asked *one = ask("PLAIN CALL");
	turn_until_done();
	cr_expect_str_eq(one->first, "DONE");
	cr_expect_str_eq(one->last, "ERR Function not found");
	cr_expect(one->reached);
	cr_expect_eq(fake_redis_count(&fake, "PLAIN"), 1);
	one = ask_within("PLAIN CALL", true, US_PER_S);
	turn_until_done();
	cr_expect_str_eq(one->last, "DONE");
	cr_expect_eq(fake_redis_count(&fake, "PLAIN"), 3);
}

static const char *never_take_it(struct fake_redis *of, const struct redis_reply *command)
{
	(void)of;
	(void)command;
	return "-NOSCRIPT No matching script. Please use EVAL.\r\n";
}

Test(redis_transport, a_script_that_stays_lost_is_told)
{
	make_ready();
	fake.answer = never_take_it;
	struct asked *one = ask("CALL");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_not(one->reached);
	cr_expect_eq(strncmp(one->first, "NOSCRIPT", 8), 0);
	cr_expect_eq(fake_redis_count(&fake, "CALL"), 2);
}

static const char *read_only(struct fake_redis *of, const struct redis_reply *command)
{
	(void)of;
	(void)command;
	return "-READONLY You can't write against a read only replica.\r\n";
}

Test(redis_transport, a_replica_is_left)
{
	make_ready();
	fake.answer = read_only;
	struct asked *one = ask("ONE");
	turn_until_done();
	cr_expect_not(one->reached);
	fake.answer = NULL;
	one = ask("TWO");
	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_NONE);
	cr_expect_eq(fake.accepted, 2);
}

/* It does not end its connections when it becomes one. */
Test(redis_transport, a_master_that_became_a_replica_is_left_within_a_second)
{
	make_ready();
	fake.info = "redis_version:7.2.4\r\nrole:slave\r\n";
	cr_assert_eq(usleep(1000000), 0);
	ask("ONE");
	turn_until_done();
	struct asked *one = ask("TWO");
	turn_until_done();
	cr_expect_not(one->reached);
	cr_expect_str_eq(one->first, REDIS_ERROR_REPLICA);
	cr_expect_eq(fake_redis_count(&fake, "TWO"), 0);
}

/* ---- Several connections, credentials ---- */

static void open_four(void)
{
	open_as("", "?connections=4&db=3");
}

TestSuite(redis_connections, .init = open_four, .fini = close_both, .timeout = 60);

Test(redis_connections, a_full_connection_is_joined_by_others)
{
	make_ready();
	fake.answer = say_nothing;
	for (int i = 0; i < 80; i++)
		ask("ONE");
	for (int i = 0; i < 30; i++)
		turn();
	cr_expect_eq(fake.accepted, 2);
	cr_expect_eq(fake_redis_count(&fake, "SELECT 3"), 2);
	fake_redis_hang_up(&fake);
	turn_until_done();
	for (unsigned i = 1; i < asked_count; i++)
		cr_expect_eq(asked[i].failure, FAILURE_RESET);
}

/* Requests of one lane stay behind each other, however full their connection is. */
Test(redis_connections, a_lane_keeps_its_order)
{
	make_ready();
	fake.answer = say_nothing;
	for (int i = 0; i < 70; i++)
		ask("FILL");
	for (int i = 0; i < 30; i++)
		turn();
	cr_expect_eq(fake.accepted, 2);
	fake.answer = NULL;
	ask_lane = 1;
	for (int i = 0; i < 100; i++)
		ask("LANE");
	ask_lane = 0;
	unsigned before = done_count;
	while (done_count < before + 100)
		turn();
	for (unsigned i = 1; i < 100; i++)
		cr_expect_eq(done_order[before + i], done_order[before] + i);
	cr_expect_eq(fake_redis_count(&fake, "LANE"), 100);
	fake_redis_hang_up(&fake);
	turn_until_done();
}

static void open_with_password(void)
{
	open_as("someone:secret@", "");
}

/* Names are looked up by a thread of their own, which may outlive the transport. */
static void open_elsewhere(void)
{
	open_as("", "");
	transport->ops->close(transport);
	free(own.url.servers[0].host);
	own.url.servers[0].host = strdup("no-such-host.invalid");
	transport = redis_transport_open(&settings, &protocol, &own, NULL, NULL);
	cr_assert(transport);
}

TestSuite(redis_names, .init = open_elsewhere, .fini = close_both, .timeout = 60);

Test(redis_names, one_that_nobody_knows)
{
	struct asked *one = ask_within("ONE", true, 3 * US_PER_S);

	turn_until_done();
	cr_expect_eq(one->failure, FAILURE_CONNECT);
	cr_expect_not(one->reached);
}

Test(redis_names, closed_while_one_is_looked_up)
{
	cr_expect_eq(asked_count, 0);
}

TestSuite(redis_credentials, .init = open_with_password, .fini = close_both, .timeout = 60);

Test(redis_credentials, are_told_first)
{
	make_ready();
	size_t at = fake_redis_find(&fake, "AUTH someone secret");
	cr_assert_lt(at, fake.log_count);
	cr_expect_lt(at, fake_redis_find(&fake, "CLIENT"));
}

Test(redis_credentials, a_wrong_password_is_told)
{
	expect_refusal("-WRONGPASS invalid username-password pair or user is disabled.\r\n",
		       "WRONGPASS");
}

/* ---- TLS ---- */

#define LONG_BYTES 8000

static struct temp_dir certificates;

static void open_with_tls(void)
{
	static char path[TEMP_PATH_SIZE];
	char url[200], error[300];

	memset(asked, 0, sizeof(asked));
	asked_count = done_count = 0;
	temp_dir_create(&certificates);
	fake_redis_open(&fake);
	fake_redis_use_tls(&fake, temp_dir_path(&certificates, "ca.pem", path));
	fake.answer = echo;
	snprintf(url, sizeof(url), "rediss://127.0.0.1:%u?connections=1", fake.port);
	cr_assert(redis_url_read(&own.url, url, error, sizeof(error)), "%s", error);
	settings = (struct remote_settings){
		.connect_timeout_us = US_PER_S, .timeout_us = US_PER_S, .ca_file = path};
	transport = redis_transport_open(&settings, &protocol, &own, NULL, NULL);
	cr_assert(transport);
}

static void close_with_tls(void)
{
	close_both();
	temp_dir_destroy(&certificates);
}

TestSuite(redis_tls, .init = open_with_tls, .fini = close_with_tls, .timeout = 60);

Test(redis_tls, replies_are_of_their_requests)
{
	make_ready();
	struct asked *one = ask("ONE"), *two = ask("TWO");
	turn_until_done();
	cr_expect_str_eq(one->first, "ONE");
	cr_expect_str_eq(two->first, "TWO");
}

/* A request of one long word, which begins with `number`, over a connection without a transport. */
static struct redis_exchange *push_long(struct redis_connection *connection, unsigned number)
{
	struct remote_request request = {0};
	char word[LONG_BYTES];

	memset(word, 'x', sizeof(word));
	(void)snprintf(word, sizeof(word), "%03u", number);
	redis_command_begin(&request, 1);
	redis_command_word(&request, (struct slice){.data = word, .len = sizeof(word)});
	struct redis_exchange *exchange = redis_exchange_create(EXCHANGE_WORK, &request);
	exchange->order = number;
	redis_connection_push(connection, exchange);
	return exchange;
}

/* What became of those: `user` counts them. */
static void expect_own_reply(void *user, struct redis_connection *connection,
			     struct redis_exchange *exchange)
{
	unsigned *count = user;

	(void)connection;
	if (exchange->kind == EXCHANGE_WORK) {
		cr_expect_eq(strtoul(exchange->replies[0].text.data, NULL, 10), exchange->order);
		(*count)++;
	}
	redis_exchange_free(exchange);
}

/* TLS keeps a record that did not fit into the socket, whatever becomes of what is in it: a request
 * of which some is there may not be taken out again, or its reply would be another's. */
Test(redis_tls, what_a_record_holds_has_begun)
{
	struct redis_trust *trust =
		redis_trust_create(settings.ca_file, NULL, NULL, (char[200]){0}, 200);
	const struct redis_endpoint endpoint = {.url = &own.url,
						.address = own.url.servers,
						.trust = trust,
						.wake_fd = -1,
						.answer_max_bytes = 1U << 20};
	struct redis_connection connection;
	struct redis_exchange_list rest;
	unsigned sent = 0, got = 0;

	cr_assert_eq(redis_connection_start(&connection, &endpoint, INT64_MAX), FAILURE_NONE);
	while (connection.state != CONNECTION_GREETS) {
		fake_redis_step(&fake);
		cr_assert_eq(redis_connection_go_on(&connection, &endpoint), FAILURE_NONE);
	}
	while (connection.exchanges.first) { /* the hello, which comes in two parts */
		cr_assert(redis_connection_send(&connection));
		fake_redis_step(&fake);
		cr_assert_eq(redis_connection_receive(&connection, expect_own_reply, &got),
			     FAILURE_NONE);
	}
	const struct redis_exchange *last = NULL;
	while (connection.stream.tls_begun == 0) { /* the fake reads nothing meanwhile */
		last = push_long(&connection, ++sent);
		cr_assert(redis_connection_send(&connection));
	}
	struct redis_exchange *behind = push_long(&connection, 999);
	cr_expect(redis_connection_has_begun(&connection, last));
	cr_expect_not(redis_connection_has_begun(&connection, behind));
	redis_connection_remove(&connection, behind);
	redis_exchange_free(behind);
	push_long(&connection, ++sent);
	while (got < sent) {
		fake_redis_step(&fake);
		cr_assert(redis_connection_send(&connection));
		cr_assert_eq(redis_connection_receive(&connection, expect_own_reply, &got),
			     FAILURE_NONE);
	}
	redis_connection_close(&connection, &rest);
	redis_trust_free(trust);
}
