#include "backends/large/s3/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/large/s3/wire.h"

void s3_answer_post(struct s3_store *store, struct object_request *request, size_t size,
		    void (*run)(struct s3_post *post))
{
	struct s3_errand *errand = calloc(1, size);

	if (!errand) {
		request->status = CACHE_NO_MEMORY;
		request->detail = NULL;
		request->done(request);
		return;
	}
	errand->post.run = run;
	errand->store = store;
	errand->request = request;
	errand->call.file = -1;
	s3_wire_key(&store->url, request->sha256, errand->key);
	(void)snprintf(errand->marker, sizeof(errand->marker), "%s" S3_MARKERS "%s",
		       store->url.prefix, errand->key + strlen(store->url.prefix));
	s3_io_post(&store->io, &errand->post);
}

static bool is_same(const struct s3_errand *a, const struct s3_errand *b)
{
	return a != b && strcmp(a->key, b->key) == 0;
}

static bool has_other(const struct s3_errand *errand, bool is_removal)
{
	const struct s3_errand *at = errand->store->first_errand;

	while (at && !(is_same(at, errand) && at->is_removal == is_removal))
		at = at->next;
	return at != NULL;
}

/* One that waits for its turn. */
static struct s3_errand *find_waiting(const struct s3_errand *errand)
{
	struct s3_errand *at = errand->store->first_errand;

	while (at && !(is_same(at, errand) && at->go))
		at = at->next;
	return at;
}

static void take_part(struct s3_errand *errand)
{
	struct s3_store *store = errand->store;

	errand->is_in_turn = true;
	errand->previous = NULL;
	errand->next = store->first_errand;
	if (store->first_errand)
		store->first_errand->previous = errand;
	store->first_errand = errand;
}

void s3_answer_take_turn(struct s3_errand *errand, void (*go)(struct s3_errand *errand))
{
	take_part(errand);
	if (has_other(errand, true))
		errand->go = go;
	else
		go(errand);
}

bool s3_answer_removes(struct s3_errand *errand)
{
	if (has_other(errand, false))
		return false;
	errand->is_removal = true;
	take_part(errand);
	return true;
}

/* Those that waited for it go on. */
static void end_turn(struct s3_errand *errand)
{
	struct s3_store *store = errand->store;
	struct s3_errand *waiting;

	if (!errand->is_in_turn)
		return;
	errand->is_in_turn = false;
	if (errand->previous)
		errand->previous->next = errand->next;
	else
		store->first_errand = errand->next;
	if (errand->next)
		errand->next->previous = errand->previous;
	while (!has_other(errand, true) && (waiting = find_waiting(errand))) {
		void (*go)(struct s3_errand *) = waiting->go;

		waiting->go = NULL;
		go(waiting);
	}
}

void s3_answer(struct s3_errand *errand, const struct s3_verdict *verdict)
{
	struct object_request *request = errand->request;

	end_turn(errand);

	request->status = verdict->status;
	request->detail = verdict->sentence;
	request->retry_after_s = verdict->retry_after_s;
	request->done(request);
}

struct s3_errand *s3_answer_errand(struct s3_call *call)
{
	return (struct s3_errand *)((char *)call - offsetof(struct s3_errand, call));
}
