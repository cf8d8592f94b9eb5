/* The answer that a handler builds. The server converts it for its HTTP library.
 *
 * A response owns its body: a buffer that it frees, a reference to a value, or nothing (static
 * text). Header names are literals; their values are copied into the response, which has room for
 * what the handlers send. Exceeding that room aborts the process (a bug that any test finds). */
#ifndef STEADYCACHE_HANDLERS_RESPONSE_H
#define STEADYCACHE_HANDLERS_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/value.h"

#define RESPONSE_MAX_HEADERS  12
#define RESPONSE_HEADER_BYTES 640

enum response_body {
	BODY_NONE,
	BODY_STATIC, /* static_body */
	BODY_BUFFER, /* buffer, owned */
	BODY_VALUE,  /* a part of `value`, an owned reference: value_offset, value_len */
	BODY_STREAM, /* stream, owned */
};

struct body_stream; /* stream.h */

struct response_header {
	const char *name;  /* literal */
	const char *value; /* literal, or in `storage` */
	size_t name_len;
};

struct response {
	unsigned status; /* HTTP */
	enum response_body body;
	bool is_json;     /* `?pretty` applies */
	bool close;       /* close the connection after this answer */
	bool is_unframed; /* of a stream: it is sent without chunks */
	bool is_guarded;  /* a stream of stored bytes: guarded as response_value() is */
	struct slice static_body;
	struct buffer buffer;
	struct cache_value *value;
	struct body_stream *stream;
	uint64_t value_offset, value_len;

	/* Header lines (value_head.h) that are sent too; they live as long as the body. */
	struct slice kept;
	bool drops_encoding; /* ... but for Content-Encoding */
	size_t header_count;
	struct response_header headers[RESPONSE_MAX_HEADERS];
	size_t storage_used;
	char storage[RESPONSE_HEADER_BYTES];
};

/* Sets everything to "200, no body, no header" without touching the storage. */
void response_init(struct response *response);
/* Releases the body. A deinitialized response may be initialized again. */
void response_deinit(struct response *response);

void response_header_add(struct response *response, const char *name, size_t name_len,
			 const char *value);

/* `value` is a literal or lives as long as the response. Inline, so that the compiler counts the
 * name. */
static inline void response_header_static(struct response *response, const char *name,
					  const char *value)
{
	response_header_add(response, name, strlen(name), value);
}
/* Copies. Control characters in the formatted value become spaces. */
void response_header_printf(struct response *response, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Room for a value of `len` bytes and its NUL, which the caller fills: for the hot path. */
char *response_header_room(struct response *response, const char *name, size_t len);

/* Caches on the way must not keep the answers of these three: they set Cache-Control.
 *
 * Answers with `text` (static) of `content_type`. */
void response_text(struct response *response, unsigned status, const char *content_type,
		   const char *text);
/* Takes the bytes of `json` (a buffer that failed becomes 503 out of memory). */
void response_json(struct response *response, unsigned status, struct buffer *json);
/* Answers 200 and the output of `stream`, which the response then owns. */
void response_stream(struct response *response, const char *content_type,
		     struct body_stream *stream);

/* Answers with the bytes of `value`, wherever they are; takes the caller's reference. The server
 * adds headers that keep browsers from treating it as one of its pages. */
void response_value(struct response *response, unsigned status, struct cache_value *value);

#endif
