/* How the layer gets to know the settings of a namespace: it asks for its statistics. */
#ifndef STEADYCACHE_PACKED_PACKED_LEARN_H
#define STEADYCACHE_PACKED_PACKED_LEARN_H

#include "backends/packed/packed_state.h"

/* Continues an op with what is known then: enum space_state. */
typedef void packed_learn_go_on(struct packed *packed, struct cache_op *op, unsigned state);

/* Asks for the settings of `space`. `op` waits for the answer, with which `go_on` is called; NULL:
 * nobody waits. If there is no answer, the settings count as the defaults for a while. */
void packed_learn_settings(struct packed *packed, struct space *space, struct cache_op *op,
			   packed_learn_go_on *go_on);

/* Whether it is time to ask again for what others may change. */
bool packed_learn_is_due(struct space *space);

/* Waits for the answers that are under way. */
void packed_learn_end(struct packed *packed);

#endif
