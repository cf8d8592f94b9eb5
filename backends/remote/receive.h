/* The answers to requests: what they say of the upstream, and what happens to their calls. */
#ifndef STEADYCACHE_REMOTE_RECEIVE_H
#define STEADYCACHE_REMOTE_RECEIVE_H

#include "backends/remote/request.h"

/* remote_request.done; `user` is the part (call.h) that was sent. May end its call. */
void remote_receive_answer(void *user, struct remote_answer *answer);

#endif
