/* What Python does with the keys of dicts and the elements of sets: refuses those that cannot be
 * hashed, and keeps one of equal ones. */
#ifndef STEADYCACHE_PICKLE_READ_KEYS_H
#define STEADYCACHE_PICKLE_READ_KEYS_H

#include "pickle/read_machine.h"

/* Does so in the whole graph, in linear time. `seed` is not known to who wrote the pickle. False:
 * failed, with the offset of the key. */
bool pickle_settle_keys(struct pickle_machine *machine, uint64_t seed);

#endif
