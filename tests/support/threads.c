#include "tests/support/threads.h"

#include <pthread.h>
#include <stdlib.h>

struct thread_call {
	pthread_t thread;
	size_t index;
	const char *(*body)(size_t index, void *user);
	void *user;
	const char *failure;
};

static void *call_in_thread(void *argument)
{
	struct thread_call *call = argument;

	call->failure = call->body(call->index, call->user);
	return NULL;
}

const char *in_threads(size_t count, const char *(*body)(size_t index, void *user), void *user)
{
	struct thread_call calls[THREADS_MAX];
	const char *failure = NULL;

	if (count > THREADS_MAX)
		abort();
	for (size_t i = 0; i < count; i++) {
		calls[i] = (struct thread_call){.index = i, .body = body, .user = user};
		if (pthread_create(&calls[i].thread, NULL, call_in_thread, &calls[i]) != 0)
			abort();
	}
	for (size_t i = 0; i < count; i++) {
		(void)pthread_join(calls[i].thread, NULL);
		if (!failure)
			failure = calls[i].failure;
	}
	return failure;
}
