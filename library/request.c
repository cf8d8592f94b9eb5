#include "library/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "library/answer.h"
#include "library/ask.h"
#include "library/error.h"

void steadycache_request_init(struct steadycache_request *request, size_t size,
			      enum steadycache_type type)
{
	memset(request, 0, size);
	request->size = size;
	request->type = type;
	request->sentence = "";
}

void steadycache_request_deinit(struct steadycache_request *request)
{
	bool is_get = request->type == STEADYCACHE_GET;

	for (size_t i = 0; is_get && request->items && i < request->item_count; i++) {
		steadycache_value_release(request->items[i].found);
		request->items[i].found = NULL;
	}
	for (size_t i = 0; i < request->entry_count; i++)
		free((void *)(uintptr_t)request->entries[i].key);
	free(request->entries);
	free(request->stats);
	request->entries = NULL;
	request->entry_count = 0;
	request->stats = NULL;
	request->stats_count = 0;
}

/* That of version 0.1.0. */
#define SIZE_OF_FIRST (offsetof(struct steadycache_request, stats_count) + sizeof(size_t))

/* Whether it was initialised, by a program of any version that uses nothing newer than this one. */
static bool is_known(const struct steadycache_request *request)
{
	const char *bytes = (const char *)request;

	if (request->size < SIZE_OF_FIRST)
		return false;
	for (size_t i = sizeof(*request); i < request->size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

#define NO_STORE "there is no store: steadycache_open() has not succeeded"

#define UNKNOWN_REQUEST                                                                            \
	"the request was not made by steadycache_request_init(), or uses a member that this "      \
	"version of the library does not know"

/* ---- With a completion ---- */

/* Refused, with what is said about it, or done. */
static void run_done(struct library_completion *completion)
{
	/* The completion is its first member. */
	struct library_call *call = (struct library_call *)(void *)completion;
	struct steadycache_request *request = call->request;
	struct steadycache *store = call->store;
	struct library_lane *lane = call->lane;

	free(call);
	request->done(request);
	if (lane)
		library_store_leave(store, lane);
}

static void end(struct library_call *call)
{
	library_ask_release(call);
	call->completion.run = run_done;
	library_completion_run(&call->completion);
}

static void note_done(struct cache_op *op)
{
	struct library_call *call = op->user;

	library_answer_take(call);
	end(call);
}

/* Without a call there is no memory for one. */
static void refuse_at_once(struct steadycache_request *request)
{
	library_answer_refuse(request, STEADYCACHE_NO_MEMORY,
			      steadycache_status_text(STEADYCACHE_NO_MEMORY));
	request->done(request);
}

enum steadycache_status steadycache_submit(struct steadycache *store,
					   struct steadycache_request *request)
{
	enum steadycache_status status = STEADYCACHE_CLOSED;
	const char *sentence = NULL;

	if (!store)
		return library_error_keep(STEADYCACHE_INVALID, NO_STORE);
	if (!is_known(request))
		return library_error_keep(STEADYCACHE_INVALID, UNKNOWN_REQUEST);
	if (!request->done)
		return library_error_keep(STEADYCACHE_INVALID,
					  "a request that is submitted needs `done`");
	struct library_call *call = malloc(sizeof(*call));
	if (!call) {
		refuse_at_once(request);
		return STEADYCACHE_OK;
	}
	call->store = store;
	call->request = request;
	call->items = NULL;
	call->lane = library_store_enter(store, &sentence);
	if (call->lane)
		status = library_ask_fill(call, &sentence);
	else
		cache_op_init(&call->op, CACHE_OP_GET);
	if (status != STEADYCACHE_OK) {
		library_answer_refuse(request, status, sentence);
		end(call);
		return STEADYCACHE_OK;
	}
	call->op.user = call;
	call->op.done = note_done;
	backend_submit(library_store_backend(store), &call->op);
	return STEADYCACHE_OK;
}

/* ---- Waited for ---- */

static void note_over(struct cache_op *op)
{
	struct library_call *call = op->user;

	(void)sem_post(&call->over);
}

static void wait_for(struct library_call *call)
{
	(void)sem_init(&call->over, 0, 0);
	call->op.user = call;
	call->op.done = note_over;
	backend_submit(library_store_backend(call->store), &call->op);
	while (sem_wait(&call->over) != 0 && errno == EINTR)
		;
	(void)sem_destroy(&call->over);
}

enum steadycache_status steadycache_call(struct steadycache *store,
					 struct steadycache_request *request)
{
	enum steadycache_status status = STEADYCACHE_INVALID;
	struct library_call call;
	const char *sentence = LIBRARY_COMPLETION_REFUSAL;

	if (!store)
		return library_error_keep(STEADYCACHE_INVALID, NO_STORE);
	if (!is_known(request))
		return library_error_keep(STEADYCACHE_INVALID, UNKNOWN_REQUEST);
	call.store = store;
	call.request = request;
	call.items = NULL;
	call.lane = library_completion_is_running() ? NULL : library_store_enter(store, &sentence);
	if (call.lane) {
		status = library_ask_fill(&call, &sentence);
		if (status == STEADYCACHE_OK) {
			wait_for(&call);
			library_answer_take(&call);
		} else {
			library_answer_refuse(request, status, sentence);
		}
		library_ask_release(&call);
		library_store_leave(store, call.lane);
	} else {
		if (!library_completion_is_running())
			status = STEADYCACHE_CLOSED;
		library_answer_refuse(request, status, sentence);
	}
	return library_error_keep((enum steadycache_status)request->status, request->sentence);
}
