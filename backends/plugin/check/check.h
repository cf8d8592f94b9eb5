/* Whether a plugin does what steadycache/driver.h says: `steadycache check-plugin`.
 *
 *   check.c    the rules, one after the other, and what is told of each
 *   records.c  the records that they store, and what must be there
 *   rules.c    the rules for one process
 *   kill.c     the rule for one that is killed */
#ifndef STEADYCACHE_PLUGIN_CHECK_H
#define STEADYCACHE_PLUGIN_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Checks the plugin of `text` (plugin:..., or a path) in a folder of its own that is removed again,
 * and writes a line for each rule to `out`. False, with a sentence, if it cannot be loaded or
 * opened, its store is not empty, or it breaks a rule. Runs its code, and starts and kills
 * processes. */
bool plugin_check_run(const char *text, FILE *out, char *error, size_t error_size);

#endif
