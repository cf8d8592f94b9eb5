#include "backends/aws/fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS       3000L
#define CONNECT_MS       1000L
#define WAIT_MS          1000
#define ANSWER_MAX_BYTES (64 << 10)

struct aws_fetcher {
	CURLM *multi;
	CURL *easy;
	atomic_bool stops;
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct aws_fetcher *aws_fetcher_open(void)
{
	struct aws_fetcher *fetcher = calloc(1, sizeof *fetcher);

	if (!fetcher)
		return NULL;
	(void)pthread_once(&global_once, init_curl);
	fetcher->multi = curl_multi_init();
	fetcher->easy = curl_easy_init();
	if (fetcher->multi && fetcher->easy)
		return fetcher;
	aws_fetcher_close(fetcher);
	return NULL;
}

static size_t receive(char *data, size_t size, size_t count, void *user)
{
	struct buffer *body = user;
	size_t len = size * count;

	if (body->len + len > ANSWER_MAX_BYTES)
		return 0;
	buffer_append(body, (struct slice){data, len});
	return body->failed ? 0 : len;
}

static void set_up(CURL *easy, const char *method, const char *url, struct curl_slist *headers,
		   struct buffer *body)
{
	curl_easy_reset(easy);
	(void)curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "steadycache");
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
	if (strcmp(method, "GET") == 0)
		return;
	(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
}

/* Runs until the request has ended. CURLE_ABORTED_BY_CALLBACK: it was stopped. */
static CURLcode perform(struct aws_fetcher *fetcher)
{
	int running = 1, left;

	while (running > 0) {
		if (atomic_load(&fetcher->stops))
			return CURLE_ABORTED_BY_CALLBACK;
		if (curl_multi_perform(fetcher->multi, &running) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
		if (running > 0)
			(void)curl_multi_poll(fetcher->multi, NULL, 0, WAIT_MS, NULL);
	}
	const CURLMsg *message = curl_multi_info_read(fetcher->multi, &left);
	return message ? message->data.result : CURLE_RECV_ERROR;
}

long aws_fetch(struct aws_fetcher *fetcher, const char *method, const char *url, const char *header,
	       struct buffer *ret_body, char *error, size_t error_size)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: */*");
	struct curl_slist *longer =
		headers && header ? curl_slist_append(headers, header) : headers;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	long status = 0;

	*ret_body = (struct buffer){0};
	if (longer) {
		set_up(fetcher->easy, method, url, headers, ret_body);
		if (curl_multi_add_handle(fetcher->multi, fetcher->easy) == CURLM_OK) {
			code = perform(fetcher);
			(void)curl_multi_remove_handle(fetcher->multi, fetcher->easy);
		}
	}
	if (code == CURLE_OK)
		(void)curl_easy_getinfo(fetcher->easy, CURLINFO_RESPONSE_CODE, &status);
	else
		(void)snprintf(error, error_size, "%s",
			       code == CURLE_WRITE_ERROR ? "the answer is too long"
							 : curl_easy_strerror(code));
	curl_slist_free_all(headers);
	return status;
}

void aws_fetcher_stop(struct aws_fetcher *fetcher)
{
	atomic_store(&fetcher->stops, true);
	(void)curl_multi_wakeup(fetcher->multi);
}

void aws_fetcher_close(struct aws_fetcher *fetcher)
{
	if (!fetcher)
		return;
	curl_easy_cleanup(fetcher->easy);
	(void)curl_multi_cleanup(fetcher->multi);
	free(fetcher);
}
