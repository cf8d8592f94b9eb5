#include "backends/redis/cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/redis/command.h"
#include "backends/redis/gates.h"
#include "backends/redis/members.h"
#include "backends/redis/redirect.h"
#include "backends/redis/verdict.h"
#include "base/clock.h"

/* Requests that wait for one master, or in one gate. */
#define WAITING_MAX 128
/* Between looks at the slot map. */
#define LOOK_MIN_US INT64_C(50000)
/* A node that does not tell the map by then is not waited for. */
#define LOOK_MAX_US INT64_C(1000000)
/* So often a request is sent on at once before it pauses. */
#define REDIRECTS_MAX 8

struct slot {
	struct redis_node *owner; /* NULL: unknown */
	struct redis_node *at;    /* where what has a lane is under way */
	unsigned in_order;        /* how many such are */
};

struct redis_cluster {
	struct redis_node_config *config;
	int64_t timeout_us; /* of operations */
	struct redis_members members;
	struct slot slots[REDIS_SLOTS];
	struct redis_gates gates;
	struct redis_exchange_list waiting; /* for the owner of their slot to be known */
	struct redis_exchange_list refused; /* end in the next turn */
	bool has_ended;                     /* a request, in this turn */

	/* The slot map. */
	bool is_mapped;              /* it was read once */
	bool is_old;                 /* something said so */
	bool is_asked_for;           /* a node was asked */
	int64_t look_us;             /* when it may be looked at next */
	unsigned looks_failed;       /* in a row */
	enum remote_failure failure; /* of the last of them */
	char refusal[200];           /* of the last that was refused; "": none was */
};

/* ---- The end of requests ---- */

static void end(struct redis_cluster *cluster, struct redis_exchange *exchange,
		enum remote_failure failure, bool is_partial)
{
	cluster->has_ended = true;
	redis_exchange_end(exchange, failure, exchange->sent > 0, is_partial);
}

static void refuse(struct redis_cluster *cluster, struct redis_exchange *exchange,
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

static bool others_answer(const struct redis_cluster *cluster, const struct redis_node *node)
{
	return redis_members_answer(&cluster->members, node, monotonic_now_us());
}

/* ---- Where requests go ---- */

static struct slot *slot_of(struct redis_cluster *cluster, const struct redis_exchange *exchange)
{
	return &cluster->slots[(exchange->request.route - 1) % REDIS_SLOTS];
}

static void give(struct redis_node *node, struct redis_exchange *exchange)
{
	node->used_us = monotonic_now_us();
	redis_node_carry(node, exchange);
}

static void give_to_owner(struct slot *slot, struct redis_exchange *exchange)
{
	if (exchange->request.lane > 0) {
		slot->in_order++;
		slot->at = slot->owner;
		exchange->is_counted = true;
	}
	give(slot->owner, exchange);
}

/* It is under way no longer. */
static void uncount(struct redis_cluster *cluster, struct redis_exchange *exchange)
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
	struct slot *slot = slot_of(cluster, exchange);
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
		give_to_owner(slot, exchange);
}

static void carry(struct redis_cluster *cluster, struct redis_exchange *exchange, bool is_new)
{
	struct redis_node *any;

	if (exchange->request.route > 0) {
		carry_by_slot(cluster, exchange, is_new);
		return;
	}
	any = redis_members_any(&cluster->members, monotonic_now_us());
	if (any)
		give(any, exchange);
	else
		redis_exchange_list_insert(&cluster->waiting, exchange);
}

void redis_cluster_carry(struct redis_cluster *cluster, struct redis_exchange *exchange)
{
	carry(cluster, exchange, true);
}

static void carry_all(struct redis_cluster *cluster, struct redis_exchange_list *list)
{
	struct redis_exchange *exchange;

	while ((exchange = redis_exchange_list_pop(list)))
		carry(cluster, exchange, false);
}

/* A scout came back. NULL: it was none. */
static struct redis_gate *gate_of_scout(struct redis_cluster *cluster,
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
static void carry_all_again(struct redis_cluster *cluster)
{
	struct redis_exchange_list all, some;
	struct redis_exchange *exchange;

	redis_exchange_list_take(&cluster->waiting, &all);
	for (size_t i = 0; i < cluster->members.count; i++) {
		redis_node_take_waiting(cluster->members.list[i], &some);
		while ((exchange = redis_exchange_list_pop(&some))) {
			uncount(cluster, exchange);
			(void)gate_of_scout(cluster, exchange);
			redis_exchange_list_insert(&all, exchange);
		}
	}
	carry_all(cluster, &all);
}

/* ---- Gates ---- */

static void open_gate(struct redis_cluster *cluster, struct redis_gate *gate)
{
	struct redis_exchange_list held;

	redis_gates_open(&cluster->gates, gate, &held);
	carry_all(cluster, &held);
}

/* Has a request wait that could not be served, or with `pauses` false for what is under way. */
static void hold_back(struct redis_cluster *cluster, struct redis_exchange *exchange,
		      const char *reason, bool pauses)
{
	unsigned slot = exchange->request.route - 1;
	bool was_scout = gate_of_scout(cluster, exchange) != NULL;
	int64_t now_us = monotonic_now_us();
	struct redis_gate *gate = redis_gates_get(&cluster->gates, slot, now_us);

	uncount(cluster, exchange);
	if (gate && pauses && (was_scout || gate->tries == 0))
		redis_gates_pause(&cluster->gates, gate, reason, now_us);
	if (gate &&
	    (was_scout || redis_exchange_list_count(&gate->held) < WAITING_MAX || gate->tries <= 1))
		redis_exchange_list_insert(&gate->held, exchange);
	else
		refuse(cluster, exchange, slice_of(reason), true);
}

static void end_late_of(struct redis_cluster *cluster, struct redis_exchange_list *list,
			struct slice reason, int64_t now_us)
{
	struct redis_exchange_list all;
	struct redis_exchange *exchange;

	redis_exchange_list_take(list, &all);
	while ((exchange = redis_exchange_list_pop(&all)))
		if (exchange->limit_us > now_us)
			redis_exchange_list_insert(list, exchange);
		else if (reason.len > 0)
			refuse(cluster, exchange, reason, true);
		else
			end(cluster, exchange, FAILURE_CONNECT, false);
}

/* Whether the next try of a gate waits for nothing but time. */
static bool may_try(const struct redis_cluster *cluster, const struct redis_gate *gate)
{
	const struct slot *slot = &cluster->slots[gate->slot];

	return !gate->has_scout && slot->in_order == 0 && (slot->owner || !gate->held.first);
}

static void try_gates(struct redis_cluster *cluster, int64_t now_us)
{
	struct redis_gate *next;

	for (struct redis_gate *gate = cluster->gates.first; gate; gate = next) {
		next = gate->next;
		end_late_of(cluster, &gate->held, slice_of(gate->reason), now_us);
		if (!may_try(cluster, gate) || (gate->held.first && gate->due_us > now_us))
			continue;
		struct redis_exchange *scout = redis_exchange_list_pop(&gate->held);
		if (!scout) {
			open_gate(cluster, gate);
			continue;
		}
		scout->is_scout = true;
		scout->redirects = 0;
		gate->has_scout = true;
		give_to_owner(&cluster->slots[gate->slot], scout);
	}
}

/* ---- The slot map ---- */

static void ask_for_map(struct redis_cluster *cluster, int64_t now_us)
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
	give(node, exchange);
}

static bool wants_map(const struct redis_cluster *cluster, int64_t now_us)
{
	return cluster->is_old || !cluster->is_mapped || cluster->waiting.first ||
	       redis_members_are_troubled(&cluster->members, now_us);
}

struct reading {
	struct redis_cluster *cluster;
	const struct redis_node *told; /* who told it */
	int64_t now_us;
};

static void make_master(struct redis_node *node, int64_t now_us)
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
		make_master(node, reading->now_us);
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
		(void)gate_of_scout(cluster, exchange);
		uncount(cluster, exchange);
		if (*cluster->refusal)
			refuse(cluster, exchange, slice_of(cluster->refusal), false);
		else
			end(cluster, exchange, cluster->failure, false);
	}
}

static void map_failed(struct redis_cluster *cluster, enum remote_failure failure,
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

static void map_answered(struct redis_cluster *cluster, struct redis_node *node,
			 struct redis_exchange *exchange)
{
	struct reading reading = {.cluster = cluster, .told = node, .now_us = monotonic_now_us()};
	const struct redis_reply *reply = &exchange->replies[0];
	bool is_error = reply->kind == REPLY_ERROR;

	if (!redis_redirect_are_slots(reply)) {
		/* A node that knows none yet is as good as one that is away. */
		map_failed(cluster, is_error ? FAILURE_BAD_ANSWER : FAILURE_CONNECT,
			   is_error ? reply->text : SLICE("CLUSTERDOWN"));
		return;
	}
	forget_map(cluster);
	redis_redirect_each_range(reply, read_range, &reading);
	cluster->is_asked_for = false;
	cluster->is_mapped = true;
	cluster->looks_failed = 0;
	carry_all_again(cluster);
}

/* ---- What becomes of requests ---- */

static void finish(struct redis_cluster *cluster, struct redis_node *node,
		   struct redis_exchange *exchange)
{
	struct redis_gate *gate = gate_of_scout(cluster, exchange);
	bool reached = false, is_error = false;

	uncount(cluster, exchange);
	for (unsigned i = 0; i < exchange->request.replies; i++) {
		reached |= !redis_verdict_is_refusal(&exchange->replies[i]);
		is_error |= exchange->replies[i].kind == REPLY_ERROR;
	}
	redis_exchange_end(exchange, FAILURE_NONE, reached,
			   is_error && others_answer(cluster, node));
	if (gate)
		open_gate(cluster, gate);
}

/* Sends on, to the node that the redirect names. False: it cannot be. */
static bool send_on(struct redis_cluster *cluster, struct redis_node *node,
		    const struct redis_redirect *redirect, struct redis_exchange *exchange)
{
	struct redis_node *target = redis_members_get(&cluster->members, redirect->host,
						      node->address.host, redirect->port);
	struct slot *slot = &cluster->slots[redirect->slot];

	if (!target)
		return false;
	if (redirect->kind == REDIRECT_MOVED) {
		slot->owner = target;
		make_master(target, monotonic_now_us());
	}
	if (++exchange->redirects > REDIRECTS_MAX)
		return false;
	if (redirect->kind == REDIRECT_ASK) {
		give(target, exchange);
		return true;
	}
	if (exchange->request.lane > 0 || exchange->is_scout)
		return false;
	give_to_owner(slot, exchange);
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
	if (exchange->request.route == 0)
		exchange->request.route = to.slot + 1;
	if (!host.failed &&
	    redis_exchange_again(exchange, redis_redirect_is_one, to.kind == REDIRECT_ASK)) {
		bool is_first = exchange->redirects == 0 && !exchange->is_scout;

		if (to.kind == REDIRECT_LATER || !send_on(cluster, node, &to, exchange))
			hold_back(cluster, exchange, to.reason,
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
		map_answered(cluster, node, exchange);
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
	struct redis_gate *gate = gate_of_scout(cluster, exchange);
	bool is_partial = others_answer(cluster, node);

	uncount(cluster, exchange);
	if (gate)
		redis_gates_pause(&cluster->gates, gate, gate->reason, monotonic_now_us());
	if (refusal.len > 0)
		refuse(cluster, exchange, refusal, is_partial);
	else
		end(cluster, exchange, failure, is_partial);
}

/* redis_node_events.failed */
static void failed(void *user, struct redis_node *node, struct redis_exchange *exchange,
		   enum remote_failure failure, struct slice refusal)
{
	struct redis_cluster *cluster = user;

	if (exchange->kind == EXCHANGE_SLOTS) {
		redis_exchange_free(exchange);
		map_failed(cluster, failure, refusal);
		return;
	}
	cluster->is_old = true;
	if (exchange->is_late || exchange->sent > 0 || failure == FAILURE_TLS ||
	    !is_passing(refusal)) {
		end_failed(cluster, node, exchange, failure, refusal);
	} else if (exchange->is_scout || exchange->is_asking) {
		if (redis_exchange_again(exchange, is_undone, false))
			hold_back(cluster, exchange, "TRYAGAIN", true);
		else
			end_failed(cluster, node, exchange, failure, refusal);
	} else {
		uncount(cluster, exchange);
		carry(cluster, exchange, false);
	}
}

static const struct redis_node_events events = {.answered = answered, .failed = failed};

/* ---- Turns ---- */

bool redis_cluster_prepare(struct redis_cluster *cluster, int64_t now_us)
{
	struct redis_exchange *exchange;

	cluster->has_ended = false;
	while ((exchange = redis_exchange_list_pop(&cluster->refused)))
		refuse(cluster, exchange, slice_of(exchange->refusal),
		       strcmp(exchange->refusal, REDIS_ERROR_NODE) != 0 ||
			       others_answer(cluster, NULL));
	end_late_of(cluster, &cluster->waiting,
		    cluster->is_mapped ? SLICE("CLUSTERDOWN") : (struct slice){0}, now_us);
	redis_members_retire(&cluster->members, now_us);
	if (wants_map(cluster, now_us) && !cluster->is_asked_for && now_us >= cluster->look_us)
		ask_for_map(cluster, now_us);
	try_gates(cluster, now_us);
	for (size_t i = 0; i < cluster->members.count; i++)
		redis_node_prepare(cluster->members.list[i], now_us);
	return cluster->has_ended || cluster->refused.first;
}

size_t redis_cluster_connections(const struct redis_cluster *cluster)
{
	return cluster->members.count * cluster->config->url->connections;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t first_limit_us(const struct redis_exchange_list *list)
{
	int64_t limit_us = INT64_MAX;

	for (const struct redis_exchange *at = list->first; at; at = at->next)
		limit_us = earlier(limit_us, at->limit_us);
	return limit_us;
}

int64_t redis_cluster_poll(const struct redis_cluster *cluster, struct pollfd *ret, int64_t now_us)
{
	int64_t until_us = first_limit_us(&cluster->waiting);
	size_t at = 0;

	for (const struct redis_gate *gate = cluster->gates.first; gate; gate = gate->next) {
		until_us = earlier(until_us, first_limit_us(&gate->held));
		if (may_try(cluster, gate))
			until_us = earlier(until_us, gate->due_us);
	}
	for (size_t i = 0; i < cluster->members.count; i++) {
		const struct redis_node *node = cluster->members.list[i];

		until_us = earlier(until_us, redis_node_poll(node, ret + at, now_us));
		/* It may hang by then, or be one that may go. */
		if (!redis_node_is_idle(node) || !node->is_master)
			until_us = earlier(until_us, now_us + US_PER_S);
		at += node->count;
	}
	if (wants_map(cluster, now_us) && !cluster->is_asked_for)
		until_us = earlier(until_us, cluster->look_us);
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

static void drop_all(struct redis_exchange_list *list)
{
	struct redis_exchange *exchange;

	while ((exchange = redis_exchange_list_pop(list)))
		redis_exchange_free(exchange);
}

struct redis_cluster *redis_cluster_create(struct redis_node_config *config, int64_t timeout_us)
{
	struct redis_cluster *cluster = calloc(1, sizeof(*cluster));

	if (!cluster)
		return NULL;
	config->events = &events;
	config->user = cluster;
	cluster->config = config;
	cluster->timeout_us = timeout_us;
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
	struct redis_exchange_list lists[2];

	if (!cluster)
		return;
	redis_members_deinit(&cluster->members);
	while (cluster->gates.first) {
		redis_gates_open(&cluster->gates, cluster->gates.first, &lists[0]);
		drop_all(&lists[0]);
	}
	redis_exchange_list_take(&cluster->waiting, &lists[0]);
	redis_exchange_list_take(&cluster->refused, &lists[1]);
	drop_all(&lists[0]);
	drop_all(&lists[1]);
	free(cluster);
}
