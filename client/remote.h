/* The server, as the client sees it: one request after another over libcurl.
 *
 *     struct remote remote;
 *     struct remote_answer answer = {0};
 *     int code = remote_open(&remote, arguments);
 *     if (code == CLIENT_DONE)
 *             code = remote_ask(&remote, &request, &answer);
 *     if (code == CLIENT_DONE && answer.status >= 400)
 *             code = remote_refusal(&answer);
 *     remote_answer_deinit(&answer);
 *     remote_close(&remote); */
#ifndef STEADYCACHE_CLIENT_REMOTE_H
#define STEADYCACHE_CLIENT_REMOTE_H

#include <curl/curl.h>

#include "base/buffer.h"

#define REMOTE_HEADERS_MAX 20 /* those of `set`, with CLIENT_HEADERS_MAX of its --header */
#define LENGTH_UNKNOWN     (-1)

/* The body of a request: `text` if it is set, else the content of `fd`. */
struct remote_body {
	struct slice text;
	int fd;
	curl_off_t len;                                 /* bytes, or LENGTH_UNKNOWN */
	void (*passed)(void *user, struct slice bytes); /* called with what is sent; may be NULL */
	void *user;
	int error; /* errno of a read that failed, else 0; set by remote_ask */
};

struct remote_request {
	const char *method;
	struct buffer target;                    /* path and query; owned by the caller */
	const char *headers[REMOTE_HEADERS_MAX]; /* "Name: value" */
	struct remote_body *body;                /* NULL: none */
	/* Called with the body of a 2xx answer piece by piece; false (with errno) stops. NULL: the
	 * body goes into the answer. */
	bool (*sink)(void *user, struct slice bytes);
	void *user;
};

struct remote_answer {
	long status;
	struct buffer body; /* the body, if there was no sink */
	char etag[96];      /* "": none */
	char type[256];     /* of the content; "": none */
	/* Of Cache-Status: how long the entry lives, negative for one that is stale. */
	bool has_ttl;
	long ttl_s;
	long age_s;
	/* The lines of headers that an entry may keep (base/value_head.h), each with a line feed.
	 * Its Cache-Control may be the server's. */
	struct buffer kept;
	long retry_after_s; /* 0: none */
};

struct remote {
	CURL *curl;
	const char *url;
	const char *socket;          /* the path of a Unix socket; NULL: none */
	const char *source;          /* what the user set for it: "STEADYCACHE_URL" */
	struct buffer authorization; /* the header line, with its NUL; empty: none */
	long timeout_s;
	bool sink_failed; /* the sink stopped the last request; errno is the sink's */
	int sink_errno;
	char error[CURL_ERROR_SIZE];
	/* the request in progress */
	const struct remote_request *request;
	struct remote_answer *answer;
};

/* Closes what remote_open has opened, even partly. */
void remote_close(struct remote *remote);

/* Sends the request and waits for the whole answer: CLIENT_DONE, whatever its status. Else
 * another code after a line on stderr; a failure of the sink is left to the caller to report
 * (sink_failed). */
int remote_ask(struct remote *remote, const struct remote_request *request,
	       struct remote_answer *answer);

/* As remote_ask, silently: whether any answer came. */
bool remote_try(struct remote *remote, const struct remote_request *request,
		struct remote_answer *answer);

void remote_answer_deinit(struct remote_answer *answer);

static inline bool remote_is_done(const struct remote_answer *answer)
{
	return answer->status >= 200 && answer->status < 300;
}

/* Prints why the server refused, in its own words if it sent some. CLIENT_REFUSED or
 * CLIENT_UNREACHABLE. */
int remote_refusal(const struct remote_answer *answer);

#endif
