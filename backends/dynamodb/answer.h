/* Answers as JSON, cheaply: the long texts in them, which are values in base64, are not copied by
 * the JSON library, nor looked at more than once. */
#ifndef STEADYCACHE_DYNAMODB_ANSWER_H
#define STEADYCACHE_DYNAMODB_ANSWER_H

#include <jansson.h>

#include "base/slice.h"

/* Reads `body` as a JSON object, which the caller decrefs; NULL: it is none. Until the next answer
 * that the thread reads, `body` must stay for dynamodb_answer_text. False: out of memory. */
bool dynamodb_answer_read(struct slice body, json_t **ret);
/* The text of a string of it that is base64; empty: it is no string. */
struct slice dynamodb_answer_text(const json_t *string);

/* The most room that base64 decodes to, and its bytes. False: it is not base64. */
size_t dynamodb_answer_decoded_max(struct slice text);
bool dynamodb_answer_decode(struct slice text, char *room, size_t *ret_len);

#endif
