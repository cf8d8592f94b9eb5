#include "backends/remote/transport_curl.h"

#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backends/remote/protocol.h"
#include "backends/remote/retry_after.h"
#include "backends/remote/settings.h"
#include "backends/remote/transport.h"
#include "store/backend.h"

#define US_PER_MS 1000
/* An idle connection older than this may be dead without our knowing: a request that may not be
 * repeated does not use it. */
#define TRUSTED_IDLE_S 5L
#define IDLE_S         300L
/* Handles kept for the next transfers, with their connections' memory. */
#define SPARE_HANDLES_MAX 16

/* A request: lives from the submit until it is done or dropped. */
struct transfer {
	CURL *easy;
	struct curl_transport *transport;
	struct transfer *next, *previous; /* of all that are in flight */
	struct remote_request request;
	size_t sent; /* bytes of a body that may not be repeated */
	struct remote_answer answer;
	char *url;
	struct curl_slist *headers; /* its own; NULL: the transport's */
};

struct curl_transport {
	struct remote_transport transport; /* first, because the engine gets a pointer to it */
	const struct remote_settings *settings;
	size_t answer_max_bytes;
	CURLM *multi;
	struct curl_slist *headers;
	struct transfer *first;
	CURL *spares[SPARE_HANDLES_MAX];
	size_t spare_count;
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer)
		*list = longer;
	return longer != NULL;
}

static struct curl_transport *curl_of(struct remote_transport *transport)
{
	return (struct curl_transport *)transport;
}

/* ---- libcurl's callbacks ---- */

static size_t receive_body(char *data, size_t size, size_t count, void *user)
{
	struct transfer *transfer = user;
	struct buffer *body = &transfer->answer.body;
	size_t len = size * count;

	if (body->len + len > transfer->transport->answer_max_bytes)
		return 0; /* ends the transfer with CURLE_WRITE_ERROR */
	buffer_append(body, (struct slice){.data = data, .len = len});
	return body->failed ? 0 : len;
}

static size_t send_body(char *target, size_t size, size_t count, void *user)
{
	struct transfer *transfer = user;
	size_t len = transfer->request.body.len - transfer->sent;

	if (len > size * count)
		len = size * count;
	memcpy(target, transfer->request.body.data + transfer->sent, len);
	transfer->sent += len;
	return len;
}

/* libcurl wants to restart on a new connection because the kept-alive one was dead. If bytes of a
 * request that may not be repeated have been sent, nobody knows that they were not read. */
static int refuse_to_rewind(void *user, curl_off_t offset, int origin)
{
	(void)user;
	(void)offset;
	(void)origin;
	return CURL_SEEKFUNC_FAIL;
}

/* ---- Starting ---- */

static CURL *take_handle(struct curl_transport *transport)
{
	if (transport->spare_count == 0)
		return curl_easy_init();
	CURL *easy = transport->spares[--transport->spare_count];
	curl_easy_reset(easy);
	return easy;
}

static long ms_of(int64_t us)
{
	int64_t ms = (us + US_PER_MS - 1) / US_PER_MS;

	if (ms < 1)
		return 1;
	return ms < LONG_MAX ? (long)ms : LONG_MAX;
}

/* libcurl reads a body that may be repeated; one that may not goes through send_body. */
static void set_body(struct transfer *transfer)
{
	const struct remote_request *request = &transfer->request;
	CURL *easy = transfer->easy;

	(void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN,
			       request->is_repeatable ? IDLE_S : TRUSTED_IDLE_S);
	(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	if (request->is_repeatable || request->body.len == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
				       request->body.len > 0 ? request->body.data : "");
		return;
	}
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, send_body);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, refuse_to_rewind);
}

static void set_method(struct transfer *transfer)
{
	const char *method = transfer->request.method;
	bool has_body = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;

	if (has_body || transfer->request.body.len > 0)
		set_body(transfer);
	if (strcmp(method, "HEAD") == 0)
		(void)curl_easy_setopt(transfer->easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, "POST") != 0)
		(void)curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, method);
}

static bool add_field(struct curl_slist **list, const char *name, const char *value)
{
	char line[CACHE_TRACESTATE_MAX_LEN + 32];

	if (!value)
		return true;
	(void)snprintf(line, sizeof(line), "%s: %s", name, value);
	return add_line(list, line);
}

static bool add_trace(struct curl_slist **list, const struct cache_trace *trace)
{
	return add_field(list, "X-Request-Id", trace->request_id) &&
	       add_field(list, "traceparent", trace->traceparent) &&
	       add_field(list, "tracestate", trace->tracestate);
}

/* The headers that a transfer does not share with all others, in its own list together with the
 * shared ones, because libcurl's lists cannot share their tails. False: out of memory. */
static bool add_headers(const struct curl_transport *transport, struct transfer *transfer)
{
	const struct cache_trace *trace = transfer->request.trace;
	const char *line = NULL;

	transfer->request.trace = NULL;
	if (!trace && transfer->request.headers.len == 0)
		return true;
	for (const struct curl_slist *at = transport->headers; at; at = at->next)
		if (!add_line(&transfer->headers, at->data))
			return false;
	while ((line = remote_request_next_header(&transfer->request, line)))
		if (!add_line(&transfer->headers, line))
			return false;
	return !trace || add_trace(&transfer->headers, trace);
}

static void set_options(const struct curl_transport *transport, struct transfer *transfer)
{
	const struct remote_settings *settings = transport->settings;
	int64_t connect_us = settings->connect_timeout_us < transfer->request.timeout_us
				     ? settings->connect_timeout_us
				     : transfer->request.timeout_us;
	CURL *easy = transfer->easy;

	(void)curl_easy_setopt(easy, CURLOPT_URL, transfer->url);
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
			       transfer->headers ? transfer->headers : transport->headers);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "steadycache/" STEADYCACHE_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	set_method(transfer);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms_of(connect_us));
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms_of(transfer->request.timeout_us));
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	(void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	if (settings->ca_file)
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
}

static void unlink_transfer(struct curl_transport *transport, struct transfer *transfer)
{
	if (transfer->previous)
		transfer->previous->next = transfer->next;
	else
		transport->first = transfer->next;
	if (transfer->next)
		transfer->next->previous = transfer->previous;
}

/* Frees a transfer that is not in the multi handle any more. */
static void free_transfer(struct curl_transport *transport, struct transfer *transfer)
{
	if (transfer->easy && transport->spare_count < SPARE_HANDLES_MAX)
		transport->spares[transport->spare_count++] = transfer->easy;
	else if (transfer->easy)
		curl_easy_cleanup(transfer->easy);
	remote_request_deinit(&transfer->request);
	buffer_deinit(&transfer->answer.body);
	curl_slist_free_all(transfer->headers);
	free(transfer->url);
	free(transfer);
}

/* remote_transport_ops.submit */
static bool submit(struct remote_transport *of, struct remote_request *request)
{
	struct curl_transport *transport = curl_of(of);
	struct transfer *transfer = calloc(1, sizeof(*transfer));

	if (!transfer) {
		remote_request_deinit(request);
		return false;
	}
	transfer->transport = transport;
	transfer->request = *request;
	request->headers = request->body = (struct buffer){0};
	transfer->easy = take_handle(transport);
	if (!transfer->easy || !add_headers(transport, transfer) ||
	    asprintf(&transfer->url, "%s%s", transport->settings->base_url, request->path) < 0) {
		transfer->url = NULL;
		free_transfer(transport, transfer);
		return false;
	}
	set_options(transport, transfer);
	if (curl_multi_add_handle(transport->multi, transfer->easy) != CURLM_OK) {
		free_transfer(transport, transfer);
		return false;
	}
	transfer->next = transport->first;
	if (transport->first)
		transport->first->previous = transfer;
	transport->first = transfer;
	return true;
}

/* ---- Ending ---- */

static enum remote_failure failure_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return FAILURE_NONE;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_INTERFACE_FAILED:
		return FAILURE_CONNECT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return FAILURE_TLS;
	case CURLE_OPERATION_TIMEDOUT:
		return FAILURE_TIMEOUT;
	case CURLE_WRITE_ERROR: /* larger than we accept */
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* the other side does not speak HTTP/1 or 2 */
		return FAILURE_BAD_ANSWER;
	default:
		return FAILURE_RESET;
	}
}

/* Whether the server may have read bytes of the request. */
static bool may_have_reached(CURL *easy, enum remote_failure failure)
{
	long request_bytes = 0;

	if (failure == FAILURE_CONNECT || failure == FAILURE_TLS)
		return false;
	return curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes) != CURLE_OK ||
	       request_bytes > 0;
}

/* remote_answer.header */
static const char *header_of(const struct remote_answer *answer, const char *name)
{
	const struct transfer *transfer = answer->source;
	struct curl_header *header = NULL;

	if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

static void end_transfer(struct curl_transport *transport, CURL *easy, CURLcode code)
{
	struct transfer *transfer = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
	struct remote_answer *answer = &transfer->answer;

	answer->failure = failure_of(code);
	answer->reached = may_have_reached(easy, answer->failure);
	if (answer->failure == FAILURE_TIMEOUT && !answer->reached)
		answer->failure = FAILURE_CONNECT;
	answer->retry_after_s = -1;
	answer->header = header_of;
	answer->source = transfer;
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
	const char *retry_after = header_of(answer, "Retry-After");
	if (retry_after)
		answer->retry_after_s = remote_retry_after_s(retry_after, (int64_t)time(NULL));
	(void)curl_multi_remove_handle(transport->multi, easy);
	unlink_transfer(transport, transfer);
	transfer->request.done(transfer->request.user, answer);
	free_transfer(transport, transfer);
}

static unsigned run(struct curl_transport *transport)
{
	const CURLMsg *message;
	unsigned ended = 0;
	int count = 0;

	(void)curl_multi_perform(transport->multi, &count);
	while ((message = curl_multi_info_read(transport->multi, &count)))
		if (message->msg == CURLMSG_DONE) {
			end_transfer(transport, message->easy_handle, message->data.result);
			ended++;
		}
	return ended;
}

/* remote_transport_ops.wait */
static void wait_for_answers(struct remote_transport *of, int64_t timeout_us)
{
	struct curl_transport *transport = curl_of(of);
	int64_t ms = (timeout_us + US_PER_MS - 1) / US_PER_MS;

	if (run(transport) == 0)
		(void)curl_multi_poll(transport->multi, NULL, 0, ms < 60000 ? (int)ms : 60000,
				      NULL);
}

/* remote_transport_ops.wake */
static void wake(struct remote_transport *of)
{
	(void)curl_multi_wakeup(curl_of(of)->multi);
}

/* ---- Opening and closing ---- */

/* remote_transport_ops.close */
static void close_transport(struct remote_transport *of)
{
	struct curl_transport *transport = curl_of(of);
	struct transfer *transfer;

	while ((transfer = transport->first)) {
		(void)curl_multi_remove_handle(transport->multi, transfer->easy);
		transport->first = transfer->next;
		free_transfer(transport, transfer);
	}
	for (size_t i = 0; i < transport->spare_count; i++)
		curl_easy_cleanup(transport->spares[i]);
	if (transport->multi)
		(void)curl_multi_cleanup(transport->multi);
	curl_slist_free_all(transport->headers);
	free(transport);
}

static const struct remote_transport_ops curl_ops = {
	.submit = submit,
	.wait = wait_for_answers,
	.wake = wake,
	.close = close_transport,
};

/* No "100 Continue": it would cost a round trip. */
static bool add_shared_headers(struct curl_transport *transport, const char *const *lines)
{
	const char *authorization = transport->settings->authorization;

	for (; *lines; lines++)
		if (!add_line(&transport->headers, *lines))
			return false;
	return add_line(&transport->headers, "Expect:") &&
	       (!authorization || add_line(&transport->headers, authorization));
}

struct remote_transport *remote_transport_curl_open(const struct remote_settings *settings,
						    const struct remote_protocol *protocol,
						    void *user)
{
	(void)user;
	(void)pthread_once(&global_once, init_curl);
	struct curl_transport *transport = calloc(1, sizeof(*transport));
	if (!transport)
		return NULL;
	transport->transport.ops = &curl_ops;
	transport->settings = settings;
	transport->answer_max_bytes = protocol->answer_max_bytes;
	transport->multi = curl_multi_init();
	if (transport->multi && add_shared_headers(transport, protocol->headers)) {
		(void)curl_multi_setopt(transport->multi, CURLMOPT_PIPELINING,
					(long)CURLPIPE_MULTIPLEX);
		(void)curl_multi_setopt(transport->multi, CURLMOPT_MAXCONNECTS,
					(long)settings->max_in_flight + 2);
		return &transport->transport;
	}
	close_transport(&transport->transport);
	return NULL;
}
