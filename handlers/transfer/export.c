/* GET /export: all entries as lines (export_stream.c). */
#include "handlers/respond/status.h"
#include "handlers/transfer/export_stream.h"

#include <stdlib.h>

#include "base/percent.h"
#include "handlers/handlers.h"
#include "handlers/json/stats_json.h"
#include "handlers/respond/error.h"

static struct export *create(const struct request *request)
{
	const char *prefix = request_query(request, "prefix");
	struct export *export = calloc(1, sizeof(*export));

	if (!export)
		return NULL;
	export->stream.next = export_stream_next;
	export->stream.close = export_stream_close;
	export->context = request->context;
	cache_op_init(&export->stream.op, CACHE_OP_GET);
	cache_op_init(&export->page, CACHE_OP_SCAN);
	export->prefix = malloc(prefix ? strlen(prefix) + 1 : 1);
	if (export->prefix)
		return export;
	export_stream_close(&export->stream);
	return NULL;
}

static void cleanup(struct request *request)
{
	struct export *export = request->state;

	if (export)
		export_stream_close(&export->stream);
	request->state = NULL;
}

static bool read_query(struct request *request, struct response *response, struct export *export)
{
	const char *prefix = request_query(request, "prefix");
	const char *cursor = request_query(request, "cursor");
	const char *ns = request_query(request, "namespace");

	if (prefix && !percent_decode(slice_of(prefix), export->prefix, &export->prefix_len)) {
		respond_error(request, response, 400,
			      "\"prefix\" has a %% that two hex digits do not follow; write it as "
			      "%%25");
		return false;
	}
	if (ns && !namespace_name_is_valid(slice_of(ns))) {
		respond_error(request, response, 400,
			      "\"namespace\" must be 1 to %d letters, digits, '_', '.' or '-', and "
			      "not begin with '.' or '-'; without it all are exported",
			      NAMESPACE_MAX_LEN);
		return false;
	}
	if (cursor && *cursor != '\0') {
		enum cursor_outcome outcome = export_place_parse(&export->place, cursor);

		if (outcome == CURSOR_NO_MEMORY)
			respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
		else if (outcome == CURSOR_BAD)
			respond_error(request, response, 400,
				      "\"cursor\" must be the last cursor of an export, unchanged");
		if (outcome != CURSOR_GOOD)
			return false;
	}
	if (ns && export->place.ns[0] != '\0' && strcmp(ns, export->place.ns) != 0) {
		respond_error(request, response, 400,
			      "\"cursor\" is of an export of other namespaces; give the same "
			      "parameters as before");
		return false;
	}
	if (export->place.process_us != 0 &&
	    export->place.process_us != request->context->started_at_us) {
		respond_error(request, response, 400,
			      "\"cursor\" is of before the server was started again, and what is "
			      "in memory has another order since; export anew, without a cursor");
		return false;
	}
	request->op.ns = ns ? slice_of(ns) : (struct slice){0};
	return true;
}

/* Asks for the namespaces first, so that the status reports a backend that is down. */
static enum handler_step export_start(struct request *request, struct response *response)
{
	struct export *export = create(request);

	cache_op_init(&request->op, CACHE_OP_STATS);
	request->state = export;
	if (!export)
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
	return export && read_query(request, response, export) ? STEP_SUBMIT : STEP_RESPOND;
}

static void export_finish(struct request *request, struct response *response)
{
	struct export *export = request->state;
	const struct cache_op *op = &request->op;

	if (op->status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	stats_json_keep_usable(request);
	export->names = calloc(op->stats_count + 1, sizeof(*export->names));
	if (!export->names) {
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
		return;
	}
	for (size_t i = 0; i < op->stats_count; i++)
		if (strcmp(op->stats[i].name, export->place.ns) >= 0)
			memcpy(export->names[export->name_count++], op->stats[i].name,
			       sizeof(op->stats[i].name));
	request->state = NULL; /* now owned by the response */
	response_header_static(response, "X-Content-Type-Options", "nosniff");
	response_stream(response, "application/x-ndjson", &export->stream);
	/* libmicrohttpd 0.9.75 would send a last chunk after the headers, where the client expects
	 * the next answer. */
	response->is_unframed = request->method == HTTP_HEAD;
}

const struct handler handler_export = {
	.start = export_start,
	.finish = export_finish,
	.cleanup = cleanup,
};
