#include "server/http/answer_body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers/respond/error.h"
#include "handlers/respond/status.h"
#include "server/http/answer_park.h"
#include "server/http/exchange_op.h"
#include "server/log/request_log.h"

/* The most bytes that are read at a time. */
#define BLOCK_BYTES 65536

/* A body that is being read; the exchange's. */
struct answer_body {
	struct exchange *exchange;
	struct answer_park park;
	struct body_reader *reader; /* NULL: the file is read */
	int file;
	uint64_t at, left; /* of the bytes that are to be read */
	bool is_sent;      /* the head is: the park waits for more, and no longer the exchange */
	size_t first_len, first_at;
	char first[BLOCK_BYTES]; /* bytes that were read before the head was sent */
};

static void wake(void *user)
{
	struct answer_body *run = user;

	if (run->is_sent)
		answer_park_wake(&run->park);
	else
		exchange_op_go_on(run->exchange);
}

static bool has_bytes(const struct exchange *exchange)
{
	const struct response *response = &exchange->response;

	return response->value_len > 0 && (response->status == 200 || response->status == 206) &&
	       exchange->request.method == HTTP_GET;
}

static struct answer_body *open_run(struct exchange *exchange)
{
	const struct response *response = &exchange->response;
	struct cache_body *body = cache_value_body(response->value);
	struct answer_body *run = malloc(sizeof(*run));

	if (!run)
		return NULL;
	memset(run, 0, offsetof(struct answer_body, first));
	run->exchange = exchange;
	run->park.shared = exchange->shared;
	run->park.connection = exchange->connection;
	run->at = response->value_offset;
	run->left = response->value_len;
	run->file = body->ops->file(body);
	if (run->file < 0)
		run->reader = body->ops->open(body, run->at, run->left, wake, run);
	if (run->file >= 0 || run->reader)
		return run;
	free(run);
	return NULL;
}

/* Makes the response an error. */
static void fail(struct exchange *exchange, enum cache_status status, const char *detail)
{
	struct response *response = &exchange->response;
	struct cache_op *op = &exchange->request.op;

	response_deinit(response);
	response_init(response);
	op->status = status;
	op->detail = detail;
	respond_op_failure(&exchange->request, response);
}

static enum body_step read_bytes(struct answer_body *run, char *room, size_t size, size_t *ret_len)
{
	size_t wanted = size < run->left ? size : (size_t)run->left;

	if (run->left == 0)
		return BODY_STEP_END;
	if (run->reader)
		return run->reader->ops->read(run->reader, room, wanted, ret_len);
	ssize_t got;
	do
		got = pread(run->file, room, wanted, (off_t)run->at);
	while (got < 0 && errno == EINTR);
	*ret_len = got > 0 ? (size_t)got : 0;
	return got > 0 ? BODY_STEP_BYTES : BODY_STEP_FAILED;
}

static void count(struct answer_body *run, size_t len)
{
	run->at += len;
	run->left -= len;
}

bool answer_body_waits(struct exchange *exchange)
{
	struct answer_body *run = exchange->sent_body;

	if (!has_bytes(exchange) || (run && run->first_len > 0))
		return false;
	if (!run) {
		run = open_run(exchange);
		if (!run) {
			fail(exchange, CACHE_NO_MEMORY, NULL);
			return false;
		}
		exchange->sent_body = run;
	}
	if (!run->reader)
		return false;
	atomic_store(&exchange->park, PARK_RUNNING);
	switch (read_bytes(run, run->first, sizeof(run->first), &run->first_len)) {
	case BODY_STEP_BYTES:
		count(run, run->first_len);
		return false;
	case BODY_STEP_WAIT:
		return true;
	case BODY_STEP_END:
		fail(exchange, CACHE_CORRUPT, "the value is shorter than it should be");
		return false;
	case BODY_STEP_FAILED:
		fail(exchange, run->reader->failure, run->reader->detail);
		return false;
	}
	return false;
}

/* ---- Sending ---- */

static ssize_t cut(struct answer_body *run, const char *reason)
{
	request_log_cut(run->exchange, reason);
	/* The library marks the connection as closed, and closes it at its next event. */
	(void)shutdown(run->exchange->record->fd, SHUT_RDWR);
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t send_first(struct answer_body *run, char *out, size_t room)
{
	size_t len = run->first_len - run->first_at;

	if (len > room)
		len = room;
	memcpy(out, run->first + run->first_at, len);
	run->first_at += len;
	return (ssize_t)len;
}

static ssize_t read_some(void *cls, uint64_t position, char *out, size_t room)
{
	struct answer_body *run = cls;
	size_t len = 0;

	(void)position;
	if (answer_park_is_waiting(&run->park))
		return 0;
	if (run->first_at < run->first_len)
		return send_first(run, out, room);
	if (atomic_load_explicit(&run->exchange->shared->hurries, memory_order_relaxed))
		return cut(run, "the server is stopping");
	for (;;) {
		answer_park_begin(&run->park);
		switch (read_bytes(run, out, room, &len)) {
		case BODY_STEP_BYTES:
			count(run, len);
			return (ssize_t)len;
		case BODY_STEP_WAIT:
			if (!answer_park_wait(&run->park))
				return 0;
			break;
		case BODY_STEP_END:
			return run->left == 0 ? MHD_CONTENT_READER_END_OF_STREAM
					      : cut(run, "the value is shorter than it should be");
		case BODY_STEP_FAILED:
			return cut(run, run->reader && run->reader->detail
						? run->reader->detail
						: status_text(run->reader ? run->reader->failure
									  : CACHE_CORRUPT));
		}
	}
}

/* Only its length is sent. */
static ssize_t read_nothing(void *cls, uint64_t position, char *out, size_t room)
{
	(void)cls;
	(void)position;
	(void)out;
	(void)room;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

struct MHD_Response *answer_body_make(struct exchange *exchange)
{
	const struct response *response = &exchange->response;
	struct answer_body *run = exchange->sent_body;

	if (!run)
		return MHD_create_response_from_callback(response->value_len, 1, read_nothing, NULL,
							 NULL);
	run->is_sent = true;
	/* The kernel cannot encrypt. */
	if (!run->reader && !exchange->shared->is_tls) {
		int own = fcntl(run->file, F_DUPFD_CLOEXEC, 0);
		struct MHD_Response *made =
			own < 0 ? NULL
				: MHD_create_response_from_fd_at_offset64(run->left, own, run->at);

		if (made)
			return made;
		if (own >= 0)
			(void)close(own);
	}
	return MHD_create_response_from_callback(response->value_len, BLOCK_BYTES, read_some, run,
						 NULL);
}

void answer_body_close(struct exchange *exchange)
{
	struct answer_body *run = exchange->sent_body;

	if (run->reader)
		run->reader->ops->close(run->reader);
	answer_park_end(&run->park);
	free(run);
	exchange->sent_body = NULL;
}
