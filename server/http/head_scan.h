/* The head of a request as bytes, checked line by line before anybody believes it.
 *
 * What two readers could take differently makes requests that one of them does not see (request
 * smuggling): a blank before a colon, a folded line, a NUL, two lengths. RFC 9112 (2.2, 3, 5, 6)
 * says what each of these deserves, and here it is judged: one refusal, whatever the pieces were in
 * which the bytes came. A bare LF ends a line, as the HTTP library reads it too. */
#ifndef STEADYCACHE_SERVER_HEAD_SCAN_H
#define STEADYCACHE_SERVER_HEAD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Content length of a body that is sent in chunks. */
#define LENGTH_UNKNOWN UINT64_MAX

/* Memory that the HTTP library takes for a header field beside its bytes. */
#define HEAD_FIELD_BYTES 64

/* Stands for each '?' of a target in a head that was let through; no target has it. So the library
 * does not take the query apart, for which its memory would not suffice. */
#define QUERY_MARK '\x01'

enum head_verdict {
	HEAD_INCOMPLETE,
	HEAD_WHOLE,
	HEAD_REFUSED,
};

/* All zeros but the bound is the beginning. */
struct head_scan {
	size_t max_bytes; /* of the head, with HEAD_FIELD_BYTES for each field */

	size_t line_at; /* where the line under way begins; at the end: how many bytes the head took
			 */
	size_t kept;    /* how many of these are left of it, at its beginning */
	size_t last_at; /* where the last line of these begins */
	size_t seen;    /* so far that line was looked at */
	size_t fields;
	size_t target_at, query_at; /* query_at: of the first '?', behind target_at; 0: none */
	uint64_t content_length;    /* declared; 0 where there is no body, or LENGTH_UNKNOWN */
	unsigned hosts, lengths, codings;
	bool has_request_line;
	bool is_1_0;      /* the version of HTTP */
	bool is_left_out; /* the line that was read last */

	/* Of HEAD_REFUSED. */
	unsigned status;
	const char *problem;
};

/* Goes on with a head that begins at `bytes`, of which `len` have come. It may change bytes: blanks
 * of a length are moved in front of it, and fields that nobody here reads are left out, which the
 * library would store, or even copy. A whole head has QUERY_MARKs. */
enum head_verdict head_scan(struct head_scan *scan, char *bytes, size_t len);

/* RFC 9110, 5.6.2: what methods and names of fields are made of. */
bool head_scan_is_token_char(char c);

#endif
