#include "backends/large/s3/marker.h"

#include <curl/curl.h>
#include <stdlib.h>

#define LIMIT_US  (30 * US_PER_S)
#define STALE_US  (90 * US_PER_S)
#define PAUSE_US  (US_PER_S / 5)
#define ROUND_MAX 4

static void ask(struct s3_errand *errand, const char *method, const char *key,
		void (*done)(struct s3_call *call, const struct s3_verdict *verdict))
{
	errand->call = (struct s3_call){.method = method, .key = key, .file = -1, .done = done};
	s3_call_start(errand->store, &errand->call);
}

/* The time in a header of the answer, by the store's clock; -1: there is none. */
static int64_t time_in(const struct s3_call *call, const char *name)
{
	const char *text = s3_exchange_header(&call->exchange, name);
	time_t at_s = text ? curl_getdate(text, NULL) : -1;

	return at_s < 0 ? -1 : (int64_t)at_s * US_PER_S;
}

/* ---- After a put ---- */

static void look(struct s3_errand *errand);

static void finish_put(struct s3_errand *errand, enum cache_status status, const char *sentence)
{
	struct s3_verdict verdict = {.status = status, .sentence = sentence};

	errand->finish(errand, &verdict);
}

/* The removal is over: whether the object is still there. */
static void on_object(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);

	if (verdict->status == CACHE_OK)
		finish_put(errand, CACHE_OK, NULL);
	else if (verdict->status != CACHE_NOT_FOUND)
		errand->finish(errand, verdict);
	else if (++errand->rounds == ROUND_MAX)
		finish_put(errand, CACHE_UNAVAILABLE,
			   "other servers remove the object again and again; try again");
	else
		errand->again(errand);
}

static void on_timer(struct s3_timer *timer)
{
	look((struct s3_errand *)((char *)timer - offsetof(struct s3_errand, timer)));
}

/* A marker of a server that died. */
static void on_stale_removed(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);

	(void)verdict;
	ask(errand, "HEAD", errand->key, on_object);
}

static void on_looked(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);
	int64_t now_us = time_in(call, "Date");
	int64_t marked_us = time_in(call, "Last-Modified");

	if (verdict->status == CACHE_NOT_FOUND && !errand->has_seen_marker) {
		finish_put(errand, CACHE_OK, NULL);
	} else if (verdict->status == CACHE_NOT_FOUND) {
		ask(errand, "HEAD", errand->key, on_object);
	} else if (verdict->status != CACHE_OK) {
		errand->finish(errand, verdict);
	} else if ((marked_us >= 0 && now_us - marked_us > STALE_US) ||
		   errand->store->io.now_us - errand->marked_us > STALE_US) {
		ask(errand, "DELETE", errand->marker, on_stale_removed);
	} else if (errand->store->hurry_until_us < INT64_MAX) {
		finish_put(errand, CACHE_UNAVAILABLE, "another server is removing the object");
	} else {
		errand->has_seen_marker = true;
		errand->timer.run = on_timer;
		s3_timer_set(&errand->store->io, &errand->timer,
			     errand->store->io.now_us + PAUSE_US);
	}
}

static void look(struct s3_errand *errand)
{
	ask(errand, "HEAD", errand->marker, on_looked);
}

void s3_marker_settle(struct s3_errand *errand, void (*again)(struct s3_errand *errand),
		      void (*finish)(struct s3_errand *errand, const struct s3_verdict *verdict))
{
	errand->again = again;
	errand->finish = finish;
	errand->has_seen_marker = false;
	errand->marked_us = errand->store->io.now_us;
	look(errand);
}

/* ---- Removal ---- */

static void on_unmarked(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);

	(void)verdict; /* one that is left ends by its age */
	s3_answer(errand, &errand->verdict);
	free(errand);
}

static void end_removal(struct s3_errand *errand, const struct s3_verdict *verdict)
{
	errand->verdict = *verdict;
	ask(errand, "DELETE", errand->marker, on_unmarked);
}

static void end_removal_with(struct s3_errand *errand, enum cache_status status,
			     const char *sentence)
{
	struct s3_verdict verdict = {.status = status, .sentence = sentence};

	end_removal(errand, &verdict);
}

static void on_removed(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);

	if (verdict->status != CACHE_OK && verdict->status != CACHE_NOT_FOUND) {
		end_removal(errand, verdict);
		return;
	}
	s3_count(errand->store, S3_COUNT_REMOVALS, 1);
	end_removal_with(errand, CACHE_OK, NULL);
}

/* The answer to HEAD. */
static void on_seen(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);
	int64_t put_at_us = verdict->status == CACHE_OK ? time_in(call, "Last-Modified") : -1;

	if (verdict->status == CACHE_NOT_FOUND)
		end_removal_with(errand, CACHE_OK, NULL);
	else if (verdict->status != CACHE_OK)
		end_removal(errand, verdict);
	else if (put_at_us < 0)
		end_removal_with(errand, CACHE_UNSUPPORTED,
				 "the object store does not say when an object was put");
	else if (put_at_us >= errand->request->put_before_us)
		end_removal_with(errand, CACHE_PRECONDITION_FAILED, NULL);
	else if (errand->store->io.now_us - errand->marked_us > LIMIT_US)
		end_removal_with(errand, CACHE_TIMEOUT,
				 "the object store answers too slowly to remove objects");
	else
		ask(errand, "DELETE", errand->key, on_removed);
}

static void on_marked(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_errand *errand = s3_answer_errand(call);

	if (verdict->status == CACHE_OK) {
		ask(errand, "HEAD", errand->key, on_seen);
		return;
	}
	s3_answer(errand, verdict);
	free(errand);
}

void s3_marker_remove(struct s3_errand *errand)
{
	errand->marked_us = errand->store->io.now_us;
	ask(errand, "PUT", errand->marker, on_marked);
}
