/* What is done with one object of a directory: object_store_ops. */
#ifndef STEADYCACHE_LARGE_DIR_OBJECTS_H
#define STEADYCACHE_LARGE_DIR_OBJECTS_H

#include "backends/large/dir_state.h"

void dir_objects_put(struct object_store *store, struct object_request *request);
void dir_objects_open(struct object_store *store, struct object_request *request);
void dir_objects_remove(struct object_store *store, struct object_request *request);

#endif
