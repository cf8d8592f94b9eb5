#include "server/http/answer_stream.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "handlers/respond/stream.h"
#include "server/http/answer_park.h"
#include "server/http/exchange_op.h"

/* The most bytes that the library asks for if it does not send in chunks (HTTP/1.0). */
#define BLOCK_BYTES 16384

struct stream_run {
	struct answer_park park;
	int fd;                          /* of the connection */
	const struct access *access;     /* the exchange's */
	const struct cache_trace *trace; /* the exchange's, which lives as long as an op */
	struct body_stream *stream;
	size_t sent; /* of stream->bytes */
};

static void op_done(struct cache_op *op)
{
	struct stream_run *run = op->user;

	answer_park_wake(&run->park);
}

static void wake(struct body_stream *stream)
{
	struct stream_run *run = stream->wake_user;

	answer_park_wake(&run->park);
}

/* True: the op is done. False: the connection is suspended until it is. */
static bool submit(struct stream_run *run)
{
	struct cache_op *op = &run->stream->op;

	answer_park_begin(&run->park);
	op->done = op_done;
	op->user = run;
	op->trace = run->trace;
	backend_submit(run->park.shared->context.backend, op);
	return answer_park_wait(&run->park);
}

static size_t send_some(struct stream_run *run, char *out, size_t room)
{
	struct buffer *bytes = &run->stream->bytes;
	size_t len = bytes->len - run->sent < room ? bytes->len - run->sent : room;

	if (len > 0)
		memcpy(out, bytes->data + run->sent, len);
	run->sent += len;
	if (run->sent == bytes->len) {
		run->sent = 0;
		bytes->len = 0;
	}
	return len;
}

static bool is_over(const struct stream_run *run)
{
	const struct exchange_shared *shared = run->park.shared;

	return atomic_load_explicit(&shared->draining, memory_order_relaxed) ||
	       (run->stream->is_endless && auth_is_stale(shared->auth, run->access));
}

static ssize_t read_stream(void *cls, uint64_t position, char *out, size_t room)
{
	struct stream_run *run = cls;
	struct body_stream *stream = run->stream;

	(void)position;
	if (answer_park_is_waiting(&run->park))
		return 0;
	while (stream->bytes.len == 0) {
		stream->stopping = is_over(run);
		answer_park_begin(&run->park);
		switch (stream->next(stream)) {
		case STREAM_BYTES:
			break;
		case STREAM_SUBMIT:
			if (!submit(run))
				return 0;
			break;
		case STREAM_WAIT:
			if (!answer_park_wait(&run->park))
				return 0;
			break;
		case STREAM_END:
			return MHD_CONTENT_READER_END_OF_STREAM;
		case STREAM_FAILED:
			/* The library marks the connection as closed, and closes it at its next
			 * event. */
			(void)shutdown(run->fd, SHUT_RDWR);
			return MHD_CONTENT_READER_END_WITH_ERROR;
		}
	}
	return (ssize_t)send_some(run, out, room);
}

static void close_run(void *cls)
{
	struct stream_run *run = cls;

	answer_park_end(&run->park);
	run->stream->close(run->stream);
	free(run);
}

struct MHD_Response *answer_stream_make(struct exchange *exchange)
{
	struct stream_run *run = calloc(1, sizeof(*run));
	struct response *response = &exchange->response;

	if (!run)
		return NULL;
	run->park.shared = exchange->shared;
	run->park.connection = exchange->connection;
	run->fd = exchange->record->fd;
	run->access = &exchange->access;
	run->trace = exchange_op_trace(exchange);
	run->stream = response->stream;
	run->stream->wake = wake;
	run->stream->wake_user = run;
	struct MHD_Response *made = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES,
								      read_stream, run, close_run);
	if (!made) {
		free(run);
		return NULL;
	}
	if (response->is_unframed)
		(void)MHD_set_response_options(made, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END);
	response->stream = NULL;
	return made;
}
