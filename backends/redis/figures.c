#include "backends/redis/figures.h"

#include <string.h>

size_t redis_figures_gauges(const struct redis_figures *figures, bool is_cluster,
			    struct backend_gauge *ret, size_t max)
{
	static const struct backend_gauge gauges[] = {
#define X(id, the_group, the_name, does_count, the_help)                                           \
	[REDIS_FIGURE_##id] = {.group = (the_group),                                               \
			       .name = (the_name),                                                 \
			       .counts = (does_count),                                             \
			       .help = (the_help)},
		REDIS_FIGURE_MAP(X)
#undef X
	};
	size_t count = 0;

	for (size_t i = 0; i < REDIS_FIGURES && count < max; i++) {
		if (!is_cluster && strcmp(gauges[i].group, "redis_cluster") == 0)
			continue;
		ret[count] = gauges[i];
		ret[count++].value =
			(double)atomic_load_explicit(&figures->values[i], memory_order_relaxed);
	}
	return count;
}
