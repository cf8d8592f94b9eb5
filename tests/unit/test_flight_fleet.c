/* Tables of three servers over one store, in virtual time: operations and news take their time,
 * operations fail, messages are lost, clients leave. Whatever happens, nobody waits in vain: who
 * waits for a value that is there, or for a lease that is free, is told within seconds. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/flight/flight.h"
#include "tests/support/random.h"

#define TABLES  3
#define KEYS    2
#define CLIENTS 12
#define VISITS  60000
/* Operations and messages take up to so long, and messages are lost for up to so long. */
#define DELAY_US ((int64_t)50000)
#define LOST_US  ((int64_t)500000)
/* Longer than all of these together, and a second try; shorter than it takes to look again. */
#define PATIENCE_US (5 * US_PER_S)

static int64_t now_us = 1000 * US_PER_S;

static int64_t up_to(int64_t max)
{
	return (int64_t)random_below((uint64_t)max);
}

static bool one_in(int64_t count)
{
	return up_to(count) == 0;
}

static int64_t read_clock(void *user)
{
	(void)user;
	return now_us;
}

static const struct cache_clock test_clock = {.now_us = read_clock};

/* ---- What happens when ---- */

struct event {
	struct event *next;
	int64_t at_us;
	void (*happen)(struct event *event);
	void *of;
	size_t table, key;
	struct cache_news news;
	char token[LEASE_TOKEN_LEN + 1];
	bool fails;
};

static struct event *events;

static struct event *plan(int64_t at_us, void (*happen)(struct event *event), void *of)
{
	struct event *event = calloc(1, sizeof(*event));
	struct event **at = &events;

	cr_assert(event);
	*event = (struct event){.at_us = at_us, .happen = happen, .of = of};
	while (*at && (*at)->at_us <= at_us)
		at = &(*at)->next;
	event->next = *at;
	*at = event;
	return event;
}

static struct event *plan_soon(void (*happen)(struct event *event), void *of)
{
	return plan(now_us + 1 + up_to(DELAY_US), happen, of);
}

/* ---- The store, and how it tells news ---- */

struct table {
	struct backend backend;
	struct flights *flights;
	int64_t heard_until_us; /* the last message on its way */
	int64_t deaf_until_us;
};

static struct table tables[TABLES];

static const struct slice ns = SLICE("n");
static const struct slice keys[KEYS] = {SLICE("a"), SLICE("b")};

static struct {
	bool has_value;
	char token[LEASE_TOKEN_LEN + 1];
	int64_t until_us;
	int64_t value_since_us, free_since_us;
} entries[KEYS];

static bool is_held(size_t key)
{
	return entries[key].token[0] && entries[key].until_us > now_us;
}

static void deliver(struct event *event)
{
	event->news.token = slice_of(event->token);
	if (event->news.kind == NEWS_MAY_BE_MISSING || tables[event->table].deaf_until_us < now_us)
		flight_news(tables[event->table].flights, &event->news);
}

static void tell(size_t from, enum cache_news_kind kind, size_t key, const char *token)
{
	for (size_t i = 0; i < TABLES; i++) {
		struct table *table = &tables[i];

		if (i == from)
			continue;
		table->heard_until_us =
			table->heard_until_us < now_us ? now_us : table->heard_until_us;
		table->heard_until_us += 1 + up_to(DELAY_US / 10);
		struct event *event = plan(table->heard_until_us, deliver, NULL);
		event->table = i;
		event->news = (struct cache_news){.kind = kind, .ns = ns, .key = keys[key]};
		memcpy(event->token, token, strlen(token) + 1);
	}
}

static void lose_messages(void)
{
	size_t i = (size_t)up_to(TABLES);
	struct event *event;

	if (tables[i].deaf_until_us >= now_us)
		return;
	tables[i].deaf_until_us = now_us + 1 + up_to(LOST_US);
	event = plan(tables[i].deaf_until_us + 1, deliver, NULL);
	event->table = i;
	event->news.kind = NEWS_MAY_BE_MISSING;
}

static void end_lease(size_t key)
{
	entries[key].token[0] = '\0';
	entries[key].free_since_us = now_us;
}

static void finish_end(struct event *event)
{
	cache_op_complete(event->of, event->fails ? CACHE_UNAVAILABLE : CACHE_OK);
}

static void execute_end(struct event *event)
{
	struct cache_op *op = event->of;
	size_t key = op->one.key.data[0] == 'a' ? 0 : 1;
	bool is_its = is_held(key) && slice_equal(slice_of(entries[key].token), op->lease.token);

	op->lease.outcome = is_its ? LEASE_ENDED : LEASE_OVER;
	if (is_its && !(event->fails && one_in(2))) {
		tell(event->table, NEWS_LEASE_ENDED, key, entries[key].token);
		end_lease(key);
	}
	plan_soon(finish_end, op)->fails = event->fails;
}

static void submit_end(struct backend *backend, struct cache_op *op)
{
	struct event *event = plan_soon(execute_end, op);

	event->table = (size_t)((struct table *)(void *)backend - tables);
	event->fails = one_in(30);
}

static const struct backend_ops store_ops = {
	.name = "store",
	.bits = BACKEND_LEASES,
	.lease = submit_end,
};

/* ---- Sets and deletes ---- */

static void finish_set(struct event *event)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = ns;
	op.one.key = keys[event->key];
	flight_op_done(tables[event->table].flights, &op);
}

static void delete_value(struct event *event)
{
	entries[event->key].has_value = false;
	entries[event->key].free_since_us = now_us;
}

static void execute_set(struct event *event)
{
	size_t key = event->key;

	if (!entries[key].has_value)
		entries[key].value_since_us = now_us;
	entries[key].has_value = true;
	end_lease(key);
	tell(event->table, NEWS_WRITTEN, key, "");
	struct event *done = plan_soon(finish_set, NULL);
	done->table = event->table;
	done->key = key;
	int64_t lives_us = one_in(2) ? DELAY_US : one_in(3) ? 20 * US_PER_S : 3 * US_PER_S;
	plan(now_us + up_to(lives_us), delete_value, NULL)->key = key;
}

static void set(size_t key, int64_t in_us)
{
	struct event *event = plan(now_us + in_us, execute_set, NULL);

	event->table = (size_t)up_to(TABLES);
	event->key = key;
}

/* ---- Clients, each as handlers/flight/single_flight.c goes on ---- */

struct client {
	struct flight_waiter waiter;
	struct cache_op op;
	char asked[LEASE_TOKEN_LEN + 1];
	size_t table, key;
	bool found, is_parked;
	int64_t parked_since_us;
};

static struct client clients[CLIENTS];
static unsigned visits, grants, hits, misses, failures;

static struct flights *flights_of(const struct client *client)
{
	return tables[client->table].flights;
}

static void start(struct event *event);

static void finish(struct client *client)
{
	if (client->waiter.has_turn)
		flight_pass_turn(flights_of(client), &client->waiter);
	flight_visit_end(flights_of(client));
	if (visits++ < VISITS)
		plan(now_us + up_to(4 * US_PER_S), start, client);
}

static void give_back(struct client *client)
{
	(void)flight_give_back(flights_of(client), ns, keys[client->key], client->waiter.token,
			       NULL, NULL);
}

static void hold(struct client *client)
{
	grants++;
	if (one_in(4))
		give_back(client);
	else if (!one_in(4)) /* else it lapses */
		set(client->key, up_to(client->waiter.lease_us * 3 / 2));
}

static void read_value(struct client *client);
static void ask(struct client *client);

static void go_on(struct client *client, enum flight_answer answer)
{
	switch (answer) {
	case FLIGHT_PARKED:
		client->is_parked = true;
		client->parked_since_us = now_us;
		return;
	case FLIGHT_READ_AGAIN:
		read_value(client);
		return;
	case FLIGHT_ASK:
		ask(client);
		return;
	case FLIGHT_LEASE:
		hold(client);
		break;
	case FLIGHT_MISS:
		misses++;
		break;
	case FLIGHT_FAILED:
		failures++;
		break;
	default:
		cr_assert_fail("answer %d", answer);
	}
	finish(client);
}

static void finish_read(struct event *event)
{
	struct client *client = event->of;

	if (event->fails) {
		go_on(client, flight_read_failed(flights_of(client), &client->waiter));
		return;
	}
	if (!client->found) {
		go_on(client, flight_join(flights_of(client), &client->waiter));
		return;
	}
	hits++;
	finish(client);
}

static void execute_read(struct event *event)
{
	struct client *client = event->of;

	client->found = entries[client->key].has_value;
	plan_soon(finish_read, client)->fails = one_in(50);
}

static void read_value(struct client *client)
{
	flight_look(flights_of(client), &client->waiter);
	plan_soon(execute_read, client);
}

static void finish_ask(struct event *event)
{
	struct client *client = event->of;
	bool leaves = one_in(20);

	client->op.status = event->fails ? CACHE_UNAVAILABLE : CACHE_OK;
	if (leaves)
		client->waiter.wait_until_us = 0;
	enum flight_answer answer = flight_asked(flights_of(client), &client->waiter, &client->op);
	if (!leaves) {
		go_on(client, answer);
		return;
	}
	if (answer == FLIGHT_LEASE)
		give_back(client);
	finish(client);
}

static void execute_ask(struct event *event)
{
	struct client *client = event->of;
	struct cache_lease *lease = &client->op.lease;
	size_t key = client->key;

	/* It is sent only while news are heard. */
	if (tables[client->table].deaf_until_us >= now_us) {
		plan(tables[client->table].deaf_until_us + 2, execute_ask, client);
		return;
	}
	bool fails = one_in(30);
	if (entries[key].has_value) {
		lease->outcome = LEASE_FRESH;
	} else if (is_held(key)) {
		lease->outcome = LEASE_HELD;
		lease->left_us = entries[key].until_us - now_us;
	} else if (lease->token.len == 0) {
		lease->outcome = LEASE_FREE;
	} else if (!(fails && one_in(2))) {
		lease->outcome = LEASE_GRANTED;
		lease->left_us = lease->ttl_us;
		memcpy(entries[key].token, client->asked, sizeof(client->asked));
		entries[key].until_us = now_us + lease->ttl_us;
	}
	plan_soon(finish_ask, client)->fails = fails;
}

static void ask(struct client *client)
{
	cache_op_init(&client->op, CACHE_OP_LEASE_TAKE);
	client->op.ns = ns;
	client->op.one.key = keys[client->key];
	flight_look(flights_of(client), &client->waiter);
	flight_fill_ask(flights_of(client), &client->waiter, &client->op, client->asked);
	plan_soon(execute_ask, client);
}

static void go_on_after_wait(struct event *event)
{
	struct client *client = event->of;

	client->is_parked = false;
	if (client->waiter.end != FLIGHT_TURN)
		read_value(client);
	else if (one_in(20)) /* it has left */
		finish(client);
	else
		ask(client);
}

static void wake(struct flight_waiter *waiter)
{
	plan(now_us, go_on_after_wait, waiter->user);
}

static void start(struct event *event)
{
	struct client *client = event->of;
	bool only_waits = one_in(3);

	client->table = (size_t)up_to(TABLES);
	client->key = (size_t)up_to(KEYS);
	client->waiter = (struct flight_waiter){
		.key = flight_key_of(flights_of(client), ns, keys[client->key]),
		.wait_until_us = !only_waits && one_in(20) ? 0 : now_us + up_to(30 * US_PER_S),
		.lease_us = only_waits ? 0 : 1 + up_to(8 * US_PER_S),
		.wake = wake,
		.user = client,
	};
	flight_visit_begin(flights_of(client));
	read_value(client);
}

/* ---- The run ---- */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void check_client(const struct client *client)
{
	size_t key = client->key;
	int64_t since_us = client->parked_since_us;
	const char *what = "a value that is there";

	if (!client->is_parked)
		return;
	if (entries[key].has_value) {
		since_us = later(since_us, entries[key].value_since_us);
	} else if (client->waiter.lease_us > 0 && !is_held(key)) {
		since_us =
			later(since_us, later(entries[key].until_us, entries[key].free_since_us));
		what = "a lease that is free";
	} else {
		return;
	}
	cr_assert_lt(now_us - since_us, PATIENCE_US, "visit %u waits for %s", visits, what);
}

static int64_t expire_all(void)
{
	int64_t next_us = INT64_MAX;

	for (size_t i = 0; i < TABLES; i++) {
		int64_t at_us = flight_expire(tables[i].flights);

		next_us = at_us < next_us ? at_us : next_us;
	}
	return next_us;
}

static void run(void)
{
	for (;;) {
		int64_t next_us = expire_all();

		if (events && events->at_us <= next_us) {
			struct event *event = events;

			events = event->next;
			now_us = later(now_us, event->at_us);
			event->happen(event);
			free(event);
		} else if (next_us < INT64_MAX) {
			now_us = later(now_us, next_us);
		} else {
			return;
		}
		for (size_t i = 0; i < CLIENTS; i++)
			check_client(&clients[i]);
		if (visits < VISITS && one_in(100))
			lose_messages();
	}
}

Test(flight_fleet, nobody_waits_in_vain, .timeout = 120)
{
	for (size_t i = 0; i < TABLES; i++) {
		tables[i].backend.ops = &store_ops;
		const struct flights_config config = {
			.clock = &test_clock,
			.max_waiting = CLIENTS,
			.backend = &tables[i].backend,
		};
		tables[i].flights = flights_create(&config);
		cr_assert(tables[i].flights);
	}
	for (size_t i = 0; i < CLIENTS; i++)
		plan(now_us + up_to(4 * US_PER_S), start, &clients[i]);
	run();
	for (size_t i = 0; i < TABLES; i++) {
		size_t waiting, leases;

		flights_count(tables[i].flights, &waiting, &leases);
		cr_expect_eq(waiting, 0);
		cr_expect_eq(leases, 0);
		flights_destroy(tables[i].flights);
	}
	cr_expect(grants > VISITS / 50 && hits > VISITS / 20 && misses > 0 && failures > 0,
		  "%u grants, %u hits, %u misses, %u failures", grants, hits, misses, failures);
}
