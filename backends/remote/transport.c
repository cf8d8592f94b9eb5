#include "backends/remote/transport.h"

#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backends/remote/backoff.h"

#define US_PER_MS 1000
/* An idle connection older than this may be dead without our knowing: what may not be repeated
 * does not go over it. */
#define TRUSTED_IDLE_S 5L
#define IDLE_S         300L
/* Handles kept for the next transfers, with their connections' memory. */
#define SPARE_HANDLES_MAX 16

struct remote_transfer {
	CURL *easy;
	struct remote_transfer *next, *previous; /* of all that are under way */
	struct remote_request request;
	size_t sent; /* bytes of a body that may not be repeated */
	struct remote_answer answer;
	char *url;
	struct curl_slist *headers; /* of its own; NULL: the transport's */
};

struct remote_transport {
	const struct remote_settings *settings;
	CURLM *multi;
	struct curl_slist *headers;
	struct remote_transfer *first;
	CURL *spares[SPARE_HANDLES_MAX];
	size_t spare_count;
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer)
		*list = longer;
	return longer != NULL;
}

struct remote_transport *remote_transport_open(const struct remote_settings *settings)
{
	(void)pthread_once(&global_once, init_curl);
	struct remote_transport *transport = calloc(1, sizeof(*transport));
	if (!transport)
		return NULL;
	transport->settings = settings;
	transport->multi = curl_multi_init();
	if (transport->multi && add_header(&transport->headers, "Content-Type: application/json") &&
	    add_header(&transport->headers, "Accept: application/json") &&
	    /* No "100 Continue": it would cost a round trip. */
	    add_header(&transport->headers, "Expect:") &&
	    (!settings->authorization ||
	     add_header(&transport->headers, settings->authorization))) {
		(void)curl_multi_setopt(transport->multi, CURLMOPT_PIPELINING,
					(long)CURLPIPE_MULTIPLEX);
		(void)curl_multi_setopt(transport->multi, CURLMOPT_MAXCONNECTS,
					(long)settings->max_in_flight + 2);
		return transport;
	}
	remote_transport_close(transport);
	return NULL;
}

void remote_transport_close(struct remote_transport *transport)
{
	if (!transport)
		return;
	while (transport->first)
		remote_transport_cancel(transport, transport->first);
	for (size_t i = 0; i < transport->spare_count; i++)
		curl_easy_cleanup(transport->spares[i]);
	if (transport->multi)
		(void)curl_multi_cleanup(transport->multi);
	curl_slist_free_all(transport->headers);
	free(transport);
}

/* ---- libcurl's callbacks ---- */

static size_t receive_body(char *data, size_t size, size_t count, void *user)
{
	struct remote_transfer *transfer = user;
	struct buffer *body = &transfer->answer.body;
	size_t len = size * count;

	if (body->len + len > ANSWER_MAX_BYTES)
		return 0; /* ends the transfer with CURLE_WRITE_ERROR */
	buffer_append(body, (struct slice){.data = data, .len = len});
	return body->failed ? 0 : len;
}

static size_t send_body(char *target, size_t size, size_t count, void *user)
{
	struct remote_transfer *transfer = user;
	size_t len = transfer->request.body.len - transfer->sent;

	if (len > size * count)
		len = size * count;
	memcpy(target, transfer->request.body.data + transfer->sent, len);
	transfer->sent += len;
	return len;
}

/* libcurl wants to begin again on a new connection because the kept-alive one was dead. Once bytes
 * of a request that may not be repeated have gone out, nobody knows that they were not read. */
static int refuse_to_rewind(void *user, curl_off_t offset, int origin)
{
	(void)user;
	(void)offset;
	(void)origin;
	return CURL_SEEKFUNC_FAIL;
}

/* ---- Starting ---- */

static CURL *take_handle(struct remote_transport *transport)
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

static void set_body(struct remote_transfer *transfer)
{
	const struct remote_request *request = &transfer->request;
	CURL *easy = transfer->easy;

	(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	if (request->is_repeatable) {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
		(void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_S);
		return;
	}
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, send_body);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, refuse_to_rewind);
	(void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, TRUSTED_IDLE_S);
}

static bool add_field(struct curl_slist **list, const char *name, const char *value)
{
	char line[CACHE_TRACESTATE_MAX_LEN + 32];

	if (!value)
		return true;
	(void)snprintf(line, sizeof(line), "%s: %s", name, value);
	return add_header(list, line);
}

/* A list of the transfer's own: libcurl's cannot share their tails. False: out of memory. */
static bool add_trace(const struct remote_transport *transport, struct remote_transfer *transfer)
{
	const struct cache_trace *trace = transfer->request.trace;

	transfer->request.trace = NULL;
	if (!trace)
		return true;
	for (const struct curl_slist *at = transport->headers; at; at = at->next)
		if (!add_header(&transfer->headers, at->data))
			return false;
	return add_field(&transfer->headers, "X-Request-Id", trace->request_id) &&
	       add_field(&transfer->headers, "traceparent", trace->traceparent) &&
	       add_field(&transfer->headers, "tracestate", trace->tracestate);
}

static void set_options(const struct remote_transport *transport, struct remote_transfer *transfer)
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
	set_body(transfer);
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

static void unlink_transfer(struct remote_transport *transport, struct remote_transfer *transfer)
{
	if (transfer->previous)
		transfer->previous->next = transfer->next;
	else if (transport->first == transfer)
		transport->first = transfer->next;
	if (transfer->next)
		transfer->next->previous = transfer->previous;
}

/* Frees a transfer that is not in the multi handle any more. */
static void free_transfer(struct remote_transport *transport, struct remote_transfer *transfer)
{
	if (transfer->easy && transport->spare_count < SPARE_HANDLES_MAX)
		transport->spares[transport->spare_count++] = transfer->easy;
	else if (transfer->easy)
		curl_easy_cleanup(transfer->easy);
	buffer_deinit(&transfer->request.body);
	buffer_deinit(&transfer->answer.body);
	curl_slist_free_all(transfer->headers);
	free(transfer->url);
	free(transfer);
}

struct remote_transfer *remote_transport_start(struct remote_transport *transport,
					       struct remote_request *request)
{
	struct remote_transfer *transfer = calloc(1, sizeof(*transfer));

	if (!transfer) {
		buffer_deinit(&request->body);
		return NULL;
	}
	transfer->request = *request;
	request->body = (struct buffer){0};
	transfer->easy = take_handle(transport);
	if (!transfer->easy || !add_trace(transport, transfer) ||
	    asprintf(&transfer->url, "%s%s", transport->settings->base_url, request->path) < 0) {
		transfer->url = NULL;
		free_transfer(transport, transfer);
		return NULL;
	}
	set_options(transport, transfer);
	if (curl_multi_add_handle(transport->multi, transfer->easy) != CURLM_OK) {
		free_transfer(transport, transfer);
		return NULL;
	}
	transfer->next = transport->first;
	if (transport->first)
		transport->first->previous = transfer;
	transport->first = transfer;
	return transfer;
}

void remote_transport_cancel(struct remote_transport *transport, struct remote_transfer *transfer)
{
	(void)curl_multi_remove_handle(transport->multi, transfer->easy);
	unlink_transfer(transport, transfer);
	free_transfer(transport, transfer);
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
	case CURLE_WRITE_ERROR: /* larger than we take */
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* what answers does not speak HTTP/1 or 2 */
		return FAILURE_BAD_ANSWER;
	default:
		return FAILURE_RESET;
	}
}

/* Whether bytes of the request may have been read by the server. */
static bool may_have_reached(CURL *easy, enum remote_failure failure)
{
	long request_bytes = 0;

	if (failure == FAILURE_CONNECT || failure == FAILURE_TLS)
		return false;
	return curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes) != CURLE_OK ||
	       request_bytes > 0;
}

static void end_transfer(struct remote_transport *transport, CURL *easy, CURLcode code)
{
	struct remote_transfer *transfer = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
	struct remote_answer *answer = &transfer->answer;
	struct curl_header *header = NULL;

	answer->failure = failure_of(code);
	answer->reached = may_have_reached(easy, answer->failure);
	if (answer->failure == FAILURE_TIMEOUT && !answer->reached)
		answer->failure = FAILURE_CONNECT;
	answer->retry_after_s = -1;
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
	if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		answer->retry_after_s = remote_retry_after_s(header->value, (int64_t)time(NULL));
	(void)curl_multi_remove_handle(transport->multi, easy);
	unlink_transfer(transport, transfer);
	transfer->request.done(transfer->request.user, answer);
	free_transfer(transport, transfer);
}

unsigned remote_transport_run(struct remote_transport *transport)
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

void remote_transport_wait(struct remote_transport *transport, int64_t timeout_us)
{
	int64_t ms = (timeout_us + US_PER_MS - 1) / US_PER_MS;

	(void)curl_multi_poll(transport->multi, NULL, 0, ms < 60000 ? (int)ms : 60000, NULL);
}

void remote_transport_wake(struct remote_transport *transport)
{
	(void)curl_multi_wakeup(transport->multi);
}
