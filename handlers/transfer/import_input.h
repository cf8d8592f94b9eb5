/* The input of an import, line by line. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_INPUT_H
#define STEADYCACHE_HANDLERS_IMPORT_INPUT_H

#include "handlers/transfer/import_state.h"

/* A piece of the body (handler.take). */
void import_input_take(struct request *request, struct slice piece);
/* The next line without its end. False: it is not complete yet. A line that is too long is reported
 * and dropped. */
bool import_input_next(struct import *import, bool is_end, char **ret, size_t *ret_len);
/* Whether the next step takes long (handler.is_long): a line that came in many pieces is complete,
 * or a part of a large value. */
bool import_input_is_long(const struct request *request, bool is_end);

#endif
