#include "handlers/respond/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json_out.h"
#include "base/utf8.h"
#include "handlers/respond/status.h"

static const char *title_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *title;
	} titles[] = {
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{409, "Conflict"},
		{411, "Length Required"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{505, "HTTP Version Not Supported"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{507, "Insufficient Storage"},
	};

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

void respond_problem_append(struct buffer *json, unsigned status, struct slice detail)
{
	json_out_raw(json, "\"type\":\"about:blank\",\"title\":");
	json_out_string(json, slice_of(title_of(status)));
	buffer_printf(json, ",\"status\":%u,\"detail\":", status);
	json_out_string(json, detail);
	json_out_raw(json, ",\"error\":");
	json_out_string(json, detail);
}

void respond_problem(struct response *response, unsigned status, struct buffer *json)
{
	response_json(response, status, json);
	response->headers[response->header_count - 1].value = "application/problem+json";
}

/* Of a title, as in "not_found". */
static char code_char(char character)
{
	if (character == ' ')
		return '_';
	if (character >= 'A' && character <= 'Z')
		return (char)(character + 'a' - 'A');
	return character;
}

static void append_turborepo(struct buffer *json, unsigned status, struct slice detail)
{
	json_out_raw(json, "{\"error\":{\"code\":\"");
	for (const char *at = title_of(status); *at; at++)
		buffer_append_char(json, code_char(*at));
	json_out_raw(json, "\",\"message\":");
	json_out_string(json, detail);
	json_out_raw(json, "}}");
}

static void respond_detail(const struct request *request, struct response *response,
			   unsigned status, struct slice detail)
{
	struct buffer json = {0};

	/* A formatted sentence may have cut a character of the user's in two. */
	while (detail.len > 0 && !utf8_is_valid(detail))
		detail.len--;
	if (request->error_style == ERROR_D1) {
		json_out_raw(&json, "{\"error\":");
		json_out_string(&json, detail);
		json_out_raw(&json, "}");
		response_json(response, status, &json);
		return;
	}
	if (request->error_style == ERROR_TURBOREPO) {
		append_turborepo(&json, status, detail);
		response_json(response, status, &json);
		return;
	}
	json_out_raw(&json, "{");
	respond_problem_append(&json, status, detail);
	json_out_raw(&json, "}");
	respond_problem(response, status, &json);
}

void respond_error(const struct request *request, struct response *response, unsigned status,
		   const char *format, ...)
{
	char detail[512];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	if (len < 0)
		len = 0;
	else if ((size_t)len >= sizeof(detail))
		len = (int)sizeof(detail) - 1;
	respond_detail(request, response, status,
		       (struct slice){.data = detail, .len = (size_t)len});
}

bool respond_key_fits(const struct request *request, struct response *response)
{
	if (request->key.len <= request->context->max_key_bytes)
		return true;
	respond_error(request, response, 414,
		      "the key has %zu bytes; the server takes up to %zu (STEADYCACHE_MAX_KEY_KB)",
		      request->key.len, request->context->max_key_bytes);
	return false;
}

unsigned respond_retry_after_s(const struct cache_op *op)
{
	if (op->retry_after_s > 0)
		return op->retry_after_s;
	return status_http(op->status) == 503 ? 1 : 0;
}

void respond_op_failure(const struct request *request, struct response *response)
{
	const struct cache_op *op = &request->op;
	const char *detail = op->detail ? op->detail : status_text(op->status);
	unsigned status = status_http(op->status);

	if (respond_retry_after_s(op) > 0)
		response_header_printf(response, "Retry-After", "%u", respond_retry_after_s(op));
	respond_detail(request, response, status, slice_of(detail));
}
