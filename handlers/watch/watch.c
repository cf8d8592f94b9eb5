/* GET /watch/{ns}: what happens to its entries, as it happens (watch_stream.c). */
#include <stdlib.h>
#include <string.h>

#include "base/percent.h"
#include "handlers/handlers.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"
#include "handlers/watch/watch_stream.h"

static bool read_prefix(struct request *request, struct response *response, const char *prefix,
			struct watch_stream *watch)
{
	size_t len = 0;

	if (prefix && !percent_decode(slice_of(prefix), watch->prefix, &len)) {
		respond_error(request, response, 400,
			      "\"prefix\" has a %% that two hex digits do not follow; write it as "
			      "%%25");
		return false;
	}
	watch->watcher.prefix = (struct slice){.data = watch->prefix, .len = len};
	return true;
}

static bool attach(struct request *request, struct response *response, struct watch_stream *watch)
{
	struct watch_hub *hub = request->context->watches;
	const char *last_id = request_header(request, "Last-Event-ID");
	enum watch_attached attached = WATCH_STOPPED;

	if (last_id && *last_id == '\0')
		last_id = NULL;
	if (hub)
		attached = watcher_attach(hub, request->ns, last_id, &watch->watcher,
					  &watch->is_resumed);
	watch->is_attached = attached == WATCH_ATTACHED;
	watch->has_missed = last_id && !watch->is_resumed;
	if (watch->is_attached)
		return true;
	response_header_static(response, "Retry-After", "5");
	respond_error(request, response, 503, "%s",
		      attached == WATCH_NO_MEMORY ? status_text(CACHE_NO_MEMORY)
		      : attached == WATCH_TOO_MANY
			      ? "too many clients watch already: half of the connections may "
				"(STEADYCACHE_MAX_CONNECTIONS); try again later"
			      : "the server is stopping; try again");
	return false;
}

/* Its pages ask for it with a stream reader, not as an EventSource, which could send no token. */
static void respond_stream(struct request *request, struct response *response)
{
	struct watch_stream *watch = request->state;

	request->state = NULL; /* now owned by the response */
	response_stream(response, "text/event-stream", &watch->stream);
	/* Proxies such as nginx would collect what is to be seen at once. */
	response_header_static(response, "X-Accel-Buffering", "no");
	response_header_static(response, "X-Content-Type-Options", "nosniff");
	/* As for an export: libmicrohttpd 0.9.75 would send a last chunk after the headers. */
	response->is_unframed = request->method == HTTP_HEAD;
}

/* A store that others share begins to listen to them when it is asked something; the answer does
 * not matter. */
static void ask_store(struct request *request)
{
	request->op.ns = request->ns;
	request->op.one.key = SLICE("watch");
}

static enum handler_step watch_start(struct request *request, struct response *response)
{
	const char *prefix = request_query(request, "prefix");
	struct watch_stream *watch = watch_stream_create(request->ns, prefix ? strlen(prefix) : 0);

	cache_op_init(&request->op, CACHE_OP_EXISTS);
	request->state = watch;
	if (!watch)
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
	if (!watch || !read_prefix(request, response, prefix, watch) ||
	    !attach(request, response, watch))
		return STEP_RESPOND;
	if (backend_traits_of(request->context->backend, request->ns).bits & BACKEND_NEWS) {
		ask_store(request);
		return STEP_SUBMIT;
	}
	respond_stream(request, response);
	return STEP_RESPOND;
}

static void watch_finish(struct request *request, struct response *response)
{
	respond_stream(request, response);
}

static void cleanup(struct request *request)
{
	struct watch_stream *watch = request->state;

	if (watch)
		watch_stream_close(&watch->stream);
	request->state = NULL;
}

const struct handler handler_watch = {
	.start = watch_start,
	.finish = watch_finish,
	.cleanup = cleanup,
};
