/* The head of a request as bytes, checked line by line before anybody trusts it.
 *
 * If two readers could understand a head differently, one of them does not see some requests
 * (request smuggling): a blank before a colon, a folded line, a NUL, two lengths. RFC 9112 (2.2, 3,
 * 5, 6) says how to treat each of these, and it is judged here: one refusal, whatever the pieces in
 * which the bytes arrived. A bare LF ends a line, as the HTTP library reads it too. */
#ifndef STEADYCACHE_SERVER_HEAD_SCAN_H
#define STEADYCACHE_SERVER_HEAD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Content length of a chunked body. */
#define LENGTH_UNKNOWN UINT64_MAX

/* The HTTP library insists on all bytes of a declared length before it sends an answer. In a head
 * that declares this many or more, a `Transfer-Encoding: chunked` takes the place of the length, if
 * there is room. */
#define HEAD_LONG_BYTES UINT64_C(100000000)

/* Memory that the HTTP library takes for a header field besides its bytes. */
#define HEAD_FIELD_BYTES 64

/* Replaces each '?' of a target in a head that is passed on; no target contains it. So the library
 * does not split the query, for which its memory would be too small. */
#define QUERY_MARK '\x01'

enum head_verdict {
	HEAD_INCOMPLETE,
	HEAD_WHOLE,
	HEAD_REFUSED,
};

/* All zeros but the bound is the initial state. */
struct head_scan {
	size_t max_bytes; /* of the head, with HEAD_FIELD_BYTES for each field */

	size_t line_at; /* where the current line begins; at the end: the length of the head */
	size_t kept;    /* how many of these are left of it, at its beginning */
	size_t last_at; /* where the last line of these begins */
	size_t seen;    /* how much of that line was examined */
	size_t fields;
	size_t target_at, query_at; /* query_at: of the first '?', after target_at; 0: none */
	uint64_t content_length;    /* declared; 0 if there is no body, or LENGTH_UNKNOWN */
	unsigned hosts, lengths, codings;
	bool has_request_line;
	bool is_1_0;      /* the version of HTTP */
	bool is_left_out; /* the line that was read last */
	bool is_long;     /* content_length was replaced by a coding */

	/* Of HEAD_REFUSED. */
	unsigned status;
	const char *problem;
};

/* Continues a head that begins at `bytes`, of which `len` have arrived. It may change bytes: blanks
 * after a length are moved before it, and fields that nobody here reads are removed, because the
 * library would store or even copy them; of a long body the coding changes. A complete head has
 * QUERY_MARKs. */
enum head_verdict head_scan(struct head_scan *scan, char *bytes, size_t len);

/* RFC 9110, 5.6.2: the characters of methods and names of fields. */
bool head_scan_is_token_char(char c);

#endif
