#include "server/http/exchange_handler.h"

#include "handlers/respond/pretty.h"
#include "server/http/admit.h"
#include "server/http/exchange_query.h"

void exchange_handler_pretty(struct exchange *exchange)
{
	struct response *response = &exchange->response;

	if (!response->is_json || !exchange_query(exchange, "pretty"))
		return;
	if (response->body == BODY_STATIC) {
		buffer_append(&response->buffer, response->static_body);
		if (response->buffer.failed)
			return; /* the compact answer is an answer too */
		response->body = BODY_BUFFER;
	}
	respond_pretty(response);
	response->is_json = false;
}

bool exchange_handler_start(struct exchange *exchange)
{
	return exchange->handler->start(&exchange->request, &exchange->response) != STEP_RESPOND &&
	       admit_op(exchange);
}

void exchange_handler_answer(struct exchange *exchange)
{
	exchange->handler->finish(&exchange->request, &exchange->response);
	exchange_handler_pretty(exchange);
}
