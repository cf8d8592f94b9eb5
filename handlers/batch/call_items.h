/* The items of a batch (call.h): made from the list of its body, each key once. */
#ifndef STEADYCACHE_HANDLERS_CALL_ITEMS_H
#define STEADYCACHE_HANDLERS_CALL_ITEMS_H

#include "handlers/batch/call.h"

/* Reads the `keys` array into the op's items, each key once. */
bool call_items_read_keys(struct request *request, struct response *response);

/* The three steps of a batch, for both routes. */
enum handler_step call_items_start_get(struct request *request, struct response *response);
enum handler_step call_items_start_set(struct request *request, struct response *response);
enum handler_step call_items_start_delete(struct request *request, struct response *response);

#endif
