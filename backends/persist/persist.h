/* The backend "memory": plain memory (backends/memory), or with --persist-every memory with a copy
 * of it in the database file of the SQLite backend. persist.c explains the latter. */
#ifndef STEADYCACHE_BACKEND_PERSIST_H
#define STEADYCACHE_BACKEND_PERSIST_H

#include "store/backend.h"

/* Opens what the settings (struct memory_settings) ask for. */
extern const struct backend_ops persist_memory_ops;

/* Memory that persists: what the ops above open with --persist-every. */
extern const struct backend_ops persist_backend_ops;

#endif
