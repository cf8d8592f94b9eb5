#include "backends/redis/node_carry.h"

#include "base/clock.h"

/* A connection with so much before it is full: the next one takes over. */
#define FULL_REQUESTS 64
#define FULL_BYTES    (256U << 10)
/* While a connection is in use, the server is looked at again so often. */
#define LOOK_US US_PER_S

/* ---- Choosing ---- */

static bool is_full(const struct redis_connection *connection)
{
	return connection->under_way >= FULL_REQUESTS || connection->unsent_bytes >= FULL_BYTES;
}

static bool has_lane(const struct redis_node *node, const struct redis_connection *connection)
{
	for (size_t i = 0; i < REDIS_NODE_LANES; i++)
		if (node->lanes[i] == connection)
			return true;
	return false;
}

struct redis_connection *redis_node_carry_choose(const struct redis_node *node)
{
	struct redis_connection *best = NULL;
	struct redis_connection *of_lane = NULL;

	for (size_t i = 0; i < node->count; i++) {
		struct redis_connection *each = &node->connections[i];

		if (each->state != CONNECTION_READY || each->is_retiring)
			continue;
		if (!is_full(each) && !has_lane(node, each))
			return each;
		if (!is_full(each))
			of_lane = each;
		if (!best || each->under_way < best->under_way)
			best = each;
	}
	return of_lane ? of_lane : best;
}

bool redis_node_carry_is_busy(const struct redis_node *node,
			      const struct redis_connection *connection)
{
	return is_full(connection) || has_lane(node, connection);
}

/* The same for a lane: the connection over which its requests before this one went. If that is
 * about to end, there is none until then. */
static struct redis_connection *choose_for(struct redis_node *node, unsigned lane)
{
	struct redis_connection **held;

	if (lane == 0)
		return redis_node_carry_choose(node);
	held = &node->lanes[(lane - 1) % REDIS_NODE_LANES];
	if (!*held)
		*held = redis_node_carry_choose(node);
	return *held && !(*held)->is_retiring ? *held : NULL;
}

void redis_node_carry_free_lanes(struct redis_node *node, const struct redis_connection *connection)
{
	for (size_t i = 0; i < REDIS_NODE_LANES; i++)
		if (node->lanes[i] == connection)
			node->lanes[i] = NULL;
}

/* ---- Commands of our own ---- */

/* False: out of memory. */
static bool push_own(struct redis_connection *connection, enum redis_exchange_kind kind,
		     struct remote_request *request)
{
	struct redis_exchange *exchange =
		request->body.failed ? NULL : redis_exchange_create(kind, request);

	if (exchange)
		redis_connection_push(connection, exchange);
	else
		remote_request_deinit(request);
	return exchange != NULL;
}

/* Another process of the server has never known the connections that broke, and may have given
 * their numbers to others. */
void redis_node_carry_kills(struct redis_node *node, struct redis_connection *connection)
{
	if (node->kill_count > connection->kills_told + REDIS_NODE_KILLS)
		connection->kills_told = node->kill_count - REDIS_NODE_KILLS;
	for (; connection->kills_told < node->kill_count; connection->kills_told++) {
		const struct redis_kill *kill =
			&node->kills[connection->kills_told % REDIS_NODE_KILLS];
		struct remote_request request = {0};

		if (strcmp(kill->run_id, connection->hello.run_id) != 0)
			continue;
		redis_hello_write_kill(kill->client_id, &request);
		if (!push_own(connection, EXCHANGE_KILL, &request))
			return;
	}
}

void redis_node_carry_remember(struct redis_node *node, const struct redis_connection *connection)
{
	struct redis_kill *kill = &node->kills[node->kill_count % REDIS_NODE_KILLS];
	bool has_sent = false;

	for (const struct redis_exchange *at = connection->exchanges.first; at; at = at->next)
		has_sent |= at->sent > 0;
	if (!has_sent || connection->hello.client_id == 0 || *connection->hello.run_id == '\0')
		return;
	kill->client_id = connection->hello.client_id;
	memcpy(kill->run_id, connection->hello.run_id, sizeof(kill->run_id));
	node->kill_count++;
}

/* A master may become a replica, and then has old values, without ending its connections. */
static void look_again(struct redis_connection *connection, int64_t now_us)
{
	struct remote_request request = {0};

	if (now_us < connection->looked_us + LOOK_US)
		return;
	connection->looked_us = now_us;
	redis_hello_write_look(&request);
	(void)push_own(connection, EXCHANGE_LOOK, &request);
}

void redis_node_carry_script(struct redis_connection *connection)
{
	struct remote_request request = {0};

	redis_hello_write_script(connection->hello.has_functions, &request);
	(void)push_own(connection, EXCHANGE_SCRIPT, &request);
}

/* ---- Carrying ---- */

void redis_node_carry_one(struct redis_node *node, struct redis_exchange *exchange)
{
	struct redis_connection *connection = choose_for(node, exchange->request.lane);

	node->next_limit_us = earlier_us(node->next_limit_us, exchange->limit_us);
	if (!connection) {
		redis_exchange_list_insert(&node->waiting, exchange);
		return;
	}
	redis_node_carry_kills(node, connection);
	look_again(connection, monotonic_now_us());
	redis_connection_push(connection, exchange);
}

void redis_node_carry_waiting(struct redis_node *node)
{
	struct redis_exchange_list waiting;
	struct redis_exchange *exchange;

	redis_exchange_list_take(&node->waiting, &waiting);
	while ((exchange = redis_exchange_list_pop(&waiting)))
		redis_node_carry_one(node, exchange);
}
