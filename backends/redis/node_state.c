#include "backends/redis/node_state.h"

#include "backends/redis/node_carry.h"
#include "base/clock.h"

/* A server that has answered nothing for so long hangs. */
#define HANG_US US_PER_S

bool redis_node_may_be(const struct redis_node *node, const char *run_id)
{
	bool is_another = false;

	for (size_t i = 0; i < node->count; i++) {
		const struct redis_connection *each = &node->connections[i];

		if (each->state != CONNECTION_READY || *each->hello.run_id == '\0')
			continue;
		if (strcmp(each->hello.run_id, run_id) == 0)
			return true;
		is_another = true;
	}
	return !is_another || *run_id == '\0';
}

bool redis_node_is_ready(const struct redis_node *node)
{
	return redis_node_carry_choose(node) != NULL;
}

bool redis_node_hangs(const struct redis_node *node, int64_t now_us)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct redis_connection *each = &node->connections[i];

		if (each->state == CONNECTION_READY && each->exchanges.first &&
		    each->exchanges.first->sent > 0 && now_us - each->heard_us >= HANG_US)
			return true;
	}
	return false;
}

bool redis_node_is_idle(const struct redis_node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct redis_connection *each = &node->connections[i];

		if (each->exchanges.first ||
		    (each->state != CONNECTION_CLOSED && each->state != CONNECTION_READY))
			return false;
	}
	return !node->waiting.first;
}

void redis_node_sum(const struct redis_node *node, struct redis_node_sum *sum)
{
	sum->servers++;
	sum->down += node->down_us > 0;
	for (size_t i = 0; i < node->count; i++)
		sum->connections += node->connections[i].state == CONNECTION_READY;
	sum->memory_used += node->memory_used;
	sum->memory_max += node->memory_max;
	sum->is_unbounded |= node->memory_max == 0;
	if (node->memory_max > 0) {
		int64_t percent = node->memory_used * 100 / node->memory_max;

		sum->fullest_percent =
			percent > sum->fullest_percent ? percent : sum->fullest_percent;
	}
}
