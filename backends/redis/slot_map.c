#include "backends/redis/slot_map.h"

#include <stdio.h>

#include "backends/redis/command.h"
#include "backends/redis/figures.h"
#include "backends/redis/node_state.h"
#include "backends/redis/route.h"
#include "base/clock.h"

/* Between looks at the map. */
#define LOOK_MIN_US INT64_C(50000)
/* A node that does not tell it by then is not waited for. */
#define LOOK_MAX_US INT64_C(1000000)

void redis_slot_map_ask(struct redis_cluster *cluster, int64_t now_us)
{
	struct redis_node *node = redis_members_to_ask(&cluster->members, now_us);
	struct remote_request request = {0};
	struct redis_exchange *exchange;

	redis_command_begin(&request, 2);
	redis_command_word(&request, SLICE("CLUSTER"));
	redis_command_word(&request, SLICE("SLOTS"));
	exchange = redis_exchange_create(EXCHANGE_SLOTS, &request);
	cluster->look_us = now_us + LOOK_MIN_US;
	if (!exchange)
		return;
	exchange->limit_us = now_us + LOOK_MAX_US;
	cluster->is_asked_for = true;
	cluster->is_old = false;
	redis_route_give(node, exchange);
}

bool redis_slot_map_is_wanted(const struct redis_cluster *cluster, int64_t now_us)
{
	return cluster->is_old || !cluster->is_mapped || cluster->waiting.first ||
	       redis_members_are_troubled(&cluster->members, now_us);
}

struct reading {
	struct redis_cluster *cluster;
	const struct redis_node *told; /* who told it */
	int64_t now_us;
};

void redis_slot_map_add_master(struct redis_node *node, int64_t now_us)
{
	node->is_master = node->is_kept = true;
	node->used_us = now_us;
}

static void read_range(void *user, unsigned first, unsigned last, struct slice host, unsigned port)
{
	const struct reading *reading = user;
	struct redis_node *node = redis_members_get(&reading->cluster->members, host,
						    reading->told->address.host, port);

	if (node)
		redis_slot_map_add_master(node, reading->now_us);
	for (unsigned i = first; i <= last; i++)
		reading->cluster->slots[i].owner = node;
}

static void forget_map(struct redis_cluster *cluster)
{
	for (size_t i = 0; i < cluster->members.count; i++) {
		struct redis_node *node = cluster->members.list[i];

		node->was_master |= node->is_master;
		node->is_master = node->is_kept = false;
	}
	for (unsigned i = 0; i < REDIS_SLOTS; i++)
		cluster->slots[i].owner = NULL;
}

static int64_t count_unserved(const struct redis_cluster *cluster)
{
	int64_t count = 0;

	for (unsigned i = 0; i < REDIS_SLOTS; i++)
		count += cluster->slots[i].owner == NULL;
	return count;
}

/* Ends all that waits: the Cluster as a whole is away. */
static void end_waiting(struct redis_cluster *cluster)
{
	struct redis_exchange_list all, some;
	struct redis_exchange *exchange;

	redis_exchange_list_take(&cluster->waiting, &all);
	for (size_t i = 0; i < cluster->members.count; i++) {
		if (redis_node_is_ready(cluster->members.list[i]))
			continue;
		redis_node_take_waiting(cluster->members.list[i], &some);
		while ((exchange = redis_exchange_list_pop(&some)))
			redis_exchange_list_push(&all, exchange);
	}
	for (struct redis_gate *gate = cluster->gates.first; gate; gate = gate->next) {
		redis_exchange_list_take(&gate->held, &some);
		while ((exchange = redis_exchange_list_pop(&some)))
			redis_exchange_list_push(&all, exchange);
	}
	while ((exchange = redis_exchange_list_pop(&all))) {
		(void)redis_route_scout_is_back(cluster, exchange);
		redis_route_uncount(cluster, exchange);
		if (*cluster->refusal)
			redis_route_refuse(cluster, exchange, slice_of(cluster->refusal), false);
		else
			redis_route_end(cluster, exchange, cluster->failure, false);
	}
}

void redis_slot_map_failed(struct redis_cluster *cluster, enum remote_failure failure,
			   struct slice refusal)
{
	cluster->is_asked_for = false;
	cluster->is_old = true;
	cluster->failure = failure;
	(void)snprintf(cluster->refusal, sizeof(cluster->refusal), "%.*s", (int)refusal.len,
		       refusal.len > 0 ? refusal.data : "");
	if (++cluster->looks_failed < cluster->members.count)
		return;
	cluster->looks_failed = 0;
	end_waiting(cluster);
}

void redis_slot_map_read(struct redis_cluster *cluster, struct redis_node *node,
			 struct redis_exchange *exchange)
{
	struct reading reading = {.cluster = cluster, .told = node, .now_us = monotonic_now_us()};
	const struct redis_reply *reply = &exchange->replies[0];
	bool is_error = reply->kind == REPLY_ERROR;

	if (!redis_redirect_are_slots(reply)) {
		/* A node that knows none yet is as good as one that is away. */
		redis_slot_map_failed(cluster, is_error ? FAILURE_BAD_ANSWER : FAILURE_CONNECT,
				      is_error ? reply->text : SLICE("CLUSTERDOWN"));
		return;
	}
	forget_map(cluster);
	redis_redirect_each_range(reply, read_range, &reading);
	redis_figures_add(cluster->config->figures, REDIS_FIGURE_MAP_READS, 1);
	redis_figures_set(cluster->config->figures, REDIS_FIGURE_SLOTS_UNSERVED,
			  count_unserved(cluster));
	cluster->is_asked_for = false;
	cluster->is_mapped = true;
	cluster->looks_failed = 0;
	redis_route_carry_again(cluster);
}
