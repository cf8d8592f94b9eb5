/* One thread receives the export and writes it to a pipe, from which the reader of lines reads: a
 * slow sink slows the server down, and nothing is gathered here. */
#include "client/migrate/server_source.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"
#include "client/migrate/line_source.h"
#include "client/migrate/server_end.h"
#include "client/migrate/server_look.h"
#include "client/output.h"
#include "client/target.h"

struct receiver {
	struct remote remote;
	struct remote_request request;
	struct remote_answer answer;
	struct server_look *look;
	int fd; /* the pipe's end that is written to */
	pthread_t thread;
	bool has_thread, has_answer;
};

static bool pass_on(void *user, struct slice bytes)
{
	return output_write(((struct receiver *)user)->fd, bytes);
}

static void *receive(void *user)
{
	struct receiver *receiver = user;

	receiver->has_answer = remote_try(&receiver->remote, &receiver->request, &receiver->answer);
	(void)close(receiver->fd);
	receiver->fd = -1;
	return NULL;
}

static void join(struct receiver *receiver)
{
	if (receiver->has_thread)
		(void)pthread_join(receiver->thread, NULL);
	receiver->has_thread = false;
}

static bool ended(void *user, struct migrate_failure *failure)
{
	struct receiver *receiver = user;

	join(receiver);
	if (server_end_judge(&receiver->remote, receiver->has_answer, &receiver->answer, failure))
		return true;
	failure->is_passing = false; /* this export is over */
	return false;
}

/* The reader has closed its end, which ends a transfer. */
static void closed(void *user)
{
	struct receiver *receiver = user;

	join(receiver);
	if (receiver->fd >= 0)
		(void)close(receiver->fd);
	remote_answer_deinit(&receiver->answer);
	remote_close(&receiver->remote);
	server_look_close(receiver->look);
	buffer_deinit(&receiver->request.target);
	free(receiver);
}

static bool look(void *user, const struct migrate_batch *batch, struct migrate_batch *ret,
		 struct migrate_failure *failure)
{
	return server_look_run(((struct receiver *)user)->look, batch, ret, failure);
}

/* ---- Namespaces ---- */

static void read_settings(const json_t *stats, struct migrate_namespace *ret)
{
	const json_t *policy = json_object_get(stats, "eviction");
	const json_t *capacity = json_object_get(stats, "capacity");
	const char *compression = json_string_value(json_object_get(stats, "compression"));
	struct namespace_settings *settings = &ret->settings;

	settings->max_size_bytes =
		(uint64_t)json_integer_value(json_object_get(stats, "max_size_bytes"));
	settings->capacity =
		json_is_integer(capacity) ? json_integer_value(capacity) : CAPACITY_UNLIMITED;
	settings->default_ttl_s = json_integer_value(json_object_get(stats, "default_ttl"));
	settings->stale_ttl_s = json_integer_value(json_object_get(stats, "stale_ttl"));
	ret->mask = SETTING_MAX_SIZE | SETTING_CAPACITY | SETTING_DEFAULT_TTL;
	if (settings->stale_ttl_s > 0)
		ret->mask |= SETTING_STALE_TTL;
	settings->max_idle_s = json_integer_value(json_object_get(stats, "max_idle"));
	if (settings->max_idle_s > 0)
		ret->mask |= SETTING_MAX_IDLE;
	if (compression && compression_parse(slice_of(compression), &settings->compression) &&
	    settings->compression != COMPRESSION_NONE)
		ret->mask |= SETTING_COMPRESSION;
	settings->put_status = (unsigned)json_integer_value(json_object_get(stats, "put_status"));
	if (settings->put_status > 0)
		ret->mask |= SETTING_PUT_STATUS;
	if (json_is_string(policy) &&
	    eviction_policy_parse(slice_of(json_string_value(policy)), &settings->policy))
		ret->mask |= SETTING_POLICY;
	ret->entries = (uint64_t)json_integer_value(json_object_get(stats, "entry_count"));
	ret->bytes = (uint64_t)json_integer_value(json_object_get(stats, "total_size"));
}

/* Fills what is known of the namespaces from /stats. Without the right to see that, the export
 * itself may still be allowed. */
static bool list_namespaces(struct receiver *receiver, const struct migrate_selection *selection,
			    struct migrate_source *source, struct migrate_failure *failure)
{
	struct remote_request request = {.method = "GET"};
	struct remote_answer answer = {0};
	const char *name = NULL;
	json_t *stats = NULL;

	buffer_append(&request.target, SLICE("/stats"));
	bool good = server_end_ask(&receiver->remote, &request, &answer, failure) ||
		    answer.status == 403;
	json_auto_t *document = good && answer.body.data
					? json_loadb(answer.body.data, answer.body.len, 0, NULL)
					: NULL;
	json_t *all = json_object_get(document, "namespaces");
	source->namespaces = calloc(json_object_size(all) + 1, sizeof(*source->namespaces));
	if (!source->namespaces) {
		all = NULL;
		good = migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	}
	json_object_foreach(all, name, stats)
	{
		struct migrate_namespace *ns = &source->namespaces[source->namespace_count];

		if (!source->namespaces || !namespace_name_is_valid(slice_of(name)) ||
		    !migrate_selects(selection, name))
			continue;
		memcpy(ns->name, name, strlen(name) + 1);
		read_settings(stats, ns);
		source->total_entries += ns->entries;
		source->total_bytes += ns->bytes;
		source->namespace_count++;
	}
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	if (good)
		*failure = (struct migrate_failure){0};
	return good;
}

/* ---- Opening ---- */

static void make_request(struct receiver *receiver, const struct migrate_selection *selection,
			 const char *place)
{
	struct buffer *target = &receiver->request.target;

	receiver->request.method = "GET";
	receiver->request.sink = pass_on;
	receiver->request.user = receiver;
	buffer_append(target, SLICE("/export"));
	/* The server sends no more than is wanted where it can tell. */
	if (selection->glob_count == 1 && !strpbrk(selection->globs[0], "*?[\\"))
		target_query(target, "namespace", slice_of(selection->globs[0]));
	target_query(target, "cursor", slice_of(place));
}

struct migrate_source *server_source_open(const char *url, long timeout_s,
					  const struct migrate_selection *selection,
					  const char *place, struct migrate_failure *failure)
{
	struct receiver *receiver = calloc(1, sizeof(*receiver));
	int ends[2] = {-1, -1};

	if (receiver)
		receiver->look = server_look_open(url, timeout_s);
	if (!receiver || !receiver->look || pipe2(ends, O_CLOEXEC) != 0) {
		(void)migrate_fail(failure, CLIENT_LOCAL, "cannot make a pipe: %s",
				   strerror(errno));
		if (receiver)
			server_look_close(receiver->look);
		free(receiver);
		return NULL;
	}
	receiver->fd = ends[1];
	struct migrate_source *source =
		line_source_open(ends[0], url, LINE_PLACES_CURSORS, selection, NULL, failure);
	if (!source) {
		closed(receiver);
		return NULL;
	}
	line_source_on_end(source, ended, closed, receiver);
	line_source_on_look(source, look);
	make_request(receiver, selection, place);
	if (server_end_open(&receiver->remote, url, SERVER_FROM, timeout_s, failure) &&
	    list_namespaces(receiver, selection, source, failure)) {
		receiver->has_thread =
			thread_start(&receiver->thread, "receiver", receive, receiver) == 0;
		if (receiver->has_thread)
			return source;
		(void)migrate_fail(failure, CLIENT_LOCAL, "cannot start a thread");
	}
	source->ops->close(source);
	return NULL;
}
