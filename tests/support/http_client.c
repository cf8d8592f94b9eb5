#include "tests/support/http_client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/support/http_record.h"

/* Of a body in a message: enough to see what happened, short enough to read. */
#define SHOWN_BYTES 700

struct http_client {
	CURL *curl;
	char *url;
	char *api_key;
	struct http_answer answers[HTTP_ANSWERS_KEPT];
	unsigned next_answer;
};

/* A growing text; out of memory ends the test. */
struct text {
	char *data;
	size_t len, size;
};

static void text_append(struct text *text, const char *data, size_t len)
{
	if (text->len + len >= text->size) {
		text->size = (text->len + len + 64) * 2;
		text->data = realloc(text->data, text->size);
		if (!text->data)
			abort();
	}
	if (len)
		memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

static void text_append_string(struct text *text, const char *string)
{
	text_append(text, string, strlen(string));
}

/* Up to SHOWN_BYTES of `bytes`, unprintable ones as \xNN. */
static void text_append_shown(struct text *text, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.data[i];
		char escaped[40];

		if (i == SHOWN_BYTES) {
			(void)snprintf(escaped, sizeof(escaped), "... (%zu bytes)", bytes.len);
			text_append_string(text, escaped);
			return;
		}
		if (isprint(byte) || byte == '\n')
			(void)snprintf(escaped, sizeof(escaped), "%c", byte);
		else
			(void)snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
		text_append_string(text, escaped);
	}
}

static void init_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

struct http_client *http_client_open(const char *url, const char *api_key)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http_client *client = calloc(1, sizeof(*client));

	(void)pthread_once(&once, init_curl);
	if (!client)
		abort();
	client->curl = curl_easy_init();
	client->url = strdup(url);
	if (!client->curl || !client->url)
		abort();
	http_client_set_key(client, api_key);
	(void)curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(client->curl, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(client->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	http_client_set_timeout(client, 30000);
	return client;
}

static void answer_clear(struct http_answer *answer)
{
	free(answer->body);
	free(answer->headers);
	free(answer->request);
	*answer = (struct http_answer){0};
}

void http_client_close(struct http_client *client)
{
	if (!client)
		return;
	for (size_t i = 0; i < HTTP_ANSWERS_KEPT; i++)
		answer_clear(&client->answers[i]);
	curl_easy_cleanup(client->curl);
	free(client->url);
	free(client->api_key);
	free(client);
}

void http_client_set_key(struct http_client *client, const char *api_key)
{
	free(client->api_key);
	client->api_key = api_key ? strdup(api_key) : NULL;
}

void http_client_use_http10(struct http_client *client)
{
	(void)curl_easy_setopt(client->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_0);
}

void http_client_set_timeout(struct http_client *client, long timeout_ms)
{
	(void)curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, timeout_ms);
}

/* Filled by the callbacks. */
struct reception {
	struct http_answer *answer;
	struct text headers;
	struct text body;
};

static size_t receive_body(char *data, size_t size, size_t count, void *user)
{
	struct reception *reception = user;

	text_append(&reception->body, data, size * count);
	return size * count;
}

static size_t receive_header(char *data, size_t size, size_t count, void *user)
{
	struct reception *reception = user;
	size_t len = size * count, name_len, start, end = len;
	const char *colon = memchr(data, ':', len);

	/* A status line restarts the headers: those of a "100 Continue" do not count. */
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
		reception->headers.len = 0;
		if (len > 12 && memcmp(data + 8, " 100", 4) == 0)
			reception->answer->continued = true;
		return len;
	}
	if (!colon)
		return len;
	name_len = (size_t)(colon - data);
	start = name_len + 1;
	while (start < end && isspace((unsigned char)data[start]))
		start++;
	while (end > start && isspace((unsigned char)data[end - 1]))
		end--;
	text_append(&reception->headers, data, name_len);
	text_append(&reception->headers, "", 1);
	text_append(&reception->headers, data + start, end - start);
	text_append(&reception->headers, "", 1);
	return len;
}

/* libcurl adds headers that a test did not ask for: these lines remove them, unless one of
 * `headers` names them. */
static struct curl_slist *header_list(const struct http_client *client, bool has_body,
				      const char *const *headers)
{
	static const char *const unwanted[] = {"Accept:", "Expect:", "Content-Type:"};
	struct curl_slist *list = NULL;
	bool given[3] = {false, false, !has_body}, authorized = client->api_key == NULL;

	for (; *headers; headers++) {
		for (size_t i = 0; i < 3; i++)
			given[i] |= strncasecmp(*headers, unwanted[i], strlen(unwanted[i])) == 0;
		authorized |= strncasecmp(*headers, "Authorization:", 14) == 0;
		list = curl_slist_append(list, *headers);
	}
	for (size_t i = 0; i < 3; i++)
		if (!given[i])
			list = curl_slist_append(list, unwanted[i]);
	if (!authorized) {
		struct text line = {0};

		text_append_string(&line, "Authorization: Bearer ");
		text_append_string(&line, client->api_key);
		list = curl_slist_append(list, line.data);
		free(line.data);
	}
	return list;
}

/* The request as messages show it; never with the token. */
static char *describe_request(const char *method, const char *target, struct slice body,
			      const char *const *headers)
{
	struct text text = {0};

	text_append_string(&text, method);
	text_append_string(&text, " ");
	text_append_shown(&text, slice_of(target));
	for (; *headers; headers++) {
		text_append_string(&text, "\n");
		text_append_shown(&text, slice_of(*headers));
	}
	if (body.data) {
		text_append_string(&text, "\n\n");
		text_append_shown(&text, body);
	}
	return text.data;
}

const struct http_answer *http_request(struct http_client *client, const char *method,
				       const char *target, struct slice body,
				       const char *const *headers)
{
	struct http_answer *answer = &client->answers[client->next_answer++ % HTTP_ANSWERS_KEPT];
	struct reception reception = {.answer = answer};
	struct text url = {0};
	struct curl_slist *list;
	long connects = 0;
	CURL *curl = client->curl;
	CURLcode code;

	answer_clear(answer);
	headers++; /* HTTP_HEADERS begins with an empty one */
	list = header_list(client, body.data != NULL, headers);
	text_append_string(&url, client->url);
	text_append_string(&url, target);
	answer->request = describe_request(method, target, body, headers);

	(void)curl_easy_setopt(curl, CURLOPT_URL, url.data);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reception);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, receive_header);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reception);
	/* HTTPGET undoes the POST and NOBODY of the previous request. */
	(void)curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
	if (strcmp(method, "HEAD") == 0) {
		(void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	} else if (body.data) {
		(void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data);
		(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	} else {
		(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	}

	code = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	(void)curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects);
	(void)curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &answer->http_version);
	answer->reconnected = connects > 0;
	if (code != CURLE_OK) {
		answer->status = 0;
		reception.body.len = 0;
		text_append_string(&reception.body, curl_easy_strerror(code));
	}
	text_append(&reception.body, "", 0);
	text_append(&reception.headers, "", 1);
	answer->body = reception.body.data;
	answer->len = reception.body.len;
	answer->headers = reception.headers.data;
	http_record(method, target, body, answer);
	curl_slist_free_all(list);
	free(url.data);
	return answer;
}

const char *http_header(const struct http_answer *answer, const char *name)
{
	const char *at = answer->headers;

	while (*at) {
		const char *value = at + strlen(at) + 1;

		if (strcasecmp(at, name) == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

json_t *http_json(const struct http_answer *answer)
{
	return json_loadb(answer->body, answer->len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
}

const char *http_explain(const struct http_answer *answer, const char *format, ...)
{
	static _Thread_local char message[8192];
	struct text text = {0};
	char line[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_append_string(&text, line);
	text_append_string(&text, "\n> ");
	text_append_string(&text, answer->request);
	(void)snprintf(line, sizeof(line), "\n< %ld", answer->status);
	text_append_string(&text, line);
	for (const char *at = answer->headers; *at;) {
		const char *value = at + strlen(at) + 1;

		text_append_string(&text, "\n< ");
		text_append_string(&text, at);
		text_append_string(&text, ": ");
		text_append_shown(&text, slice_of(value));
		at = value + strlen(value) + 1;
	}
	text_append_string(&text, "\n\n");
	text_append_shown(&text, http_body(answer));
	(void)snprintf(message, sizeof(message), "%s", text.data);
	free(text.data);
	return message;
}

bool http_text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}
