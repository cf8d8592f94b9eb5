#include "client/remote.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/value_head.h"
#include "client/client.h"
#include "client/output.h"

/* An answer without a sink is a listing, statistics or an error. */
#define ANSWER_MAX_BYTES  ((size_t)256 << 20)
#define PIECE_BYTES       (256L << 10)
#define CONNECT_TIMEOUT_S 10L

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
	struct remote *remote = user;
	struct slice bytes = {.data = data, .len = size * count};
	long status = 0;

	(void)curl_easy_getinfo(remote->curl, CURLINFO_RESPONSE_CODE, &status);
	if (remote->request->sink && status >= 200 && status < 300) {
		errno = 0;
		if (remote->request->sink(remote->request->user, bytes))
			return bytes.len;
		remote->sink_failed = true;
		remote->sink_errno = errno;
		return 0;
	}
	if (remote->answer->body.len + bytes.len > ANSWER_MAX_BYTES)
		return 0;
	buffer_append(&remote->answer->body, bytes);
	return remote->answer->body.failed ? 0 : bytes.len;
}

/* The value of the header `name` (with its colon) if `line` is that; else nothing. */
static struct slice header_value(struct slice line, const char *name)
{
	size_t len = strlen(name);

	if (line.len <= len || strncasecmp(line.data, name, len) != 0)
		return (struct slice){0};
	line.data += len;
	line.len -= len;
	while (line.len > 0 && *line.data == ' ')
		line.data++, line.len--;
	while (line.len > 0 && strchr("\r\n ", line.data[line.len - 1]))
		line.len--;
	return line;
}

static long number_of(struct slice text)
{
	char digits[20];

	(void)snprintf(digits, sizeof(digits), "%.*s", (int)text.len, text.data);
	return strtol(digits, NULL, 10);
}

/* Notes a header that an entry may keep. */
static void keep_header(struct remote_answer *answer, struct slice line)
{
	char name[VALUE_HEADER_NAME_MAX_LEN + 1], label[VALUE_HEADER_NAME_MAX_LEN + 2];
	const char *colon = memchr(line.data, ':', line.len);

	if (!colon || answer->kept.len > VALUE_HEADERS_MAX_LEN ||
	    !value_head_name((struct slice){line.data, (size_t)(colon - line.data)}, name))
		return;
	(void)snprintf(label, sizeof(label), "%s:", name);
	struct slice value = header_value(line, label);
	buffer_append(&answer->kept, slice_of(name));
	buffer_append(&answer->kept, SLICE(": "));
	buffer_append(&answer->kept, value);
	buffer_append_char(&answer->kept, '\n');
}

static size_t take_header(char *data, size_t size, size_t count, void *user)
{
	static const char ttl[] = "ttl=";
	struct remote_answer *answer = ((struct remote *)user)->answer;
	struct slice line = {.data = data, .len = size * count};
	struct slice etag = header_value(line, "etag:");
	struct slice type = header_value(line, "content-type:");
	struct slice age = header_value(line, "age:");
	struct slice retry_after = header_value(line, "retry-after:");
	struct slice status = header_value(line, "cache-status:");

	if (etag.len > 0)
		(void)snprintf(answer->etag, sizeof(answer->etag), "%.*s", (int)etag.len,
			       etag.data);
	if (type.len > 0)
		(void)snprintf(answer->type, sizeof(answer->type), "%.*s", (int)type.len,
			       type.data);
	if (age.len > 0)
		answer->age_s = number_of(age);
	if (retry_after.len > 0)
		answer->retry_after_s = number_of(retry_after);
	keep_header(answer, line);
	const char *at =
		status.len > 0 ? memmem(status.data, status.len, ttl, sizeof(ttl) - 1) : NULL;
	if (at) {
		at += sizeof(ttl) - 1;
		answer->has_ttl = true;
		answer->ttl_s =
			number_of((struct slice){at, status.len - (size_t)(at - status.data)});
	}
	return size * count;
}

static size_t give_body(char *data, size_t size, size_t count, void *user)
{
	struct remote_body *body = user;
	size_t room = size * count;
	ssize_t got = 0;

	if (body->text.data) {
		got = (ssize_t)(body->text.len < room ? body->text.len : room);
		memcpy(data, body->text.data, (size_t)got);
		body->text.data += got;
		body->text.len -= (size_t)got;
	} else {
		do
			got = read(body->fd, data, room);
		while (got < 0 && errno == EINTR);
	}
	if (got < 0) {
		body->error = errno;
		return CURL_READFUNC_ABORT;
	}
	if (body->passed)
		body->passed(body->user, (struct slice){.data = data, .len = (size_t)got});
	return (size_t)got;
}

static struct curl_slist *add_header(struct curl_slist *headers, const char *line)
{
	struct curl_slist *longer = line ? curl_slist_append(headers, line) : NULL;

	return longer ? longer : headers;
}

static void prepare_body(CURL *curl, struct remote_body *body)
{
	(void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
	(void)curl_easy_setopt(curl, CURLOPT_READDATA, body);
	(void)curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, body->len);
	(void)curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, PIECE_BYTES);
}

/* Certificates: which to trust, and which to show. */
static void prepare_tls(CURL *curl)
{
	static const struct {
		const char *variable;
		CURLoption option;
	} files[] = {
		{"STEADYCACHE_CA_FILE", CURLOPT_CAINFO},
		{"STEADYCACHE_CLIENT_CERT", CURLOPT_SSLCERT},
		{"STEADYCACHE_CLIENT_KEY", CURLOPT_SSLKEY}, /* unset: in the file of the
							     * certificate */
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		const char *path = getenv(files[i].variable);

		if (path && *path)
			(void)curl_easy_setopt(curl, files[i].option, path);
	}
}

static void prepare(struct remote *remote, const struct buffer *url, struct curl_slist *headers)
{
	const struct remote_request *request = remote->request;
	CURL *curl = remote->curl;

	curl_easy_reset(curl);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url->data);
	if (remote->socket)
		(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, remote->socket);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	/* A key may contain "..", which is not a step up. */
	(void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	/* The token goes to the named server and to no other. */
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT,
			       remote->timeout_s < CONNECT_TIMEOUT_S ? remote->timeout_s
								     : CONNECT_TIMEOUT_S);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, remote->error);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "steadycache/" STEADYCACHE_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, remote);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, remote);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	prepare_tls(curl);
	if (request->body)
		prepare_body(curl, request->body);
	/* The sender of a pipe may take any time. */
	if (!request->body || request->body->len != LENGTH_UNKNOWN) {
		(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, remote->timeout_s);
	}
	(void)curl_easy_setopt(curl, CURLOPT_NOBODY,
			       strcmp(request->method, "HEAD") == 0 ? 1L : 0L);
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static CURLcode ask(struct remote *remote, const struct remote_request *request,
		    struct remote_answer *answer)
{
	struct curl_slist *headers = NULL;
	struct buffer url = {0};
	CURLcode result = CURLE_OUT_OF_MEMORY;

	remote_answer_deinit(answer);
	remote->request = request;
	remote->answer = answer;
	remote->sink_failed = false;
	remote->error[0] = '\0';
	buffer_append(&url, slice_of(remote->socket ? "http://localhost" : remote->url));
	buffer_append(&url, buffer_bytes(&request->target));
	buffer_append_char(&url, '\0');
	headers = add_header(headers, remote->authorization.data);
	for (size_t i = 0; i < REMOTE_HEADERS_MAX; i++)
		headers = add_header(headers, request->headers[i]);
	if (!url.failed && !request->target.failed && !remote->authorization.failed) {
		prepare(remote, &url, headers);
		result = curl_easy_perform(remote->curl);
		(void)curl_easy_getinfo(remote->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	}
	curl_slist_free_all(headers);
	buffer_deinit(&url);
	/* A server may answer and close before it has read everything: the answer counts. */
	if (answer->status >= 400 && (result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR))
		result = CURLE_OK;
	return result;
}

int remote_ask(struct remote *remote, const struct remote_request *request,
	       struct remote_answer *answer)
{
	CURLcode result = ask(remote, request, answer);

	if (result == CURLE_OK)
		return CLIENT_DONE;
	if (remote->sink_failed) {
		errno = remote->sink_errno;
		return CLIENT_LOCAL;
	}
	if (request->body && request->body->error)
		return client_fail(CLIENT_LOCAL, "cannot read what is to be sent: %s",
				   strerror(request->body->error));
	if (result == CURLE_OUT_OF_MEMORY)
		return client_fail(CLIENT_LOCAL, "out of memory");
	if (result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL)
		return client_fail(
			CLIENT_USAGE,
			"%s must be http://host:port, https://host:port or unix:/path, not "
			"\"%s\"",
			remote->source, remote->url);
	if (result == CURLE_SSL_CACERT_BADFILE)
		return client_fail(CLIENT_USAGE,
				   "cannot read the certificates of STEADYCACHE_CA_FILE");
	if (result == CURLE_SSL_CERTPROBLEM)
		return client_fail(CLIENT_USAGE,
				   "cannot use the certificate of STEADYCACHE_CLIENT_CERT, or the "
				   "key of STEADYCACHE_CLIENT_KEY does not belong to it");
	return client_fail(CLIENT_UNREACHABLE, "no answer from %s (%s): %s", remote->url,
			   remote->source,
			   remote->error[0] ? remote->error : curl_easy_strerror(result));
}

bool remote_try(struct remote *remote, const struct remote_request *request,
		struct remote_answer *answer)
{
	return ask(remote, request, answer) == CURLE_OK;
}

void remote_answer_deinit(struct remote_answer *answer)
{
	buffer_deinit(&answer->body);
	buffer_deinit(&answer->kept);
	*answer = (struct remote_answer){0};
}

void remote_close(struct remote *remote)
{
	curl_easy_cleanup(remote->curl);
	if (remote->authorization.data)
		explicit_bzero(remote->authorization.data, remote->authorization.len);
	buffer_deinit(&remote->authorization);
	curl_global_cleanup();
}

int remote_refusal(const struct remote_answer *answer)
{
	int code = answer->status >= 500 ? CLIENT_UNREACHABLE : CLIENT_REFUSED;
	json_auto_t *problem =
		json_loadb(answer->body.data ? answer->body.data : "", answer->body.len, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));

	if (!detail)
		detail = json_string_value(json_object_get(problem, "error"));
	(void)fprintf(stderr, "steadycache: ");
	if (detail)
		output_escaped(stderr, slice_of(detail));
	else
		(void)fprintf(stderr, "the server refused");
	(void)fprintf(stderr, " (status %ld%s)\n", answer->status,
		      answer->status == 401 ? "; set STEADYCACHE_API_KEY" : "");
	return code;
}
