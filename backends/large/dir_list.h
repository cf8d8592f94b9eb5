/* The listing of a directory of objects: object_store_ops.list. */
#ifndef STEADYCACHE_LARGE_DIR_LIST_H
#define STEADYCACHE_LARGE_DIR_LIST_H

#include "backends/large/dir_state.h"

void dir_list(struct object_store *store, struct object_request *request);

/* The time of the file system's clock; -1 with errno. */
int64_t dir_list_now_us(const struct dir *dir);

#endif
