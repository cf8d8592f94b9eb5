/* The head of a value: what is kept with its bytes and sent with them, as one text.
 *
 *     text/html; charset=utf-8\nContent-Encoding: gzip\nX-Meta-Origin: build 7
 *
 * It begins with the content type; for each header that is kept follow a line feed, the name as
 * value_head_name() has it, ": " and the value. So every backend keeps all of it where it keeps the
 * content type, and what was written before there were headers is a head too. An older steadycache
 * that reads a head with headers takes the value for one of an unknown content type.
 *
 * The headers are in the order of value_head_name(), those of X-Meta- by their names, so equal
 * headers make equal heads. Names are never twice. */
#ifndef STEADYCACHE_BASE_VALUE_HEAD_H
#define STEADYCACHE_BASE_VALUE_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Longest content type, bytes. */
#define CONTENT_TYPE_MAX_LEN 255
/* Longest headers of one value together, bytes, each counted with its name, ": " and its line
 * feed. */
#define VALUE_HEADERS_MAX_LEN 2048
/* Longest head, bytes. */
#define VALUE_HEAD_MAX_LEN (CONTENT_TYPE_MAX_LEN + VALUE_HEADERS_MAX_LEN)
/* Longest name of a header that is kept, bytes. */
#define VALUE_HEADER_NAME_MAX_LEN 64

/* Whether an entry may have this content type: visible ASCII, blanks and tabs, 1 to
 * CONTENT_TYPE_MAX_LEN bytes. */
bool content_type_is_valid(struct slice type);

/* The content type of a head; of any text the first line. */
struct slice value_head_type(struct slice head);
/* The lines of the headers, without the first line feed; empty if there are none. */
struct slice value_head_headers(struct slice head);

/* Whether a head has the form above, and no more than its limits. */
bool value_head_is_valid(struct slice head);

/* How a header that is kept is written: "Content-Encoding" for any case of it, "X-Meta-" and small
 * letters for those of a user, to `ret`. False (and *ret undefined): such a header is not kept, or
 * its name is too long or none of HTTP (RFC 9110, 5.1). */
bool value_head_name(struct slice name, char ret[static VALUE_HEADER_NAME_MAX_LEN + 1]);

/* Takes the next header from the lines in *rest. False: there are no more. */
bool value_head_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value);

/* The value of the header with the name as value_head_name() writes it; no data: there is none. */
struct slice value_head_find(struct slice head, struct slice name);

/* A head that is being made. Zero it, or begin with a type. */
struct value_head_room {
	size_t len;
	char text[VALUE_HEAD_MAX_LEN];
};

/* Begins with a content type, which is valid. */
void value_head_begin(struct value_head_room *room, struct slice type);

enum value_head_verdict {
	HEAD_ADDED,
	HEAD_NOT_KEPT,  /* no header of this name is kept */
	HEAD_BAD_VALUE, /* empty, or has bytes that are neither visible ASCII nor a blank or tab */
	HEAD_TWICE,     /* there is one of this name */
	HEAD_TOO_LONG,  /* VALUE_HEADERS_MAX_LEN */
};

/* Adds a header at its place. All but HEAD_ADDED change nothing. */
enum value_head_verdict value_head_add(struct value_head_room *room, struct slice name,
				       struct slice value);

/* What is wrong with a header, to follow its name; "" for HEAD_ADDED. */
const char *value_head_complaint(enum value_head_verdict verdict);

static inline struct slice value_head_text(const struct value_head_room *room)
{
	return (struct slice){.data = room->text, .len = room->len};
}

#endif
