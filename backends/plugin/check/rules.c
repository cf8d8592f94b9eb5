#include "backends/plugin/check/rules.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define READERS 4
#define ROUNDS  5

static bool is_empty(struct plugin_check *check)
{
	return plugin_records_open_and_compare(check) && plugin_records_compare(check);
}

static bool refuses_a_second_open(struct plugin_check *check)
{
	struct driver *second = NULL;
	char error[300] = "";
	enum driver_status status = check->ops->open(&check->config, &second, error, sizeof(error));

	if (status == DRIVER_OK) {
		check->ops->close(second);
		return plugin_records_fail(check, "the store was opened twice at the same time");
	}
	return error[0] || plugin_records_fail(check, "open failed without a sentence");
}

static bool keeps_what_it_is_given(struct plugin_check *check)
{
	return plugin_records_put(check, true, false, 1) && plugin_records_compare(check) &&
	       plugin_records_put(check, false, true, 2) && plugin_records_compare(check);
}

static bool replaces(struct plugin_check *check)
{
	for (unsigned version = 3; version < 8; version++)
		if (!plugin_records_put(check, version != 4, version != 5, version) ||
		    !plugin_records_compare(check))
			return false;
	return true;
}

static bool refuses_length(struct plugin_check *check, const struct plugin_record *record,
			   size_t len)
{
	return plugin_records_expect(
		check, "get of a body with another length",
		check->ops->get(check->driver, record->ns, record->key, check->room, len),
		DRIVER_CORRUPT);
}

static bool knows_lengths(struct plugin_check *check)
{
	for (unsigned i = 0; i < PLUGIN_RECORDS; i++) {
		const struct plugin_record *record = &check->records[i];
		struct slice body = plugin_records_body(i, record->version);
		bool is_empty_body = body.len == 0;

		free((void *)(uintptr_t)body.data);
		if (!refuses_length(check, record, body.len + 1) ||
		    (!is_empty_body && !refuses_length(check, record, body.len - 1)))
			return false;
	}
	return true;
}

static struct driver_change change_of(const struct plugin_check *check, unsigned index,
				      enum driver_change_kind kind, struct slice head,
				      struct slice body)
{
	return (struct driver_change){.kind = kind,
				      .ns = check->records[index].ns,
				      .key = check->records[index].key,
				      .head = head,
				      .body = body};
}

static bool keeps_the_order(struct plugin_check *check)
{
	char head[2][DRIVER_HEAD_MAX_BYTES];
	struct slice bodies[2] = {plugin_records_body(0, 20), plugin_records_body(1, 21)};
	struct slice heads[2] = {plugin_records_head(0, 20, head[0]),
				 plugin_records_head(1, 21, head[1])};
	const struct slice none = {NULL, 0}, short_body = SLICE("of no version");
	struct driver_change changes[] = {
		change_of(check, 0, DRIVER_PUT, heads[0], short_body),
		change_of(check, 0, DRIVER_REMOVE, none, none),
		change_of(check, 0, DRIVER_PUT, heads[0], bodies[0]),
		change_of(check, 1, DRIVER_REMOVE, none, none),
		change_of(check, 1, DRIVER_PUT, heads[1], bodies[1]),
		change_of(check, 2, DRIVER_PUT, heads[1], short_body),
		change_of(check, 2, DRIVER_REMOVE, none, none),
		/* Both of a record that is missing then. */
		change_of(check, 2, DRIVER_USE, heads[1], none),
		change_of(check, 2, DRIVER_REMOVE, none, none),
	};
	bool has_memory = bodies[0].data && bodies[1].data;
	enum driver_status status =
		has_memory ? check->ops->apply(check->driver, changes,
					       sizeof(changes) / sizeof(changes[0]))
			   : DRIVER_NO_MEMORY;

	free((void *)(uintptr_t)bodies[0].data);
	free((void *)(uintptr_t)bodies[1].data);
	if (!plugin_records_expect(check, "apply", status, DRIVER_OK))
		return false;
	check->records[0].version = 20;
	check->records[1].version = 21;
	check->records[2].version = 0;
	return plugin_records_compare(check);
}

static bool uses_leave_bodies(struct plugin_check *check)
{
	struct driver_change changes[PLUGIN_RECORDS];
	char heads[PLUGIN_RECORDS][DRIVER_HEAD_MAX_BYTES];
	const struct slice none = {NULL, 0};
	size_t count = 0;

	for (unsigned i = 0; i < PLUGIN_RECORDS; i++) {
		if (check->records[i].version == 0)
			continue;
		changes[count] = change_of(check, i, DRIVER_USE,
					   plugin_records_head(i, 99, heads[count]), none);
		check->records[i].use_version = 99;
		count++;
	}
	return plugin_records_expect(check, "apply",
				     check->ops->apply(check->driver, changes, count), DRIVER_OK) &&
	       plugin_records_compare(check);
}

/* ---- Threads ---- */

/* A check of its own, as each has a room and a reason. */
static void *read_on(void *user)
{
	struct plugin_check *check = user;

	for (unsigned i = 0; i < ROUNDS; i++)
		if (!plugin_records_compare(check))
			return check;
	return NULL;
}

static bool serves_threads(struct plugin_check *check)
{
	struct plugin_check own[READERS];
	pthread_t threads[READERS];
	unsigned started = 0;
	bool is_right = true;

	for (; started < READERS; started++) {
		own[started] = *check;
		own[started].room = malloc(PLUGIN_BODY_MAX);
		if (!own[started].room)
			break;
		if (thread_start(&threads[started], "reader", read_on, &own[started]) != 0) {
			free(own[started].room);
			break;
		}
	}
	for (unsigned i = 0; i < started; i++) {
		void *failed = NULL;

		(void)pthread_join(threads[i], &failed);
		if (failed)
			is_right = plugin_records_fail(check, "%s", own[i].why);
		free(own[i].room);
	}
	return is_right && (started == READERS || plugin_records_fail(check, "out of memory"));
}

/* ---- The rest ---- */

static bool checks_and_syncs(struct plugin_check *check)
{
	char detail[300] = "";
	enum driver_status status = check->ops->check(check->driver, detail, sizeof(detail));

	if (status != DRIVER_OK)
		return plugin_records_fail(check, "check says that nothing could be stored: %s",
					   detail);
	return !check->ops->sync ||
	       plugin_records_expect(check, "sync", check->ops->sync(check->driver), DRIVER_OK);
}

static bool stop_at_once(void *user, struct slice ns, struct slice key, struct slice head,
			 uint64_t body_bytes)
{
	(void)ns;
	(void)key;
	(void)head;
	(void)body_bytes;
	++*(unsigned *)user;
	return false;
}

static bool has_all_after_a_close(struct plugin_check *check)
{
	plugin_records_close(check);
	return plugin_records_open_and_compare(check) && plugin_records_compare(check);
}

static bool stops_when_it_is_told(struct plugin_check *check)
{
	char error[300] = "";
	unsigned visits = 0;

	plugin_records_close(check);
	if (check->ops->open(&check->config, &check->driver, error, sizeof(error)) != DRIVER_OK)
		return plugin_records_fail(check, "open failed: %s", error);
	enum driver_status status = check->ops->load(check->driver, stop_at_once, &visits);
	if (visits != 1)
		return plugin_records_fail(check,
					   "load visited %u records, and was told to stop "
					   "at the first",
					   visits);
	return plugin_records_expect(check, "load", status, DRIVER_STOPPED) &&
	       has_all_after_a_close(check);
}

static bool is_new_after_a_close(struct plugin_check *check)
{
	plugin_records_close(check);
	for (unsigned i = 0; i < PLUGIN_RECORDS; i++)
		check->records[i].version = 0;
	return plugin_records_open_and_compare(check);
}

static bool removes(struct plugin_check *check)
{
	struct driver_change changes[PLUGIN_RECORDS];
	const struct slice none = {NULL, 0};

	for (unsigned i = 0; i < PLUGIN_RECORDS; i++)
		changes[i] = change_of(check, i, DRIVER_REMOVE, none, none);
	if (!plugin_records_expect(check, "apply",
				   check->ops->apply(check->driver, changes, PLUGIN_RECORDS),
				   DRIVER_OK))
		return false;
	for (unsigned i = 0; i < PLUGIN_RECORDS; i++)
		check->records[i].version = 0;
	return plugin_records_compare(check) && has_all_after_a_close(check);
}

const struct plugin_rule plugin_rules[] = {
	{"it opens an empty store", is_empty, 0},
	{"it refuses to open it twice", refuses_a_second_open, DRIVER_PERSISTS},
	{"it keeps what it is given, under any name", keeps_what_it_is_given, 0},
	{"it replaces heads and bodies", replaces, 0},
	{"it tells a body of another length", knows_lengths, 0},
	{"it makes changes in their order", keeps_the_order, 0},
	{"a use leaves the body", uses_leave_bodies, 0},
	{"several threads read at the same time", serves_threads, 0},
	{"check and sync succeed", checks_and_syncs, 0},
	{"after a close all is there, each once", has_all_after_a_close, DRIVER_PERSISTS},
	{"load stops when it is told", stops_when_it_is_told, DRIVER_PERSISTS},
	{"it removes", removes, 0},
	{"after a close it is empty", is_new_after_a_close, 0},
};
const size_t plugin_rules_count = sizeof(plugin_rules) / sizeof(plugin_rules[0]);
