/* One HTTP request in libcurl's multi interface, and the line in which requests wait for a
 * connection. One thread, that of io.h. */
#ifndef STEADYCACHE_LARGE_S3_EXCHANGE_H
#define STEADYCACHE_LARGE_S3_EXCHANGE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/large/s3/verdict.h"
#include "base/buffer.h"

struct s3_exchange;

/* Made by exchange->prepare. */
struct s3_message {
	const char *method; /* static */
	char *url;          /* malloc'ed */
	struct curl_slist *headers;
	int file; /* a body of `len` bytes from `from` on; -1: `body` */
	uint64_t from, len;
	struct slice body;
};

enum s3_stage {
	STAGE_IDLE,
	STAGE_WAITING, /* in line */
	STAGE_IN_FLIGHT,
};

struct s3_exchange {
	/* In: the caller's. */
	bool (*prepare)(struct s3_exchange *exchange, struct s3_message *ret); /* false: failed */
	/* Bytes of a 2xx: all taken (true), or none, and later again (false: paused; may also call
	 * s3_exchange_end). NULL: they are gathered in `answer`. */
	bool (*receive)(struct s3_exchange *exchange, struct slice bytes);
	/* Another one waits for the connection while this one has been paused for a while. NULL:
	 * it cannot give it up. */
	void (*yield)(struct s3_exchange *exchange);
	/* It has ended: `outcome`, and headers. May start another one, or free this. */
	void (*done)(struct s3_exchange *exchange);
	int64_t idle_us;     /* without a byte; waiting counts */
	int64_t deadline_us; /* monotonic; INT64_MAX: none */
	bool is_urgent;      /* does not wait in line */

	/* Out. */
	struct s3_outcome outcome;
	uint64_t sent_bytes, received_bytes;
	int64_t started_us; /* when it left the line */

	/* Own. */
	struct s3_line *line;
	struct s3_exchange *next, *previous;
	enum s3_stage stage;
	CURL *easy;
	struct s3_message message;
	struct buffer answer;
	int64_t moved_us;  /* the last byte */
	int64_t paused_us; /* since when; 0: it is not */
	uint64_t at;       /* of the body */
	bool ends;         /* by s3_exchange_end, from within `receive` */
};

struct s3_line {
	CURLM *multi;
	const char *ca_file;
	unsigned connections;
	int64_t connect_timeout_us;
	int64_t idle_max_us;       /* of all, while the process ends; INT64_MAX: as they say */
	struct s3_exchange *first; /* all, the oldest first */
	struct s3_exchange *last;
	unsigned waiting, in_flight;
};

bool s3_line_open(struct s3_line *line);  /* with ca_file, connections, connect_timeout_us set */
void s3_line_close(struct s3_line *line); /* there is no exchange any more */

/* Starts what has its turn, sends and receives, ends what has ended. */
void s3_line_run(struct s3_line *line, int64_t now_us);
/* When s3_line_run has something to do even if nothing happens. */
int64_t s3_line_next_us(const struct s3_line *line, int64_t now_us);

/* Puts it into the line; `done` comes from a later s3_line_run. */
void s3_exchange_start(struct s3_line *line, struct s3_exchange *exchange, int64_t now_us);
/* Takes it out, without `done`. Not from within its `receive`. */
void s3_exchange_cancel(struct s3_exchange *exchange);
/* From within `receive`: no more is wanted. `done` comes with CURLE_WRITE_ERROR. */
void s3_exchange_end(struct s3_exchange *exchange);
/* Goes on after a pause; may call `receive` and `done`. */
void s3_exchange_resume(struct s3_exchange *exchange, int64_t now_us);
/* A header of the answer, in `receive` and `done`; NULL: there is none. */
const char *s3_exchange_header(const struct s3_exchange *exchange, const char *name);
long s3_exchange_status(const struct s3_exchange *exchange);

#endif
