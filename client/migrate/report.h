/* What is said of single entries, on stderr: the first few, and then no more. Any thread. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_REPORT_H
#define STEADYCACHE_CLIENT_MIGRATE_REPORT_H

#include <stdint.h>

#include "base/slice.h"

#define MIGRATE_REPORTED_MAX 20

/* "NS KEY: sentence", escaped. */
void migrate_report_entry(const char *ns, struct slice key, const char *sentence);
/* How many were left out. */
uint64_t migrate_reported_beyond(void);

#endif
