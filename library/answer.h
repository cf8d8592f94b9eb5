/* From an operation that is done to the answer of its request. */
#ifndef STEADYCACHE_LIBRARY_ANSWER_H
#define STEADYCACHE_LIBRARY_ANSWER_H

#include "library/call.h"

/* Takes the answer out of call->op, and gives it to call->request. */
void library_answer_take(struct library_call *call);

/* The request ends without having been asked. */
void library_answer_refuse(struct steadycache_request *request, enum steadycache_status status,
			   const char *sentence);

#endif
