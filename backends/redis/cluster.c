#include "backends/redis/cluster.h"

#include <stdlib.h>

#include "backends/redis/cluster_state.h"
#include "backends/redis/figures.h"
#include "backends/redis/node_state.h"
#include "backends/redis/route.h"
#include "backends/redis/slot_map.h"
#include "backends/redis/verdict.h"
#include "base/clock.h"

/* So often a request is sent on at once before it pauses. */
#define REDIRECTS_MAX 8

/* ---- What becomes of requests ---- */

static void finish(struct redis_cluster *cluster, struct redis_node *node,
		   struct redis_exchange *exchange)
{
	struct redis_gate *gate = redis_route_scout_is_back(cluster, exchange);
	bool reached = false, is_error = false;

	redis_route_uncount(cluster, exchange);
	for (unsigned i = 0; i < exchange->request.replies; i++) {
		reached |= !redis_verdict_is_refusal(&exchange->replies[i]);
		is_error |= exchange->replies[i].kind == REPLY_ERROR;
	}
	redis_exchange_end(exchange, FAILURE_NONE, reached,
			   is_error && redis_route_others_answer(cluster, node));
	if (gate)
		redis_route_open_gate(cluster, gate);
}

/* Sends on, to the node that the redirect names. False: it cannot be. */
static bool send_on(struct redis_cluster *cluster, struct redis_node *node,
		    const struct redis_redirect *redirect, struct redis_exchange *exchange)
{
	struct redis_node *target = redis_members_get(&cluster->members, redirect->host,
						      node->address.host, redirect->port);
	struct redis_slot *slot = &cluster->slots[redirect->slot];

	redis_figures_add(cluster->config->figures,
			  redirect->kind == REDIRECT_ASK ? REDIS_FIGURE_ASKED : REDIS_FIGURE_MOVED,
			  1);
	if (!target)
		return false;
	if (redirect->kind == REDIRECT_MOVED) {
		slot->owner = target;
		redis_slot_map_add_master(target, monotonic_now_us());
	}
	if (++exchange->redirects > REDIRECTS_MAX)
		return false;
	if (redirect->kind == REDIRECT_ASK) {
		redis_route_give(target, exchange);
		return true;
	}
	/* What was sent behind it comes back behind it. */
	if (exchange->request.lane > 0 && !exchange->is_scout)
		return false;
	redis_route_uncount(cluster, exchange);
	redis_route_give_to_owner(slot, exchange);
	return true;
}

static bool redirect(struct redis_cluster *cluster, struct redis_node *node,
		     struct redis_exchange *exchange)
{
	struct redis_redirect to = {.kind = REDIRECT_NONE};

	for (unsigned i = 0; i < exchange->got && to.kind == REDIRECT_NONE; i++) {
		const struct redis_reply *reply = redis_exchange_reply(exchange, i);

		if (reply)
			to = redis_redirect_read(reply);
	}
	cluster->is_old |= to.is_map_old;
	if (to.kind == REDIRECT_NONE || (exchange->request.route == 0 && to.kind == REDIRECT_LATER))
		return false;
	/* The host is in a reply, which goes with the command that is sent again. */
	struct buffer host = {0};
	buffer_append(&host, to.host);
	to.host = buffer_bytes(&host);
	if (to.kind != REDIRECT_LATER && exchange->request.route != to.slot + 1) {
		redis_route_uncount(cluster, exchange);
		(void)redis_route_scout_is_back(cluster, exchange);
		exchange->request.route = to.slot + 1;
	}
	if (!host.failed &&
	    redis_exchange_again(exchange, redis_redirect_is_one, to.kind == REDIRECT_ASK)) {
		bool is_first = exchange->redirects == 0;

		if (to.kind == REDIRECT_LATER || !send_on(cluster, node, &to, exchange))
			redis_route_hold_back(cluster, exchange, to.reason,
					      to.kind != REDIRECT_MOVED || !is_first);
		buffer_deinit(&host);
		return true;
	}
	buffer_deinit(&host);
	return false;
}

/* redis_node_events.answered */
static void answered(void *user, struct redis_node *node, struct redis_exchange *exchange)
{
	struct redis_cluster *cluster = user;

	if (exchange->kind == EXCHANGE_SLOTS) {
		redis_slot_map_read(cluster, node, exchange);
		redis_exchange_free(exchange);
	} else if (!redirect(cluster, node, exchange)) {
		finish(cluster, node, exchange);
	}
}

/* Whether a node that refuses will do so no longer by itself. */
static bool is_passing(struct slice refusal)
{
	return refusal.len == 0 || slice_starts_with(refusal, SLICE("LOADING")) ||
	       slice_starts_with(refusal, SLICE("MASTERDOWN"));
}

static bool is_undone(const struct redis_reply *reply)
{
	(void)reply;
	return true;
}

static void end_failed(struct redis_cluster *cluster, struct redis_node *node,
		       struct redis_exchange *exchange, enum remote_failure failure,
		       struct slice refusal)
{
	struct redis_gate *gate = redis_route_scout_is_back(cluster, exchange);
	bool is_partial = redis_route_others_answer(cluster, node);

	redis_route_uncount(cluster, exchange);
	if (gate)
		redis_gates_pause(&cluster->gates, gate, gate->reason, monotonic_now_us());
	if (refusal.len > 0)
		redis_route_refuse(cluster, exchange, refusal, is_partial);
	else
		redis_route_end(cluster, exchange, failure, is_partial);
}

/* redis_node_events.failed */
static void failed(void *user, struct redis_node *node, struct redis_exchange *exchange,
		   enum remote_failure failure, struct slice refusal)
{
	struct redis_cluster *cluster = user;

	if (exchange->kind == EXCHANGE_SLOTS) {
		redis_exchange_free(exchange);
		redis_slot_map_failed(cluster, failure, refusal);
		return;
	}
	cluster->is_old = true;
	if (exchange->is_late || exchange->sent > 0 || failure == FAILURE_TLS ||
	    !is_passing(refusal)) {
		end_failed(cluster, node, exchange, failure, refusal);
	} else if (exchange->is_scout || exchange->is_asking) {
		if (redis_exchange_again(exchange, is_undone, false))
			redis_route_hold_back(cluster, exchange, "TRYAGAIN", true);
		else
			end_failed(cluster, node, exchange, failure, refusal);
	} else {
		redis_route_uncount(cluster, exchange);
		redis_route_carry(cluster, exchange, false);
	}
}

static const struct redis_node_events events = {.answered = answered, .failed = failed};

/* ---- Turns ---- */

void redis_cluster_carry(struct redis_cluster *cluster, struct redis_exchange *exchange)
{
	redis_route_carry(cluster, exchange, true);
}

bool redis_cluster_prepare(struct redis_cluster *cluster, int64_t now_us)
{
	struct redis_exchange *exchange;

	cluster->has_ended = false;
	while ((exchange = redis_exchange_list_pop(&cluster->refused)))
		redis_route_refuse(cluster, exchange, slice_of(exchange->refusal),
				   strcmp(exchange->refusal, REDIS_ERROR_NODE) != 0 ||
					   redis_route_others_answer(cluster, NULL));
	redis_route_end_late(cluster, &cluster->waiting,
			     cluster->is_mapped ? SLICE("CLUSTERDOWN") : (struct slice){0}, now_us);
	redis_members_retire(&cluster->members, now_us);
	if (redis_slot_map_is_wanted(cluster, now_us) && !cluster->is_asked_for &&
	    now_us >= cluster->look_us)
		redis_slot_map_ask(cluster, now_us);
	redis_route_try_gates(cluster, now_us);
	for (size_t i = 0; i < cluster->members.count; i++)
		redis_node_prepare(cluster->members.list[i], now_us);
	return cluster->has_ended || cluster->refused.first;
}

void redis_cluster_sum(const struct redis_cluster *cluster, struct redis_node_sum *sum)
{
	for (size_t i = 0; i < cluster->members.count; i++)
		if (cluster->members.list[i]->is_master)
			redis_node_sum(cluster->members.list[i], sum);
}

size_t redis_cluster_connections(const struct redis_cluster *cluster)
{
	return cluster->members.count * cluster->config->url->connections;
}

const struct redis_endpoint *redis_cluster_endpoint(const struct redis_cluster *cluster,
						    int64_t now_us)
{
	const struct redis_node *node = redis_members_any(&cluster->members, now_us);

	if (!node && cluster->members.count > 0)
		node = cluster->members.list[0];
	return node ? &node->endpoint : NULL;
}

bool redis_cluster_has(const struct redis_cluster *cluster, const struct redis_address *address)
{
	bool has_others = false;

	for (size_t i = 0; i < cluster->members.count; i++) {
		const struct redis_node *node = cluster->members.list[i];

		if (!node->is_master)
			continue;
		if (node->address.port == address->port &&
		    strcmp(node->address.host, address->host) == 0)
			return true;
		has_others = true;
	}
	return !has_others;
}

static int64_t first_limit_us(const struct redis_exchange_list *list)
{
	int64_t limit_us = INT64_MAX;

	for (const struct redis_exchange *at = list->first; at; at = at->next)
		limit_us = earlier_us(limit_us, at->limit_us);
	return limit_us;
}

int64_t redis_cluster_poll(const struct redis_cluster *cluster, struct pollfd *ret, int64_t now_us)
{
	int64_t until_us = first_limit_us(&cluster->waiting);
	size_t at = 0;

	for (const struct redis_gate *gate = cluster->gates.first; gate; gate = gate->next) {
		until_us = earlier_us(until_us, first_limit_us(&gate->held));
		if (redis_route_may_try(cluster, gate))
			until_us = earlier_us(until_us, gate->due_us);
	}
	for (size_t i = 0; i < cluster->members.count; i++) {
		const struct redis_node *node = cluster->members.list[i];

		until_us = earlier_us(until_us, redis_node_poll(node, ret + at, now_us));
		/* It may hang by then, or be one that may go. */
		if (!redis_node_is_idle(node) || !node->is_master)
			until_us = earlier_us(until_us, now_us + US_PER_S);
		at += node->count;
	}
	if (redis_slot_map_is_wanted(cluster, now_us) && !cluster->is_asked_for)
		until_us = earlier_us(until_us, cluster->look_us);
	return until_us;
}

void redis_cluster_go_on(struct redis_cluster *cluster, const struct pollfd *polled)
{
	/* New ones, which have nothing to go on with, may come while this runs. */
	size_t count = cluster->members.count, at = 0;

	for (size_t i = 0; i < count; i++) {
		struct redis_node *node = cluster->members.list[i];

		redis_node_go_on(node, polled + at);
		at += node->count;
	}
}

/* ---- Making and freeing ---- */

struct redis_cluster *redis_cluster_create(struct redis_node_config *config, int64_t timeout_us)
{
	struct redis_cluster *cluster = calloc(1, sizeof(*cluster));

	if (!cluster)
		return NULL;
	config->events = &events;
	config->user = cluster;
	cluster->config = config;
	cluster->timeout_us = timeout_us;
	redis_figures_set(config->figures, REDIS_FIGURE_SLOTS_UNSERVED, REDIS_SLOTS);
	cluster->gates.random = (uint64_t)monotonic_now_us() ^ (uint64_t)(uintptr_t)cluster;
	redis_exchange_list_init(&cluster->waiting);
	redis_exchange_list_init(&cluster->refused);
	if (!redis_members_init(&cluster->members, config)) {
		redis_cluster_free(cluster);
		return NULL;
	}
	return cluster;
}

void redis_cluster_free(struct redis_cluster *cluster)
{
	struct redis_exchange_list held;

	if (!cluster)
		return;
	redis_members_deinit(&cluster->members);
	while (cluster->gates.first) {
		redis_gates_open(&cluster->gates, cluster->gates.first, &held);
		redis_exchange_list_drop(&held);
	}
	redis_exchange_list_drop(&cluster->waiting);
	redis_exchange_list_drop(&cluster->refused);
	free(cluster);
}
