/* Writes a value in the order in which its own pickle made it. */
#ifndef STEADYCACHE_PICKLE_WRITE_FLAT_H
#define STEADYCACHE_PICKLE_WRITE_FLAT_H

#include "pickle/write_parts.h"

/* Writes all of the plan, whose root is `root`. False: writer->error is set. */
bool pickle_write_flat(struct pickle_writer *writer, const struct pickle_node *root);

#endif
