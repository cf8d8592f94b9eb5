#include "backends/redis/route.h"

#include "backends/redis/figures.h"
#include "backends/redis/verdict.h"
#include "base/clock.h"

/* Requests that wait for one master, or in one gate. */
#define WAITING_MAX 128

/* ---- The end of requests ---- */

void redis_route_end(struct redis_cluster *cluster, struct redis_exchange *exchange,
		     enum remote_failure failure, bool is_partial)
{
	cluster->has_ended = true;
	redis_exchange_end(exchange, failure, exchange->sent > 0, is_partial);
}

void redis_route_refuse(struct redis_cluster *cluster, struct redis_exchange *exchange,
			struct slice text, bool is_partial)
{
	cluster->has_ended = true;
	redis_exchange_refuse(exchange, text, is_partial);
}

/* A request does not end while it is submitted. */
static void refuse_later(struct redis_cluster *cluster, struct redis_exchange *exchange,
			 const char *reason)
{
	exchange->refusal = reason;
	redis_exchange_list_push(&cluster->refused, exchange);
}

bool redis_route_others_answer(const struct redis_cluster *cluster, const struct redis_node *node)
{
	return redis_members_answer(&cluster->members, node, monotonic_now_us());
}

/* ---- Where requests go ---- */

static struct redis_slot *slot_of(struct redis_cluster *cluster,
				  const struct redis_exchange *exchange)
{
	return &cluster->slots[(exchange->request.route - 1) % REDIS_SLOTS];
}

void redis_route_give(struct redis_node *node, struct redis_exchange *exchange)
{
	node->used_us = monotonic_now_us();
	redis_node_carry(node, exchange);
}

void redis_route_give_to_owner(struct redis_slot *slot, struct redis_exchange *exchange)
{
	if (exchange->request.lane > 0) {
		slot->in_order++;
		slot->at = slot->owner;
		exchange->is_counted = true;
	}
	redis_route_give(slot->owner, exchange);
}

/* It is under way no longer. */
void redis_route_uncount(struct redis_cluster *cluster, struct redis_exchange *exchange)
{
	if (exchange->is_counted)
		slot_of(cluster, exchange)->in_order--;
	exchange->is_counted = false;
}

/* Whether a new request has to wait too long, or with too many. */
static bool is_hopeless(const struct redis_cluster *cluster, const struct redis_exchange_list *list,
			int64_t since_us)
{
	return redis_exchange_list_count(list) >= WAITING_MAX ||
	       (list->first && monotonic_now_us() - since_us >= cluster->timeout_us);
}

static void hold(struct redis_cluster *cluster, struct redis_gate *gate,
		 struct redis_exchange *exchange, bool is_new)
{
	if (is_new && gate->tries > 1 && is_hopeless(cluster, &gate->held, gate->since_us))
		refuse_later(cluster, exchange, gate->reason);
	else
		redis_exchange_list_insert(&gate->held, exchange);
}

/* Puts it where others of its slot wait, who follow when it is served. */
static void hold_at(struct redis_cluster *cluster, unsigned slot, struct redis_exchange *exchange,
		    bool is_new)
{
	struct redis_gate *gate = redis_gates_get(&cluster->gates, slot, monotonic_now_us());

	if (gate)
		hold(cluster, gate, exchange, is_new);
	else
		refuse_later(cluster, exchange, REDIS_ERROR_NODE);
}

static void carry_by_slot(struct redis_cluster *cluster, struct redis_exchange *exchange,
			  bool is_new)
{
	struct redis_slot *slot = slot_of(cluster, exchange);
	unsigned number = (unsigned)(slot - cluster->slots);
	bool is_ordered = exchange->request.lane > 0;
	struct redis_node *owner = slot->owner;

	if (is_ordered && (redis_gates_find(&cluster->gates, number) ||
			   (slot->in_order > 0 && slot->at != owner)))
		hold_at(cluster, number, exchange, is_new);
	else if (!owner && is_new && cluster->is_mapped &&
		 is_hopeless(cluster, &cluster->waiting, INT64_MAX))
		refuse_later(cluster, exchange, "CLUSTERDOWN");
	else if (!owner)
		redis_exchange_list_insert(&cluster->waiting, exchange);
	else if (is_new && owner->down_us > 0 &&
		 (is_hopeless(cluster, &owner->waiting, owner->down_us) ||
		  monotonic_now_us() - owner->down_us >= cluster->timeout_us))
		refuse_later(cluster, exchange, REDIS_ERROR_NODE);
	else
		redis_route_give_to_owner(slot, exchange);
}

void redis_route_carry(struct redis_cluster *cluster, struct redis_exchange *exchange, bool is_new)
{
	struct redis_node *any;

	if (exchange->request.route > 0) {
		carry_by_slot(cluster, exchange, is_new);
		return;
	}
	any = redis_members_any(&cluster->members, monotonic_now_us());
	if (any)
		redis_route_give(any, exchange);
	else
		redis_exchange_list_insert(&cluster->waiting, exchange);
}

static void carry_all(struct redis_cluster *cluster, struct redis_exchange_list *list)
{
	struct redis_exchange *exchange;

	while ((exchange = redis_exchange_list_pop(list)))
		redis_route_carry(cluster, exchange, false);
}

/* A scout came back. NULL: it was none. */
struct redis_gate *redis_route_scout_is_back(struct redis_cluster *cluster,
					     struct redis_exchange *exchange)
{
	struct redis_gate *gate =
		exchange->is_scout ? redis_gates_find(&cluster->gates, exchange->request.route - 1)
				   : NULL;

	exchange->is_scout = false;
	if (gate)
		gate->has_scout = false;
	return gate;
}

/* Where the owner of a slot may be another one by now. */
void redis_route_carry_again(struct redis_cluster *cluster)
{
	struct redis_exchange_list all, some;
	struct redis_exchange *exchange;

	redis_exchange_list_take(&cluster->waiting, &all);
	for (size_t i = 0; i < cluster->members.count; i++) {
		redis_node_take_waiting(cluster->members.list[i], &some);
		while ((exchange = redis_exchange_list_pop(&some))) {
			redis_route_uncount(cluster, exchange);
			(void)redis_route_scout_is_back(cluster, exchange);
			redis_exchange_list_insert(&all, exchange);
		}
	}
	carry_all(cluster, &all);
}

/* ---- Gates ---- */

void redis_route_open_gate(struct redis_cluster *cluster, struct redis_gate *gate)
{
	struct redis_exchange_list held;

	redis_gates_open(&cluster->gates, gate, &held);
	carry_all(cluster, &held);
}

/* Has a request wait that could not be served, or with `pauses` false for what is under way. */
void redis_route_hold_back(struct redis_cluster *cluster, struct redis_exchange *exchange,
			   const char *reason, bool pauses)
{
	unsigned slot = exchange->request.route - 1;
	bool was_scout = redis_route_scout_is_back(cluster, exchange) != NULL;
	int64_t now_us = monotonic_now_us();
	struct redis_gate *gate = redis_gates_get(&cluster->gates, slot, now_us);

	redis_route_uncount(cluster, exchange);
	redis_figures_add(cluster->config->figures, REDIS_FIGURE_HELD_BACK, 1);
	if (gate && pauses && (was_scout || gate->tries == 0))
		redis_gates_pause(&cluster->gates, gate, reason, now_us);
	if (gate &&
	    (was_scout || redis_exchange_list_count(&gate->held) < WAITING_MAX || gate->tries <= 1))
		redis_exchange_list_insert(&gate->held, exchange);
	else
		redis_route_refuse(cluster, exchange, slice_of(reason), true);
}

void redis_route_end_late(struct redis_cluster *cluster, struct redis_exchange_list *list,
			  struct slice reason, int64_t now_us)
{
	struct redis_exchange_list all;
	struct redis_exchange *exchange;

	redis_exchange_list_take(list, &all);
	while ((exchange = redis_exchange_list_pop(&all)))
		if (exchange->limit_us > now_us)
			redis_exchange_list_insert(list, exchange);
		else if (reason.len > 0)
			redis_route_refuse(cluster, exchange, reason, true);
		else
			redis_route_end(cluster, exchange, FAILURE_CONNECT, false);
}

/* Whether the next try of a gate waits for nothing but time. */
bool redis_route_may_try(const struct redis_cluster *cluster, const struct redis_gate *gate)
{
	const struct redis_slot *slot = &cluster->slots[gate->slot];

	return !gate->has_scout && slot->in_order == 0 && (slot->owner || !gate->held.first);
}

void redis_route_try_gates(struct redis_cluster *cluster, int64_t now_us)
{
	struct redis_gate *next;

	for (struct redis_gate *gate = cluster->gates.first; gate; gate = next) {
		next = gate->next;
		redis_route_end_late(cluster, &gate->held, slice_of(gate->reason), now_us);
		if (!redis_route_may_try(cluster, gate) ||
		    (gate->held.first && gate->due_us > now_us))
			continue;
		struct redis_exchange *scout = redis_exchange_list_pop(&gate->held);
		if (!scout) {
			redis_route_open_gate(cluster, gate);
			continue;
		}
		scout->is_scout = true;
		scout->redirects = 0;
		gate->has_scout = true;
		redis_route_give_to_owner(&cluster->slots[gate->slot], scout);
	}
}
