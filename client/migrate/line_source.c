#include "client/migrate/line_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/migrate/report.h"
#include "handlers/transfer/import_line.h"

#define READ_BYTES ((size_t)256 << 10)
/* How much of the room for a long line is kept. */
#define ROOM_KEPT_BYTES ((size_t)4 << 20)
#define LOOK_MS         100
#define KEY_MAX_BYTES   ((size_t)1 << 30)
#define CURSOR_BEGINS   "{\"cursor\":\""

struct line_source {
	struct migrate_source source;
	const char *name;
	enum line_places places;
	const struct migrate_selection *selection;
	struct handler_context context; /* of the reader of lines */
	struct backend nowhere;
	int fd;
	atomic_bool is_interrupted;

	struct buffer input; /* from `at` on; no line end before `seen` */
	size_t at, seen;
	bool is_at_end;

	/* After the last line that belongs to a batch. */
	uint64_t offset, line;
	uint64_t came;          /* entries of the current export */
	int64_t exported_at_us; /* of its first line; 0: none */
	bool has_header, is_complete;
	char *error; /* of an export that ended early */
	struct import_entry held;
	bool has_held;
	uint64_t held_bytes; /* of its line */

	bool (*ended)(void *user, struct migrate_failure *failure);
	void (*closed)(void *user);
	bool (*look)(void *user, const struct migrate_batch *batch, struct migrate_batch *ret,
		     struct migrate_failure *failure);
	void *user;
};

static struct line_source *line_source_of(struct migrate_source *source)
{
	return (struct line_source *)(void *)source;
}

/* ---- Input ---- */

static void make_room(struct line_source *source)
{
	struct buffer *input = &source->input;

	if (source->at > 0) {
		input->len -= source->at;
		source->seen -= source->at;
		memmove(input->data, input->data + source->at, input->len);
		source->at = 0;
	}
	if (input->capacity > ROOM_KEPT_BYTES && input->len < ROOM_KEPT_BYTES / 2) {
		char *smaller = realloc(input->data, ROOM_KEPT_BYTES);

		if (smaller) {
			input->data = smaller;
			input->capacity = ROOM_KEPT_BYTES;
		}
	}
}

/* Reads more. False: the end, or a failure. */
static bool read_more(struct line_source *source, struct migrate_failure *failure)
{
	struct pollfd poll_fd = {.fd = source->fd, .events = POLLIN};
	ssize_t got = 0;

	make_room(source);
	if (!buffer_reserve(&source->input, READ_BYTES))
		return migrate_fail(failure, CLIENT_LOCAL, "out of memory for a line of %s",
				    source->name);
	do
		if (atomic_load(&source->is_interrupted))
			return migrate_fail(failure, CLIENT_LOCAL, "interrupted");
	while (poll(&poll_fd, 1, LOOK_MS) == 0);
	do
		got = read(source->fd, source->input.data + source->input.len, READ_BYTES);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return migrate_fail(failure, CLIENT_LOCAL, "cannot read %s: %s", source->name,
				    strerror(errno));
	source->input.len += (size_t)got;
	source->is_at_end = got == 0;
	return got > 0;
}

/* The next line without its end; *ret_bytes with it. False: there is none, or a failure. */
static bool next_line(struct line_source *source, char **ret, size_t *ret_len,
		      struct migrate_failure *failure)
{
	struct buffer *input = &source->input;

	for (;;) {
		char *feed = source->seen < input->len ? memchr(input->data + source->seen, '\n',
								input->len - source->seen)
						       : NULL;

		source->seen = feed ? (size_t)(feed - input->data) + 1 : input->len;
		if (feed || (source->is_at_end && source->at < input->len)) {
			*ret = input->data + source->at;
			*ret_len = (size_t)((feed ? feed : input->data + input->len) - *ret);
			source->at = source->seen;
			return true;
		}
		if (source->is_at_end || (!read_more(source, failure) && !source->is_at_end))
			return false;
	}
}

/* ---- Lines ---- */

/* Entries without a time of their own are as old as their export. */
static int64_t modified_at(const struct line_source *source, const struct import_entry *entry)
{
	return entry->modified_at_us > 0 ? entry->modified_at_us : source->exported_at_us;
}

static bool is_expired(const struct import_entry *entry)
{
	return entry->history.expires_at_us > 0 &&
	       entry->history.expires_at_us <= cache_clock_now_us(&system_clock);
}

/* Puts the held entry into the batch. False: it does not belong there, or (with `failure`) memory
 * is out. */
static bool place_held(struct line_source *source, struct migrate_batch *ret,
		       struct migrate_failure *failure)
{
	struct import_entry *entry = &source->held;
	uint64_t bytes = entry->item.key.len + entry->item.value->len_bytes;

	if (ret->count > 0 &&
	    (strcmp(ret->ns, entry->ns) != 0 || !migrate_batch_takes(ret, bytes) ||
	     migrate_batch_has(ret, entry->item.key)))
		return false;
	memcpy(ret->ns, entry->ns, sizeof(ret->ns));
	struct cache_value *value = entry->item.value;
	entry->item.value = NULL;
	if (!migrate_batch_add(ret, entry->item.key, value, &entry->history, entry->item.size_bytes,
			       modified_at(source, entry)))
		return migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	import_entry_deinit(entry);
	source->has_held = false;
	source->offset += source->held_bytes;
	ret->input_bytes += source->held_bytes;
	source->came++;
	source->line++;
	return true;
}

/* A line that gives no entry for the batch. */
static void pass_line(struct line_source *source, size_t bytes, struct migrate_batch *ret)
{
	source->offset += bytes;
	source->line++;
	ret->input_bytes += bytes;
}

static void take_entry(struct line_source *source, struct import_entry *entry, size_t bytes,
		       struct migrate_batch *ret)
{
	bool is_selected = migrate_selects(source->selection, entry->ns);

	if (is_selected && !is_expired(entry)) {
		source->held = *entry;
		source->has_held = true;
		source->held_bytes = bytes;
		return;
	}
	ret->expired += is_selected;
	source->came++;
	import_entry_deinit(entry);
	pass_line(source, bytes, ret);
}

static void report_line(const struct line_source *source, const char *error)
{
	char line[48];

	(void)snprintf(line, sizeof(line), "line %" PRIu64, source->line + 1);
	migrate_report_entry(line, (struct slice){0}, error);
}

static bool end_export(struct line_source *source, uint64_t entries,
		       struct migrate_failure *failure)
{
	source->is_complete = true;
	/* A server continues its count neither. */
	if (entries == ENTRIES_UNKNOWN || entries == source->came ||
	    source->places == LINE_PLACES_CURSORS)
		return true;
	return migrate_fail(failure, CLIENT_REFUSED,
			    "%s says that it has %" PRIu64 " entries, and %" PRIu64
			    " lines of them came; some were lost or added",
			    source->name, entries, source->came);
}

/* Keeps the cursor as the place of the batch. True: the batch ends here. */
static bool take_cursor(const struct line_source *source, struct slice cursor,
			struct migrate_batch *ret)
{
	if (source->places != LINE_PLACES_CURSORS || cursor.len == 0)
		return false;
	ret->place.len = 0;
	buffer_append(&ret->place, cursor);
	return true;
}

/* The text of a cursor line, before the line is read. */
static struct slice cursor_of(const char *text, size_t len)
{
	size_t start = sizeof(CURSOR_BEGINS) - 1;
	struct slice line = {.data = text, .len = len};

	if (!slice_starts_with(line, SLICE(CURSOR_BEGINS)))
		return (struct slice){0};
	const char *end = memchr(text + start, '"', len - start);
	return (struct slice){.data = text + start, .len = end ? (size_t)(end - text) - start : 0};
}

enum taking { TAKES_MORE, BATCH_ENDS, TAKING_FAILED };

static enum taking take_line(struct line_source *source, char *text, size_t len, size_t bytes,
			     struct migrate_batch *ret, struct migrate_failure *failure)
{
	char error[IMPORT_ERROR_BYTES] = "";
	struct import_line_result line = {0};
	struct slice cursor = cursor_of(text, len);
	bool ends = false;

	if (strspn(text, " \t\r") >= len) {
		pass_line(source, bytes, ret);
		return TAKES_MORE;
	}
	char *kept = cursor.len > 0 ? strndup(cursor.data, cursor.len) : NULL;
	enum import_kind kind =
		import_line_read(&source->context, (struct slice){0}, text, len, &line, error);
	if (kind != LINE_ENTRY && kind != LINE_OTHER)
		source->is_complete = false;
	switch (kind) {
	case LINE_ENTRY:
		source->is_complete = false;
		take_entry(source, &line.entry, bytes, ret);
		free(kept);
		return TAKES_MORE;
	case LINE_COMPLETE:
		if (!end_export(source, line.entries, failure))
			return TAKING_FAILED;
		break;
	case LINE_HEADER:
		source->has_header = true;
		source->came = 0;
		source->exported_at_us = line.exported_at_us;
		break;
	case LINE_CURSOR:
		ends = take_cursor(source, slice_of(kept), ret);
		break;
	case LINE_OTHER:
		source->is_complete = false;
		break;
	case LINE_BAD:
		source->came++;
		ret->unreadable++;
		report_line(source, error);
		break;
	case LINE_UNKNOWN_FORMAT:
	case LINE_NO_MEMORY:
		free(kept);
		(void)migrate_fail(failure, kind == LINE_NO_MEMORY ? CLIENT_LOCAL : CLIENT_REFUSED,
				   "%s, line %" PRIu64 ": %s", source->name, source->line + 1,
				   error);
		return TAKING_FAILED;
	}
	free(kept);
	pass_line(source, bytes, ret);
	return ends ? BATCH_ENDS : TAKES_MORE;
}

/* ---- Batches ---- */

static void write_place(const struct line_source *source, struct migrate_batch *ret)
{
	if (source->places != LINE_PLACES_OFFSETS)
		return;
	ret->place.len = 0;
	buffer_printf(&ret->place, "%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRId64 ":%d",
		      source->offset, source->line, source->came, source->exported_at_us,
		      source->has_header);
}

static bool go_to(struct line_source *source, const char *place)
{
	uint64_t *const numbers[] = {&source->offset, &source->line, &source->came};
	char *end = NULL;

	if (source->places != LINE_PLACES_OFFSETS)
		return true;
	for (size_t i = 0; i < 3; i++, place = end + 1) {
		*numbers[i] = strtoull(place, &end, 10);
		if (end == place || *end != ':')
			return false;
	}
	source->exported_at_us = strtoll(place, &end, 10);
	if (end == place || *end != ':')
		return false;
	source->has_header = end[1] == '1';
	return lseek(source->fd, (off_t)source->offset, SEEK_SET) >= 0;
}

/* At the end: whether all of it came. */
static enum migrate_step judge_end(struct line_source *source, struct migrate_failure *failure)
{
	if (source->ended && !source->ended(source->user, failure))
		return MIGRATE_FAILED;
	if ((!source->has_header && source->places != LINE_PLACES_CURSORS) || source->is_complete)
		return MIGRATE_END;
	(void)migrate_fail(failure, CLIENT_REFUSED,
			   "%s is incomplete: it lacks the last line of an export; what came was "
			   "taken",
			   source->name);
	return MIGRATE_FAILED;
}

static enum migrate_step next(struct migrate_source *base, struct migrate_batch *ret,
			      struct migrate_failure *failure)
{
	struct line_source *source = line_source_of(base);
	enum taking taking = TAKES_MORE;

	failure->code = CLIENT_DONE;
	while (taking == TAKES_MORE) {
		char *text = NULL;
		size_t len = 0;

		if (source->has_held && !place_held(source, ret, failure))
			break;
		if (!next_line(source, &text, &len, failure))
			break;
		taking = take_line(source, text, len, len + 1, ret, failure);
	}
	if (failure->code != CLIENT_DONE)
		return MIGRATE_FAILED;
	if (ret->count + ret->expired + ret->unreadable == 0 && ret->input_bytes == 0)
		return judge_end(source, failure);
	write_place(source, ret);
	return MIGRATE_BATCH;
}

static bool look(struct migrate_source *base, const struct migrate_batch *batch,
		 struct migrate_batch *ret, struct migrate_failure *failure)
{
	struct line_source *source = line_source_of(base);

	return source->look(source->user, batch, ret, failure);
}

static void interrupt(struct migrate_source *base)
{
	atomic_store(&line_source_of(base)->is_interrupted, true);
}

static void close_source(struct migrate_source *base)
{
	struct line_source *source = line_source_of(base);

	if (source->fd >= 0)
		(void)close(source->fd);
	if (source->closed)
		source->closed(source->user);
	if (source->has_held)
		import_entry_deinit(&source->held);
	buffer_deinit(&source->input);
	free(base->namespaces);
	free(source);
}

static const struct migrate_source_ops source_ops = {
	.next = next,
	.look = look,
	.interrupt = interrupt,
	.close = close_source,
};

struct migrate_source *line_source_open(int fd, const char *name, enum line_places places,
					const struct migrate_selection *selection,
					const char *place, struct migrate_failure *failure)
{
	static const struct backend_ops no_ops;
	struct line_source *source = calloc(1, sizeof(*source));
	struct stat status;

	if (!source) {
		(void)close(fd);
		(void)migrate_fail(failure, CLIENT_LOCAL, "out of memory");
		return NULL;
	}
	source->source = (struct migrate_source){
		.ops = &source_ops,
		.has_places = places != LINE_PLACES_NONE,
	};
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
		source->source.total_bytes = (uint64_t)status.st_size;
		source->source.total_is_of_input = true;
	}
	source->name = name;
	source->places = places;
	source->selection = selection;
	source->nowhere.ops = &no_ops;
	source->context = (struct handler_context){
		.backend = &source->nowhere,
		.clock = &system_clock,
		.max_body_bytes = CACHE_VALUE_MAX_BYTES,
		.max_key_bytes = KEY_MAX_BYTES,
	};
	source->fd = fd;
	if (!place || go_to(source, place))
		return &source->source;
	(void)migrate_fail(failure, CLIENT_USAGE, "the state is not one of %s", name);
	close_source(&source->source);
	return NULL;
}

struct migrate_source *line_source_open_file(const char *path,
					     const struct migrate_selection *selection,
					     const char *place, struct migrate_failure *failure)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
			  : open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0) {
		(void)migrate_fail(failure, errno == ENOENT ? CLIENT_NOT_FOUND : CLIENT_LOCAL,
				   "cannot open %s: %s", path, strerror(errno));
		return NULL;
	}
	bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && !is_stdin;
	return line_source_open(fd, is_stdin ? "the standard input" : path,
				is_file ? LINE_PLACES_OFFSETS : LINE_PLACES_NONE, selection, place,
				failure);
}

void line_source_on_end(struct migrate_source *source,
			bool (*ended)(void *user, struct migrate_failure *failure),
			void (*closed)(void *user), void *user)
{
	struct line_source *lines = line_source_of(source);

	lines->ended = ended;
	lines->closed = closed;
	lines->user = user;
}

void line_source_on_look(struct migrate_source *source,
			 bool (*look_fn)(void *user, const struct migrate_batch *batch,
					 struct migrate_batch *ret,
					 struct migrate_failure *failure))
{
	line_source_of(source)->look = look_fn;
	source->is_shared = true;
}
