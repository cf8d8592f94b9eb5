#include "client/migrate/state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/output.h"

#define FORMAT 1

/* The members of struct migrate_totals. */
#define TOTALS(X)                                                                                  \
	X(stored)                                                                                  \
	X(kept)                                                                                    \
	X(failed)                                                                                  \
	X(gone)                                                                                    \
	X(expired) X(history_lost) X(changed) X(bytes) X(seen_bytes) X(input_bytes)

static bool is_ours(const json_t *document)
{
	return json_integer_value(json_object_get(document, "steadycache_migration")) == FORMAT;
}

static bool read_state(struct migrate_state *state, const json_t *document,
		       struct migrate_failure *failure)
{
	const char *what = json_string_value(json_object_get(document, "what"));
	const char *place = json_string_value(json_object_get(document, "place"));
	const json_t *totals = json_object_get(document, "totals");

	if (!is_ours(document) || !what || !place)
		return migrate_fail(failure, CLIENT_USAGE,
				    "%s is no state of a migration; name another file",
				    state->path);
	if (strcmp(what, state->what) != 0)
		return migrate_fail(failure, CLIENT_USAGE,
				    "%s is the state of another migration (%s); name another file, "
				    "or remove it",
				    state->path, what);
	buffer_append(&state->place, slice_of(place));
	buffer_append_char(&state->place, '\0');
	state->sink_mark = (uint64_t)json_integer_value(json_object_get(document, "sink_mark"));
#define X(name) state->totals.name = (uint64_t)json_integer_value(json_object_get(totals, #name));
	TOTALS(X)
#undef X
	state->is_resumed = true;
	return !state->place.failed || migrate_fail(failure, CLIENT_LOCAL, "out of memory");
}

bool migrate_state_open(struct migrate_state *state, const char *path, const char *what,
			struct migrate_failure *failure)
{
	json_error_t error;

	*state = (struct migrate_state){.path = path, .what = strdup(what)};
	if (!state->what)
		return migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return true;
	json_auto_t *document = json_load_file(path, 0, &error);
	if (!document)
		return migrate_fail(failure, CLIENT_USAGE,
				    "cannot read a state from %s (%s); name another file", path,
				    error.text);
	return read_state(state, document, failure);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool good = fd >= 0 && output_write(fd, slice_of(text)) && fsync(fd) == 0;
	int error = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = error;
	return good;
}

bool migrate_state_save(const struct migrate_state *state, struct migrate_failure *failure)
{
	json_auto_t *totals = json_object();
	json_auto_t *document = NULL;
	struct buffer beside = {0};
	bool good = totals != NULL;

#define X(name)                                                                                    \
	good = good && json_object_set_new(totals, #name,                                          \
					   json_integer((json_int_t)state->totals.name)) == 0;
	TOTALS(X)
#undef X
	document = json_pack("{s:i, s:s, s:s, s:I, s:O}", "steadycache_migration", FORMAT, "what",
			     state->what, "place", state->place.data ? state->place.data : "",
			     "sink_mark", (json_int_t)state->sink_mark, "totals", totals);
	char *text = document ? json_dumps(document, JSON_INDENT(2)) : NULL;
	buffer_printf(&beside, "%s.new", state->path);
	buffer_append_char(&beside, '\0');
	if (!good || !text || beside.failed)
		good = migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	else if (!write_file(beside.data, text) || rename(beside.data, state->path) != 0)
		good = migrate_fail(failure, CLIENT_LOCAL, "cannot write %s: %s", state->path,
				    strerror(errno));
	free(text);
	buffer_deinit(&beside);
	return good;
}

void migrate_state_remove(const struct migrate_state *state)
{
	(void)unlink(state->path);
}

void migrate_state_close(struct migrate_state *state)
{
	free(state->what);
	buffer_deinit(&state->place);
	*state = (struct migrate_state){0};
}
