#include "backends/redis/members.h"

#include <stdlib.h>
#include <strings.h>

#include "backends/redis/node_state.h"
#include "base/clock.h"
#include "base/invariant.h"

#define MEMBERS_MAX 1024
/* How long one that is no master may still answer what it was given, or be of use again. */
#define RETIRE_US US_PER_S

bool redis_members_init(struct redis_members *members, const struct redis_node_config *config)
{
	const struct redis_url *url = config->url;

	*members = (struct redis_members){.config = config};
	for (size_t i = 0; i < url->server_count; i++) {
		struct redis_node *node = redis_members_get(members, slice_of(url->servers[i].host),
							    "", url->servers[i].port);

		if (!node)
			return false;
		node->is_seed = true;
	}
	return true;
}

void redis_members_deinit(struct redis_members *members)
{
	for (size_t i = 0; i < members->count; i++)
		redis_node_free(members->list[i]);
	free(members->list);
	*members = (struct redis_members){0};
}

static bool reserve(struct redis_members *members)
{
	size_t capacity = members->capacity ? 2 * members->capacity : 8;
	struct redis_node **grown;

	if (members->count == MEMBERS_MAX)
		return false;
	if (members->count < members->capacity)
		return true;
	grown = realloc(members->list, capacity * sizeof(struct redis_node *));
	if (!grown)
		return false;
	members->list = grown;
	members->capacity = capacity;
	return true;
}

struct redis_node *redis_members_get(struct redis_members *members, struct slice host,
				     const char *fallback, unsigned port)
{
	struct redis_address address = {.port = port};
	struct redis_node *node = NULL;

	address.host = host.len > 0 ? strndup(host.data, host.len) : strdup(fallback);
	if (!address.host)
		return NULL;
	for (size_t i = 0; i < members->count && !node; i++)
		if (members->list[i]->address.port == port &&
		    strcasecmp(members->list[i]->address.host, address.host) == 0)
			node = members->list[i];
	if (!node && reserve(members)) {
		node = redis_node_create(members->config, &address);
		if (node)
			members->list[members->count++] = node;
	}
	free(address.host);
	return node;
}

/* ---- Choosing ---- */

static bool answers(const struct redis_node *node, int64_t now_us)
{
	return redis_node_is_ready(node) && !redis_node_hangs(node, now_us);
}

struct redis_node *redis_members_any(const struct redis_members *members, int64_t now_us)
{
	struct redis_node *best = NULL;

	for (size_t i = 0; i < members->count; i++) {
		struct redis_node *each = members->list[i];

		if (!each->is_master)
			continue;
		if (answers(each, now_us))
			return each;
		if (!best || (best->down_us > 0 && each->down_us == 0))
			best = each;
	}
	return best;
}

struct redis_node *redis_members_to_ask(struct redis_members *members, int64_t now_us)
{
	size_t chosen = members->count;

	INVARIANT(members->count > 0); /* the URL names one */
	for (size_t i = 1; i <= members->count && chosen == members->count; i++) {
		size_t at = (members->asked + i) % members->count;

		if (answers(members->list[at], now_us))
			chosen = at;
	}
	if (chosen == members->count)
		chosen = (members->asked + 1) % members->count;
	members->asked = chosen;
	return members->list[chosen];
}

bool redis_members_answer(const struct redis_members *members, const struct redis_node *except,
			  int64_t now_us)
{
	for (size_t i = 0; i < members->count; i++)
		if (members->list[i] != except && members->list[i]->is_master &&
		    answers(members->list[i], now_us))
			return true;
	return false;
}

bool redis_members_are_troubled(const struct redis_members *members, int64_t now_us)
{
	for (size_t i = 0; i < members->count; i++)
		if (members->list[i]->is_master &&
		    (members->list[i]->down_us > 0 || redis_node_hangs(members->list[i], now_us)))
			return true;
	return false;
}

/* ---- Leaving ---- */

/* Has it leave, if it is time: whoever waits for it hears that. True: nothing is left of it. */
static bool leave(struct redis_node *node, int64_t now_us)
{
	bool is_idle = redis_node_is_idle(node);
	bool is_over = now_us - node->used_us >= RETIRE_US ||
		       (node->was_master && redis_node_hangs(node, now_us));

	if (node->is_master || !is_over || (!is_idle && !node->was_master))
		return false;
	redis_node_break(node);
	node->was_master = false;
	return is_idle && !node->is_seed;
}

void redis_members_retire(struct redis_members *members, int64_t now_us)
{
	size_t kept = 0;

	/* Whoever hears that one leaves asks how the others are: so all are still there. */
	for (size_t i = 0; i < members->count; i++)
		members->list[i]->has_left = leave(members->list[i], now_us);
	for (size_t i = 0; i < members->count; i++) {
		struct redis_node *node = members->list[i];

		if (node->has_left && redis_node_is_idle(node))
			redis_node_free(node);
		else
			members->list[kept++] = node;
	}
	members->count = kept;
}
