#include "backends/large/s3/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/remote/retry_after.h"
#include "base/clock.h"

#define US_PER_MS         1000
#define ANSWER_MAX_BYTES  ((size_t)4 << 20) /* a listing of 1,000 keys of 1,024 bytes, encoded */
#define TURN_BYTES        262144L           /* what libcurl sends or receives at a time */
#define IDLE_CONNECTION_S 60L
/* A paused exchange gives up its connection if another one waits. */
#define PATIENCE_US   (US_PER_S / 2)
#define LOOK_AGAIN_US (US_PER_S / 10)

/* ---- libcurl's callbacks ---- */

static void moved(struct s3_exchange *exchange)
{
	exchange->moved_us = monotonic_now_us();
}

static size_t receive(char *data, size_t size, size_t count, void *user)
{
	struct s3_exchange *exchange = user;
	struct slice bytes = {.data = data, .len = size * count};
	long status = s3_exchange_status(exchange);

	moved(exchange);
	if (exchange->receive && status >= 200 && status < 300) {
		bool is_taken = exchange->receive(exchange, bytes);

		if (exchange->ends)
			return CURL_WRITEFUNC_ERROR;
		if (!is_taken) {
			exchange->paused_us = exchange->moved_us;
			return CURL_WRITEFUNC_PAUSE;
		}
		exchange->received_bytes += bytes.len;
		return bytes.len;
	}
	if (exchange->answer.len + bytes.len > ANSWER_MAX_BYTES)
		return CURL_WRITEFUNC_ERROR;
	buffer_append(&exchange->answer, bytes);
	return exchange->answer.failed ? CURL_WRITEFUNC_ERROR : bytes.len;
}

static size_t send_some(char *target, size_t size, size_t count, void *user)
{
	struct s3_exchange *exchange = user;
	const struct s3_message *message = &exchange->message;
	size_t len = size * count;

	moved(exchange);
	if (message->len - exchange->at < len)
		len = (size_t)(message->len - exchange->at);
	if (message->file < 0) {
		memcpy(target, message->body.data + exchange->at, len);
	} else if (len > 0) {
		ssize_t got;

		do
			got = pread(message->file, target, len,
				    (off_t)(message->from + exchange->at));
		while (got < 0 && errno == EINTR);
		if (got <= 0)
			return CURL_READFUNC_ABORT;
		len = (size_t)got;
	}
	exchange->at += len;
	exchange->sent_bytes += len;
	return len;
}

/* libcurl begins again, on a new connection, because a kept-alive one was dead. */
static int seek(void *user, curl_off_t offset, int origin)
{
	struct s3_exchange *exchange = user;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > exchange->message.len)
		return CURL_SEEKFUNC_FAIL;
	exchange->at = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
	(void)data;
	moved(user);
	return size * count;
}

/* ---- The line ---- */

static void append(struct s3_line *line, struct s3_exchange *exchange)
{
	exchange->line = line;
	exchange->next = NULL;
	exchange->previous = line->last;
	if (line->last)
		line->last->next = exchange;
	else
		line->first = exchange;
	line->last = exchange;
}

/* Takes it out of the line and of libcurl, and keeps its outcome. */
static void take_out(struct s3_exchange *exchange)
{
	struct s3_line *line = exchange->line;

	if (exchange->stage == STAGE_IDLE)
		return;
	if (exchange->stage == STAGE_WAITING)
		line->waiting--;
	else
		line->in_flight--;
	exchange->stage = STAGE_IDLE;
	if (exchange->previous)
		exchange->previous->next = exchange->next;
	else
		line->first = exchange->next;
	if (exchange->next)
		exchange->next->previous = exchange->previous;
	else
		line->last = exchange->previous;
	if (exchange->easy)
		(void)curl_multi_remove_handle(line->multi, exchange->easy);
}

static void drop(struct s3_exchange *exchange)
{
	if (exchange->easy)
		curl_easy_cleanup(exchange->easy);
	exchange->easy = NULL;
	curl_slist_free_all(exchange->message.headers);
	free(exchange->message.url);
	exchange->message = (struct s3_message){.file = -1};
	buffer_deinit(&exchange->answer);
	exchange->answer = (struct buffer){0};
}

static void end(struct s3_exchange *exchange, CURLcode code, bool is_late)
{
	struct s3_outcome *outcome = &exchange->outcome;
	curl_off_t connected = 0;
	long request_bytes = 0;
	const char *retry_after;

	outcome->was_in_line = exchange->stage == STAGE_WAITING;
	outcome->code = code;
	outcome->is_late = is_late;
	outcome->status = s3_exchange_status(exchange);
	outcome->answer = buffer_bytes(&exchange->answer);
	outcome->retry_after_s = -1;
	if (exchange->easy) {
		(void)curl_easy_getinfo(exchange->easy, CURLINFO_CONNECT_TIME_T, &connected);
		(void)curl_easy_getinfo(exchange->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
		retry_after = s3_exchange_header(exchange, "Retry-After");
		if (retry_after)
			outcome->retry_after_s =
				(long)remote_retry_after_s(retry_after, (int64_t)time(NULL));
	}
	outcome->was_connected = connected > 0 || request_bytes > 0;
	take_out(exchange);
	/* `done` may free the exchange, so what it needs of libcurl's goes afterwards. */
	CURL *easy = exchange->easy;
	struct s3_message message = exchange->message;
	struct buffer answer = exchange->answer;
	exchange->done(exchange);
	if (easy)
		curl_easy_cleanup(easy);
	curl_slist_free_all(message.headers);
	free(message.url);
	buffer_deinit(&answer);
}

static long ms_of(int64_t us)
{
	return us < US_PER_MS ? 1L : (long)(us / US_PER_MS);
}

static void set_body(struct s3_exchange *exchange)
{
	const struct s3_message *message = &exchange->message;
	CURL *easy = exchange->easy;
	bool is_post = strcmp(message->method, "POST") == 0;

	if (strcmp(message->method, "HEAD") == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else if (is_post) {
		(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)message->len);
	} else if (strcmp(message->method, "PUT") == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)message->len);
		(void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, TURN_BYTES);
	} else if (strcmp(message->method, "GET") != 0) {
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, message->method);
	}
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, send_some);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, exchange);
}

/* HTTP/1.1: a paused stream of HTTP/2 would be buffered without a bound of ours. */
static void set_options(struct s3_line *line, struct s3_exchange *exchange)
{
	CURL *easy = exchange->easy;

	(void)curl_easy_setopt(easy, CURLOPT_URL, exchange->message.url);
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->message.headers);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "steadycache/" STEADYCACHE_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, TURN_BYTES / 2);
	set_body(exchange);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms_of(line->connect_timeout_us));
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
	if (line->ca_file)
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, line->ca_file);
}

static void launch(struct s3_line *line, struct s3_exchange *exchange, int64_t now_us)
{
	line->waiting--;
	line->in_flight++;
	exchange->stage = STAGE_IN_FLIGHT;
	exchange->started_us = exchange->moved_us = now_us;
	exchange->message = (struct s3_message){.file = -1};
	bool is_ready = exchange->prepare(exchange, &exchange->message);
	exchange->easy = is_ready ? curl_easy_init() : NULL;
	if (!exchange->easy) {
		end(exchange, CURLE_OUT_OF_MEMORY, false);
		return;
	}
	if (exchange->message.file < 0)
		exchange->message.len = exchange->message.body.len;
	set_options(line, exchange);
	if (curl_multi_add_handle(line->multi, exchange->easy) != CURLM_OK) {
		curl_easy_cleanup(exchange->easy);
		exchange->easy = NULL;
		end(exchange, CURLE_OUT_OF_MEMORY, false);
	}
}

/* When the time of `exchange` is over. */
static int64_t limit_of(const struct s3_line *line, const struct s3_exchange *exchange)
{
	int64_t idle_us = earlier_us(exchange->idle_us, line->idle_max_us);

	if (exchange->paused_us)
		return exchange->deadline_us;
	return earlier_us(exchange->deadline_us, exchange->moved_us + idle_us);
}

static struct s3_exchange *find_late(const struct s3_line *line, int64_t now_us)
{
	struct s3_exchange *exchange = line->first;

	while (exchange && limit_of(line, exchange) > now_us)
		exchange = exchange->next;
	return exchange;
}

static struct s3_exchange *find_waiting(const struct s3_line *line)
{
	struct s3_exchange *exchange = line->waiting > 0 ? line->first : NULL;

	while (exchange && (exchange->stage != STAGE_WAITING ||
			    (line->in_flight >= line->connections && !exchange->is_urgent)))
		exchange = exchange->next;
	return exchange;
}

/* One that stands still for longest. */
static struct s3_exchange *find_paused(const struct s3_line *line, int64_t now_us)
{
	struct s3_exchange *found = NULL;

	for (struct s3_exchange *at = line->first; at; at = at->next)
		if (at->yield && at->paused_us && at->paused_us + PATIENCE_US <= now_us &&
		    (!found || at->paused_us < found->paused_us))
			found = at;
	return found;
}

void s3_line_run(struct s3_line *line, int64_t now_us)
{
	const CURLMsg *message;
	struct s3_exchange *exchange = NULL;
	int count = 0;

	while ((exchange = find_late(line, now_us)))
		end(exchange, CURLE_OK, true);
	if (line->waiting > 0 && line->in_flight >= line->connections &&
	    (exchange = find_paused(line, now_us)))
		exchange->yield(exchange);
	while ((exchange = find_waiting(line)))
		launch(line, exchange, now_us);
	(void)curl_multi_perform(line->multi, &count);
	while ((message = curl_multi_info_read(line->multi, &count))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
		end(exchange, code, false);
	}
}

int64_t s3_line_next_us(const struct s3_line *line, int64_t now_us)
{
	int64_t next_us = INT64_MAX;

	if (find_waiting(line))
		return now_us;
	for (const struct s3_exchange *at = line->first; at; at = at->next)
		next_us = earlier_us(next_us, limit_of(line, at));
	return line->waiting > 0 ? earlier_us(next_us, now_us + LOOK_AGAIN_US) : next_us;
}

bool s3_line_open(struct s3_line *line)
{
	line->idle_max_us = INT64_MAX;
	line->multi = curl_multi_init();
	if (!line->multi)
		return false;
	(void)curl_multi_setopt(line->multi, CURLMOPT_MAXCONNECTS, (long)line->connections + 4);
	return true;
}

void s3_line_close(struct s3_line *line)
{
	if (line->multi)
		(void)curl_multi_cleanup(line->multi);
	line->multi = NULL;
}

/* ---- One exchange ---- */

void s3_exchange_start(struct s3_line *line, struct s3_exchange *exchange, int64_t now_us)
{
	exchange->outcome = (struct s3_outcome){.is_xml = exchange->outcome.is_xml};
	exchange->stage = STAGE_WAITING;
	exchange->easy = NULL;
	exchange->message = (struct s3_message){.file = -1};
	exchange->answer = (struct buffer){0};
	exchange->moved_us = now_us;
	exchange->started_us = exchange->paused_us = 0;
	exchange->at = exchange->sent_bytes = exchange->received_bytes = 0;
	exchange->ends = false;
	append(line, exchange);
	line->waiting++;
}

void s3_exchange_cancel(struct s3_exchange *exchange)
{
	if (exchange->stage == STAGE_IDLE)
		return;
	take_out(exchange);
	drop(exchange);
}

void s3_exchange_end(struct s3_exchange *exchange)
{
	exchange->ends = true;
}

void s3_exchange_resume(struct s3_exchange *exchange, int64_t now_us)
{
	if (exchange->stage != STAGE_IN_FLIGHT || !exchange->paused_us)
		return;
	exchange->paused_us = 0;
	exchange->moved_us = now_us;
	/* This calls `receive`. */
	CURLcode code = curl_easy_pause(exchange->easy, CURLPAUSE_CONT);
	if (code != CURLE_OK || exchange->ends)
		end(exchange, exchange->ends ? CURLE_WRITE_ERROR : code, false);
}

const char *s3_exchange_header(const struct s3_exchange *exchange, const char *name)
{
	struct curl_header *header = NULL;

	if (!exchange->easy ||
	    curl_easy_header(exchange->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

long s3_exchange_status(const struct s3_exchange *exchange)
{
	long status = 0;

	if (exchange->easy)
		(void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}
