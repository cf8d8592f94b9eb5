#include "client/migrate/server_look.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/thread.h"
#include "client/migrate/server_end.h"

/* Connections for all batches, and threads for one. */
#define REMOTES_MAX 16
#define PARTS       8

struct server_look {
	const char *url;
	long timeout_s;
	pthread_mutex_t lock;
	pthread_cond_t has_free;
	struct remote remotes[REMOTES_MAX];
	bool is_open[REMOTES_MAX], is_used[REMOTES_MAX];
};

static size_t acquire(struct server_look *look)
{
	size_t i = 0;

	(void)pthread_mutex_lock(&look->lock);
	for (;;) {
		for (i = 0; i < REMOTES_MAX && look->is_used[i]; i++)
			;
		if (i < REMOTES_MAX)
			break;
		(void)pthread_cond_wait(&look->has_free, &look->lock);
	}
	look->is_used[i] = true;
	(void)pthread_mutex_unlock(&look->lock);
	return i;
}

static void release(struct server_look *look, size_t i)
{
	(void)pthread_mutex_lock(&look->lock);
	look->is_used[i] = false;
	(void)pthread_cond_signal(&look->has_free);
	(void)pthread_mutex_unlock(&look->lock);
}

static bool is_that(const struct merge_entry *entry, const struct migrate_found *found)
{
	int64_t expires_at_us = entry->item.history->expires_at_us;
	int64_t apart_us = expires_at_us - found->expires_at_us;

	return etag_equal(&found->etag, &entry->item.value->etag) &&
	       (expires_at_us == 0) == (found->expires_at_us == 0) &&
	       apart_us <= SERVER_END_TOLERANCE_US && -apart_us <= SERVER_END_TOLERANCE_US;
}

/* Every PARTS-th entry of a batch, on a connection of its own: the way to a server may be long. */
struct part {
	struct server_look *look;
	const struct migrate_batch *batch;
	size_t from;
	struct migrate_batch *ret;
	pthread_mutex_t *lock; /* of ret */
	bool good;
	struct migrate_failure failure;
};

/* Adds the entry as it is now. */
static bool add(struct part *part, const struct merge_entry *entry,
		const struct remote_answer *answer)
{
	struct cache_history history = *entry->item.history;
	struct value_head_room head;

	server_end_head(answer, &head);
	struct cache_value *value =
		cache_value_copy(buffer_bytes(&answer->body), value_head_text(&head));

	history.expires_at_us = server_end_expiry(answer);
	(void)pthread_mutex_lock(part->lock);
	bool good = value && migrate_batch_add(part->ret, entry->item.key, value, &history, 0, 0);
	(void)pthread_mutex_unlock(part->lock);
	return good || migrate_fail(&part->failure, CLIENT_LOCAL, "out of memory");
}

static bool read_entry(struct part *part, struct remote *remote, const struct merge_entry *entry)
{
	struct remote_request request = {.method = "GET", .headers = {SERVER_END_ACCEPT}};
	struct remote_answer answer = {0};

	server_end_write_target(&request.target, part->batch->ns, entry->item.key);
	bool good = server_end_ask(remote, &request, &answer, &part->failure);
	if (good) {
		good = add(part, entry, &answer);
	} else if (answer.status == 404) {
		part->failure = (struct migrate_failure){0};
		good = true;
	}
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return good;
}

static bool look_at(struct part *part, struct remote *remote, const struct merge_entry *entry)
{
	const char *ns = part->batch->ns;
	struct migrate_found found;

	if (!server_end_find(remote, ns, entry->item.key, &found, &part->failure)) {
		if (!server_end_is_too_long(&part->failure))
			return false;
		part->failure = (struct migrate_failure){0};
		return true;
	}
	return !found.exists || is_that(entry, &found) || read_entry(part, remote, entry);
}

static void *look_at_part(void *arg)
{
	struct part *part = arg;
	const struct migrate_batch *batch = part->batch;
	struct server_look *look = part->look;
	size_t at = acquire(look);
	struct remote *remote = &look->remotes[at];

	if (!look->is_open[at])
		look->is_open[at] = server_end_open(remote, look->url, SERVER_FROM, look->timeout_s,
						    &part->failure);
	part->good = look->is_open[at];
	for (size_t i = part->from; part->good && i < batch->count; i += PARTS)
		if (migrate_batch_is_open(batch, i) && batch->entries[i].item.key.len > 0)
			part->good = look_at(part, remote, &batch->entries[i]);
	if (!look->is_open[at]) {
		remote_close(remote);
		*remote = (struct remote){0};
	}
	release(look, at);
	return NULL;
}

struct server_look *server_look_open(const char *url, long timeout_s)
{
	struct server_look *look = calloc(1, sizeof(*look));

	if (!look)
		return NULL;
	look->url = url;
	look->timeout_s = timeout_s;
	(void)pthread_mutex_init(&look->lock, NULL);
	(void)pthread_cond_init(&look->has_free, NULL);
	return look;
}

bool server_look_run(struct server_look *look, const struct migrate_batch *batch,
		     struct migrate_batch *ret, struct migrate_failure *failure)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct part parts[PARTS];
	pthread_t threads[PARTS];
	bool has_thread[PARTS] = {false};
	bool good = true;

	memcpy(ret->ns, batch->ns, sizeof(ret->ns));
	for (size_t i = 0; i < PARTS && i < batch->count; i++) {
		parts[i] = (struct part){
			.look = look, .batch = batch, .from = i, .ret = ret, .lock = &lock};
		has_thread[i] = thread_start(&threads[i], NULL, look_at_part, &parts[i]) == 0;
		if (!has_thread[i])
			(void)look_at_part(&parts[i]);
	}
	for (size_t i = 0; i < PARTS && i < batch->count; i++) {
		if (has_thread[i])
			(void)pthread_join(threads[i], NULL);
		if (good && !parts[i].good)
			*failure = parts[i].failure;
		good = good && parts[i].good;
	}
	return good;
}

void server_look_close(struct server_look *look)
{
	if (!look)
		return;
	for (size_t i = 0; i < REMOTES_MAX; i++)
		if (look->is_open[i])
			remote_close(&look->remotes[i]);
	(void)pthread_mutex_destroy(&look->lock);
	(void)pthread_cond_destroy(&look->has_free);
	free(look);
}
