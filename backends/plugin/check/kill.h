/* The rule that only a killed process shows: an apply is made as a whole or not at all, and what
 * was acknowledged is there. */
#ifndef STEADYCACHE_PLUGIN_CHECK_KILL_H
#define STEADYCACHE_PLUGIN_CHECK_KILL_H

#include "backends/plugin/check/records.h"

/* As a rule (rules.h), but the driver is closed before and after. Starts processes and kills them.
 */
bool plugin_kill_holds(struct plugin_check *check);

#endif
