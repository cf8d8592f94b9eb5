/* Gauges: what a backend tells of itself beside the statistics of its namespaces, for /stats and
 * /metrics. A module lists its own, one row a line. */
#ifndef STEADYCACHE_STORE_GAUGE_H
#define STEADYCACHE_STORE_GAUGE_H

#include <stdbool.h>

/* Something that a backend tells of itself, for statistics and metrics. */
struct backend_gauge {
	const char *group; /* static, e.g. "upstream"; gauges of a group follow each other */
	const char *name;  /* static, snake_case, unit at the end */
	double value;
	const char *text; /* static; where it is not NULL it stands in place of the number */
	const char *help; /* static, one sentence */
	bool counts;      /* only ever grows, from 0 when the backend is opened */
};
#define BACKEND_GAUGES_MAX 64

/* Rows: something that rises and falls, and something that only ever grows. */
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
