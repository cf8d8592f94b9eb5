/* /admin/log-level: what is logged, while the server runs. */
#include "base/json_out.h"
#include "handlers/handlers.h"
#include "handlers/json/json_in.h"
#include "handlers/respond/error.h"

/* More than the longest name of a level, including its NUL. */
#define LEVEL_NAME_BYTES 16

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

/* The level that the member names, "" if it names none; NULL: the level at the start. */
static const char *name_of(const struct scan_member *member, char room[static LEVEL_NAME_BYTES])
{
	struct slice name = member->string;

	if (member->kind == KIND_NULL)
		return NULL;
	room[0] = '\0';
	/* A name that contains a NUL is not a level. */
	if (member->kind == KIND_STRING && name.len < LEVEL_NAME_BYTES &&
	    !memchr(name.data, '\0', name.len)) {
		memcpy(room, name.data, name.len);
		room[name.len] = '\0';
	}
	return room;
}

static enum handler_step put_start(struct request *request, struct response *response)
{
	struct scan_member level = {.name = SLICE("level"), .type = SCAN_ANY};
	char room[LEVEL_NAME_BYTES];

	if (!json_in_read(request, response, &level, 1, NULL, NULL))
		return STEP_RESPOND;
	bool changed = level.found && request->context->log.change_level(name_of(&level, room));
	if (changed)
		return respond_level(request, response);
	respond_error(
		request, response, 400,
		"\"level\" must be \"debug\", \"info\", \"warn\" or \"error\", or null for the "
		"level that the server was started with");
	return STEP_RESPOND;
}

const struct handler handler_log_level_get = {.start = get_start};
const struct handler handler_log_level_put = {.start = put_start};
