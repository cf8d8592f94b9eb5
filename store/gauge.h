/* Gauges: what a backend reports of itself besides the statistics of its namespaces, for /stats and
 * /metrics. A module lists its own, one row a line. */
#ifndef STEADYCACHE_STORE_GAUGE_H
#define STEADYCACHE_STORE_GAUGE_H

#include <stdbool.h>

/* A figure that a backend reports of itself. */
struct backend_gauge {
	const char *group; /* static, e.g. "upstream"; gauges of a group are adjacent */
	const char *name;  /* static, snake_case, unit at the end */
	double value;
	const char *text; /* static; if it is not NULL it replaces the number */
	const char *help; /* static, one sentence */
	bool counts;      /* only grows, from 0 when the backend is opened */
	/* Which of several backends reports it, as cache_branch.name; gauges of one are adjacent,
	 * and each may have groups of the same names. NULL: there is one. */
	const char *backend;
};
/* Of one backend, its layers included. */
#define BACKEND_GAUGES_MAX 64

/* Rows: a figure that rises and falls, and one that only grows. */
#define GAUGE_LEVEL(a_group, a_name, a_value, a_help)                                              \
	{                                                                                          \
		.group = (a_group), .name = (a_name), .value = (double)(a_value), .help = (a_help) \
	}
#define GAUGE_COUNTER(a_group, a_name, a_value, a_help)                                            \
	{                                                                                          \
		.group = (a_group), .name = (a_name), .value = (double)(a_value),                  \
		.help = (a_help), .counts = true                                                   \
	}

#endif
