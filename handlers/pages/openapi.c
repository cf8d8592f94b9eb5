/* /openapi.yaml, /openapi.json: the description of the API, from the program itself, for everybody
 * who asks. */
#include "handlers/handlers.h"
#include "handlers/pages/openapi_files.h"
#include "handlers/respond/conditions.h"

static bool has_version(const struct request *request, const struct openapi_file *file)
{
	const char *none_match = request_header(request, "If-None-Match");
	struct etag_list list;
	struct etag etag;

	return etag_parse(slice_of(file->etag), &etag) &&
	       conditions_read_etags(request, "If-None-Match", none_match, false, &list) &&
	       conditions_match_etag(&list, &etag, ETAG_OF_VALUE);
}

static enum handler_step send(const struct request *request, struct response *response,
			      enum openapi_form form)
{
	const struct openapi_file *file = &openapi_files[form];

	response_header_static(response, "ETag", file->etag);
	/* It changes only with the program: caches may keep it, but must revalidate it each
	 * time. */
	response_header_static(response, "Cache-Control", "no-cache");
	response_header_static(response, "X-Content-Type-Options", "nosniff");
	/* A 304 has no body, but Content-Length is that of the content (RFC 9110, 8.6). */
	if (has_version(request, file))
		response->status = 304;
	else
		response_header_static(response, "Content-Type", file->content_type);
	response->body = BODY_STATIC;
	response->static_body = (struct slice){
		.data = file->begin,
		.len = (size_t)(file->end - file->begin),
	};
	return STEP_RESPOND;
}

static enum handler_step yaml_start(struct request *request, struct response *response)
{
	return send(request, response, OPENAPI_YAML);
}

static enum handler_step json_start(struct request *request, struct response *response)
{
	return send(request, response, OPENAPI_JSON);
}

const struct handler handler_openapi_yaml = {.start = yaml_start};
const struct handler handler_openapi_json = {.start = json_start};
