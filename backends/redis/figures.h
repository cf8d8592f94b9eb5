/* Figures about the servers of a redis backend, for whoever runs them: gauges "redis" and, in a
 * Cluster, "redis_cluster". The I/O thread keeps them, any thread reads them. */
#ifndef STEADYCACHE_REDIS_FIGURES_H
#define STEADYCACHE_REDIS_FIGURES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "store/gauge.h"

/* id, group, name, whether it only grows, what it is. */
#define REDIS_FIGURE_MAP(X)                                                                        \
	X(SERVERS, "redis", "servers", false,                                                      \
	  "Servers in use: 1, or the masters of a Cluster that are known.")                        \
	X(SERVERS_DOWN, "redis", "servers_down", false,                                            \
	  "Those of them to which there is no connection.")                                        \
	X(CONNECTIONS, "redis", "connections", false, "Connections that are ready.")               \
	X(CONNECTS, "redis", "connects", true, "Connections that became ready.")                   \
	X(CONNECTS_FAILED, "redis", "connects_failed", true,                                       \
	  "Attempts that led to no ready connection.")                                             \
	X(COMMANDS, "redis", "commands", true, "Commands in the requests.")                        \
	X(SCRIPT_LOADS, "redis", "script_loads", true,                                             \
	  "Times that a server lacked the script and was given it.")                               \
	X(USES_TOLD, "redis", "uses_told", true, "Entries whose collected uses were told.")        \
	X(MEMORY_USED, "redis", "memory_used_bytes", false,                                        \
	  "Memory that the servers use, as they say.")                                             \
	X(MEMORY_MAX, "redis", "memory_max_bytes", false,                                          \
	  "Their maxmemory; 0 if one of them has no limit.")                                       \
	X(MEMORY_FULLEST, "redis", "memory_fullest_percent", false,                                \
	  "Used memory of the fullest server, in percent of its maxmemory; 0: no limit.")          \
	X(SLOTS_UNSERVED, "redis_cluster", "slots_unserved", false,                                \
	  "Hash slots that no known master serves.")                                               \
	X(MOVED, "redis_cluster", "moved", true, "Requests sent on because a slot has moved.")     \
	X(ASKED, "redis_cluster", "asked", true, "Requests sent on because a slot is moving.")     \
	X(HELD_BACK, "redis_cluster", "held_back", true,                                           \
	  "Times that a request had to wait for its slot to be served.")                           \
	X(MAP_READS, "redis_cluster", "map_reads", true, "Times that the slot map was read.")

enum redis_figure {
#define X(id, group, name, counts, help) REDIS_FIGURE_##id,
	REDIS_FIGURE_MAP(X)
#undef X
		REDIS_FIGURES
};

struct redis_figures {
	_Atomic int64_t values[REDIS_FIGURES];
};

/* NULL is allowed: then nothing is kept. I/O thread. */
static inline void redis_figures_add(struct redis_figures *figures, enum redis_figure id,
				     int64_t count)
{
	if (figures)
		(void)atomic_fetch_add_explicit(&figures->values[id], count, memory_order_relaxed);
}

static inline void redis_figures_set(struct redis_figures *figures, enum redis_figure id,
				     int64_t value)
{
	if (figures)
		atomic_store_explicit(&figures->values[id], value, memory_order_relaxed);
}

/* As backend_ops.gauges; those of a Cluster only if it is one. Any thread. */
size_t redis_figures_gauges(const struct redis_figures *figures, bool is_cluster,
			    struct backend_gauge *ret, size_t max);

#endif
