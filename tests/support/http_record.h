/* A record of the answers that tests receive, which tests/openapi/check_answers.py compares with
 * the description of the API. Nothing happens unless STEADYCACHE_RECORD names a file: each answer
 * is then added to it as a line of JSON (processes and threads may share the file, whose folder is
 * created if it is missing):
 *
 *     {"method","target","request","status","headers":[[name,value],...],"body","size"}
 *
 * `request` and `body` are base64, null if there is none or it is too long to keep; JSON is always
 * kept. The target is percent-encoded as it was sent. */
#ifndef STEADYCACHE_TEST_HTTP_RECORD_H
#define STEADYCACHE_TEST_HTTP_RECORD_H

#include "tests/support/http_client.h"

/* Aborts if the file cannot be written: a record with holes would prove nothing. */
void http_record(const char *method, const char *target, struct slice request_body,
		 const struct http_answer *answer);

#endif
