#include "backends/routed/rules.h"

#include "backends/routed/pattern.h"

size_t routed_place_of(const struct routed_config *config, struct slice ns)
{
	size_t i = 0;

	while (i + 1 < config->rule_count &&
	       !routed_pattern_matches(slice_of(config->rules[i].pattern), ns))
		i++;
	return config->rules[i].place;
}
