/* What the system knows of this process. */
#ifndef STEADYCACHE_SERVER_PROCESS_H
#define STEADYCACHE_SERVER_PROCESS_H

#include "handlers/respond/figures.h"

/* From /proc, without waiting for a disk. Any thread. */
void process_read(struct process_figures *ret);

#endif
