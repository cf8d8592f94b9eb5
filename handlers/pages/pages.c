/* /docs, /ui, /assets/{key}: the pages, from the program itself, for everybody who asks. Their data
 * come from the API, which asks for the token. */
#include "handlers/handlers.h"
#include "handlers/pages/page_files.h"
#include "handlers/respond/accept.h"
#include "handlers/respond/error.h"

/* Only our own files are loaded and only this server is contacted; the HTML contains no script or
 * style. In /ui not even our own script can turn text into markup. The widgets of /docs, which are
 * not ours, do so (their icons are data: images). */
#define SAME_ORIGIN                                                                                \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "            \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
#define POLICY_DOCS SAME_ORIGIN "img-src 'self' data:"
#define POLICY_UI   SAME_ORIGIN "img-src 'self'; require-trusted-types-for 'script'; trusted-types"

static const struct page_file *find_file(struct slice name)
{
	for (size_t i = 0; i < page_file_count; i++)
		if (slice_equal(slice_of(page_files[i].name), name))
			return &page_files[i];
	return NULL;
}

static bool has_version(const struct request *request, const struct page_file *file)
{
	const char *line;

	/* The tag has quotes around it and none inside, so it is found only as a whole element. */
	for (size_t i = 0; (line = request_header_line(request, "If-None-Match", i)); i++)
		if (strcmp(line, "*") == 0 || strstr(line, file->etag))
			return true;
	return false;
}

static void add_headers(struct response *response, const struct page_file *file,
			const char *cache_control, const char *policy)
{
	response_header_static(response, "ETag", file->etag);
	response_header_static(response, "Cache-Control", cache_control);
	response_header_static(response, "Vary", "Accept-Encoding");
	response_header_static(response, "Content-Security-Policy", policy);
	response_header_static(response, "X-Content-Type-Options", "nosniff");
	response_header_static(response, "X-Frame-Options", "DENY");
	response_header_static(response, "Referrer-Policy", "no-referrer");
	response_header_static(response, "Cross-Origin-Resource-Policy", "same-origin");
	response_header_static(response, "Cross-Origin-Opener-Policy", "same-origin");
}

static enum handler_step send_file(struct request *request, struct response *response,
				   const struct page_file *file, const char *cache_control,
				   const char *policy)
{
	add_headers(response, file, cache_control, policy);
	bool packed = file->gzip && accept_quality(request, SLICE("gzip")) > 0;
	const unsigned char *begin = packed ? file->gzip : file->plain;
	const unsigned char *end = packed ? file->gzip_end : file->plain_end;

	/* A 304 has no body, but Content-Length is that of the content (RFC 9110, 8.6). */
	if (has_version(request, file)) {
		response->status = 304;
	} else {
		if (packed)
			response_header_static(response, "Content-Encoding", "gzip");
		response_header_static(response, "Content-Type", file->content_type);
	}
	response->body = BODY_STATIC;
	response->static_body =
		(struct slice){.data = (const char *)begin, .len = (size_t)(end - begin)};
	return STEP_RESPOND;
}

static enum handler_step send_page(struct request *request, struct response *response,
				   const char *name, const char *policy)
{
	const struct page_file *file = find_file(slice_of(name));

	if (file)
		return send_file(request, response, file, "no-cache", policy);
	respond_error(request, response, 404,
		      "this server was built without pages, which takes npm: see ./dev build");
	return STEP_RESPOND;
}

static enum handler_step docs_start(struct request *request, struct response *response)
{
	return send_page(request, response, "docs.html", POLICY_DOCS);
}

static enum handler_step ui_start(struct request *request, struct response *response)
{
	return send_page(request, response, "ui.html", POLICY_UI);
}

static enum handler_step assets_start(struct request *request, struct response *response)
{
	const struct page_file *file = find_file(request->key);

	/* The pages have their own paths, and no hash in their names. */
	if (file && strncmp(file->content_type, "text/html", 9) != 0)
		return send_file(request, response, file, "public, max-age=31536000, immutable",
				 POLICY_DOCS);
	respond_error(request, response, 404,
		      "there is no such file; a page that asks for it is of another version of the "
		      "server, and is to be loaded again");
	return STEP_RESPOND;
}

const struct handler handler_docs = {.start = docs_start};
const struct handler handler_ui = {.start = ui_start};
const struct handler handler_assets = {.start = assets_start};
