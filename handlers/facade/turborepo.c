/* What Turborepo asks for besides artifacts, which are entries (server/http/routes_turborepo.c). */
#include "handlers/handlers.h"

static enum handler_step status_start(struct request *request, struct response *response)
{
	cache_op_init(&request->op, CACHE_OP_STATS);
	response_text(response, 200, "application/json; charset=UTF-8", "{\"status\":\"enabled\"}");
	response->is_json = true;
	return STEP_RESPOND;
}

/* How often and how long, which /stats tells of all clients. */
static enum handler_step events_start(struct request *request, struct response *response)
{
	cache_op_init(&request->op, CACHE_OP_STATS);
	response_text(response, 200, "application/json; charset=UTF-8", "{}");
	response->is_json = true;
	return STEP_RESPOND;
}

const struct handler handler_turborepo_status = {.start = status_start};
const struct handler handler_turborepo_events = {.start = events_start};
