#include "tests/support/asked.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "backends/redis/command.h"
#include "backends/redis/reply.h"

struct asked asked[ASKED_MAX];
unsigned asked_count, done_order[ASKED_MAX], done_count;

void asked_reset(void)
{
	memset(asked, 0, sizeof(asked));
	asked_count = done_count = 0;
}

static void copy_text(char *target, const struct redis_reply *reply)
{
	snprintf(target, 64, "%.*s", (int)reply->text.len, reply->text.data);
}

static void note_done(void *user, struct remote_answer *answer)
{
	struct asked *one = user;

	one->done++;
	one->failure = answer->failure;
	one->reached = answer->reached;
	one->is_partial = answer->is_partial;
	one->count = answer->native_count;
	one->bytes = answer->native_bytes;
	if (answer->native_count > 0) {
		copy_text(one->first, redis_reply_of(answer, 0));
		copy_text(one->last, redis_reply_of(answer, answer->native_count - 1));
	}
	done_order[done_count++] = one->number;
}

struct asked *asked_submit(struct remote_transport *transport, struct remote_request request,
			   const char *words)
{
	struct asked *one = &asked[asked_count];
	char copy[400];

	cr_assert_lt(asked_count, ASKED_MAX);
	one->number = asked_count++;
	request.done = note_done;
	request.user = one;
	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		redis_command_begin(&request, 1);
		redis_command_word(&request, slice_of(word));
	}
	cr_assert(transport->ops->submit(transport, &request));
	return one;
}
