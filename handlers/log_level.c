/* /admin/log-level: what is logged, while the server runs. */
#include "backends/base/json_out.h"
#include "handlers/json_in.h"

static enum handler_step respond_level(const struct request *request, struct response *response)
{
	const struct log_control *log = &request->context->log;
	struct buffer json = {0};

	buffer_printf(&json, "{\"level\":\"%s\",\"configured\":\"%s\"}", log->level(),
		      log->configured_level());
	response_json(response, 200, &json);
	return STEP_RESPOND;
}

static enum handler_step get_start(struct request *request, struct response *response)
{
	return respond_level(request, response);
}

static enum handler_step put_start(struct request *request, struct response *response)
{
	json_t *root = json_in_object(request, response);
	const json_t *level = json_object_get(root, "level");

	if (!root)
		return STEP_RESPOND;
	/* A name with a NUL in it ends there, and is none of those then. */
	bool changed = json_is_null(level) ||
		       (json_is_string(level) &&
			strlen(json_string_value(level)) == json_string_length(level));
	changed = changed && request->context->log.change_level(json_string_value(level));
	json_decref(root);
	if (changed)
		return respond_level(request, response);
	respond_error(
		request, response, 400,
		"\"level\" must be \"debug\", \"info\", \"warn\" or \"error\", or null for the "
		"level that the server was started with");
	return STEP_RESPOND;
}

const struct handler log_level_get_handler = {.start = get_start};
const struct handler log_level_put_handler = {.start = put_start};
