/* From a request to the operation that it asks for. */
#ifndef STEADYCACHE_LIBRARY_ASK_H
#define STEADYCACHE_LIBRARY_ASK_H

#include "library/call.h"

/* Fills call->op, but for its completion, from call->request, and copies the values of a SET. On
 * failure the status, with what is wrong in `ret_sentence`. To be released in any case. */
enum steadycache_status library_ask_fill(struct library_call *call, const char **ret_sentence);

/* Frees what it made; any answer has been taken out of the op. */
void library_ask_release(struct library_call *call);

#endif
