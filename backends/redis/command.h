/* Commands as they go to the server (RESP): words, each with its length. */
#ifndef STEADYCACHE_REDIS_COMMAND_H
#define STEADYCACHE_REDIS_COMMAND_H

#include "backends/remote/request.h"

/* Begins a command of `words` words, which the caller appends; it is one more reply. */
void redis_command_begin(struct remote_request *request, size_t words);

void redis_command_word(struct remote_request *request, struct slice word);
void redis_command_integer(struct remote_request *request, int64_t number);

/* Begins a word of `len` bytes, which are then appended to request->body and ended. */
void redis_command_begin_word(struct remote_request *request, size_t len);
void redis_command_end_word(struct remote_request *request);

/* Appends a word in the form in which it is sent. Running out of memory shows in out->failed. */
void redis_command_encode(struct buffer *out, struct slice word);

#endif
