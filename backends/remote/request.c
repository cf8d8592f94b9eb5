#include "backends/remote/request.h"

void remote_request_add_header(struct remote_request *request, const char *name, struct slice value)
{
	buffer_append(&request->headers, slice_of(name));
	buffer_append(&request->headers, SLICE(": "));
	buffer_append(&request->headers, value);
	buffer_append_char(&request->headers, '\0');
}

const char *remote_request_next_header(const struct remote_request *request, const char *line)
{
	const char *next = line ? line + strlen(line) + 1 : request->headers.data;

	return next && next < request->headers.data + request->headers.len ? next : NULL;
}

void remote_request_deinit(struct remote_request *request)
{
	buffer_deinit(&request->headers);
	buffer_deinit(&request->body);
}
