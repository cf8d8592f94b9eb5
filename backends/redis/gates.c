#include "backends/redis/gates.h"

#include <stdlib.h>

#include "backends/remote/backoff.h"

#define PAUSE_MIN_US INT64_C(10000)
#define PAUSE_MAX_US INT64_C(200000)

struct redis_gate *redis_gates_find(const struct redis_gates *gates, unsigned slot)
{
	struct redis_gate *gate = gates->first;

	while (gate && gate->slot != slot)
		gate = gate->next;
	return gate;
}

struct redis_gate *redis_gates_get(struct redis_gates *gates, unsigned slot, int64_t now_us)
{
	struct redis_gate *gate = redis_gates_find(gates, slot);

	if (gate)
		return gate;
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return NULL;
	gate->slot = slot;
	gate->reason = "TRYAGAIN";
	gate->since_us = gate->due_us = now_us;
	redis_exchange_list_init(&gate->held);
	gate->next = gates->first;
	gates->first = gate;
	return gate;
}

void redis_gates_pause(struct redis_gates *gates, struct redis_gate *gate, const char *reason,
		       int64_t now_us)
{
	gate->due_us = now_us + remote_backoff_pause_us(gate->tries++, PAUSE_MIN_US, PAUSE_MAX_US,
							&gates->random);
	gate->reason = reason;
}

void redis_gates_open(struct redis_gates *gates, struct redis_gate *gate,
		      struct redis_exchange_list *ret)
{
	struct redis_gate **at = &gates->first;

	while (*at != gate)
		at = &(*at)->next;
	*at = gate->next;
	redis_exchange_list_take(&gate->held, ret);
	free(gate);
}
