/* What the writes of one entry share: their checks, and the answer of a PUT. */
#ifndef STEADYCACHE_HANDLERS_ENTRY_WRITE_H
#define STEADYCACHE_HANDLERS_ENTRY_WRITE_H

#include "handlers/respond/conditions.h"
#include "handlers/respond/request.h"

/* Initializes the op with the path's key and the conditions of the headers; `list` must live as
 * long as the op (NULL: out of memory). False: answered. */
bool entry_write_start(struct request *request, struct response *response, enum cache_op_type type,
		       struct etag_list *list);
/* The same for a PUT, with its lease, headers and parameters; all of it but the value. */
bool entry_write_start_put(struct request *request, struct response *response,
			   struct etag_list *list);
/* Checks the Lease header, if there is one. False: answered. */
bool entry_write_check_lease(const struct request *request, struct response *response,
			     const char *header);

/* The token of a Lease header, without its parameters. */
struct slice entry_write_lease_token(const char *header);

/* The answer of a PUT; its op is done. */
void entry_write_finish_put(struct request *request, struct response *response);
/* Frees request->state, and the value of a SET. */
void entry_write_cleanup(struct request *request);

/* The lease that the headers name (handler.lease). */
bool entry_write_lease(const struct request *request, struct named_lease *ret);

#endif
