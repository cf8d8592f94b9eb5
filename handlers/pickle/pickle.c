/* POST /pickle: what a value of SteadyText's is, for people. Nothing is stored, and nothing of the
 * pickle is executed. */
#include <strings.h>

#include "base/json_out.h"
#include "handlers/handlers.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"
#include "pickle/view.h"

/* A value that a person looks at. */
#define BODY_MAX_BYTES (UINT32_C(8) << 20)
#define TEXT_MAX_BYTES (UINT32_C(256) << 10)
/* Of the graph of one pickle. */
#define MEMORY_MAX_BYTES (UINT32_C(64) << 20)

/* Whether the client asks for the text alone. The server passes on no Accept that does not begin
 * so (server/http/head_scan.c). */
static bool wants_text(const struct request *request)
{
	const char *accept = request_header(request, "Accept");

	return accept && strncasecmp(accept, "text/plain", strlen("text/plain")) == 0;
}

static void respond_failure(const struct request *request, struct response *response,
			    const struct pickle_error *error)
{
	if (error->is_memory)
		respond_error(request, response, status_http(CACHE_NO_MEMORY), "%s",
			      status_text(CACHE_NO_MEMORY));
	else
		respond_error(
			request, response, 422,
			"the value is neither a pickle nor base64 of one: %s (at byte %llu of the "
			"pickle)",
			error->text, (unsigned long long)error->offset);
}

/* Takes the text over. */
static void respond_view(const struct request *request, struct response *response,
			 struct pickle_view *view)
{
	struct buffer json = {0};

	response_header_static(response, "X-Content-Type-Options", "nosniff");
	if (wants_text(request)) {
		response_json(response, 200, &view->text);
		response->headers[response->header_count - 1].value = "text/plain; charset=UTF-8";
		response->is_json = false;
		return;
	}
	json_out_raw(&json, "{\"type\":");
	json_out_string(&json, slice_of(view->type));
	json_out_raw(&json, ",\"text\":");
	json_out_string(&json, buffer_bytes(&view->text));
	buffer_printf(&json, ",\"cut\":%s,\"bytes\":%zu}", view->is_cut ? "true" : "false",
		      view->pickle_len);
	response_json(response, 200, &json);
}

static enum handler_step view_start(struct request *request, struct response *response)
{
	const struct pickle_limits limits = {.memory_bytes = MEMORY_MAX_BYTES};
	struct pickle_view view = {.max_bytes = TEXT_MAX_BYTES};
	struct slice body = request_body(request);
	struct pickle_error error;

	if (body.len == 0)
		respond_error(request, response, 400,
			      "the body is empty; send the value of an entry as the body");
	else if (body.len > BODY_MAX_BYTES)
		respond_error(request, response, 413,
			      "the value has %zu bytes; up to %u are shown "
			      "(`steadycache get --pickle` shows longer ones)",
			      body.len, BODY_MAX_BYTES);
	else if (!pickle_view_value(body, &limits, &view, &error))
		respond_failure(request, response, &error);
	else
		respond_view(request, response, &view);
	buffer_deinit(&view.text);
	return STEP_RESPOND;
}

const struct handler handler_pickle_view = {.start = view_start, .is_heavy = true};
