/* The rules of driver.h that can be seen in one process. Each is true if the driver keeps it; else
 * check->why tells what it did. The driver is open before and after, but for the first, which opens
 * it. */
#ifndef STEADYCACHE_PLUGIN_CHECK_RULES_H
#define STEADYCACHE_PLUGIN_CHECK_RULES_H

#include "backends/plugin/check/records.h"

struct plugin_rule {
	const char *text;
	bool (*holds)(struct plugin_check *check);
	unsigned can; /* enum driver_can that it is about; 0: any */
};

extern const struct plugin_rule plugin_rules[];
extern const size_t plugin_rules_count;

#endif
