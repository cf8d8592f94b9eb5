/* What the near cache asks of the backend on its own: for how long entries of a namespace may be
 * unused, once in a while, as others may configure that too. */
#ifndef STEADYCACHE_TIERED_LEARN_H
#define STEADYCACHE_TIERED_LEARN_H

#include "backends/tiered/tiered_state.h"

/* Asks if it is time, at `now_us` of the clock of entries; the answer shows in `space`. It may be
 * there on return. Any thread. */
void learn_settings(struct tiered *tiered, struct near_space *space, int64_t now_us);
/* Waits for the answers. */
void learn_end(struct tiered *tiered);

#endif
