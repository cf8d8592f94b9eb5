/* A connection that waits, in the middle of its answer, for what is to be sent next. The library
 * does nothing with it until then. */
#ifndef STEADYCACHE_SERVER_ANSWER_PARK_H
#define STEADYCACHE_SERVER_ANSWER_PARK_H

#include "server/http/exchange_state.h"

struct answer_park {
	struct exchange_shared *shared;
	struct MHD_Connection *connection;
	_Atomic enum park_state park;
	bool parked;
};

/* Call it before something begins that ends with answer_park_wake. */
void answer_park_begin(struct answer_park *park);
/* It is over. Any thread. */
void answer_park_wake(struct answer_park *park);
/* Whether it is over already; otherwise the connection is suspended until it is. */
bool answer_park_wait(struct answer_park *park);
/* Whether the connection still waits. */
bool answer_park_is_waiting(struct answer_park *park);
/* The answer ends. */
void answer_park_end(struct answer_park *park);

#endif
