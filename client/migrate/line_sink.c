#include "client/migrate/line_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/output.h"
#include "handlers/transfer/export_line.h"

struct line_sink {
	struct migrate_sink sink;
	const char *name;
	int fd; /* -1: a dry run */
	bool is_stdout;
	struct buffer out;
	uint64_t offset, entries;
};

static struct line_sink *line_sink_of(struct migrate_sink *sink)
{
	return (struct line_sink *)(void *)sink;
}

static bool flush(struct line_sink *sink, struct migrate_failure *failure)
{
	bool good = !sink->out.failed;

	if (!good)
		(void)migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	else if (sink->fd >= 0 && !output_write(sink->fd, buffer_bytes(&sink->out)))
		good = migrate_fail(failure, CLIENT_LOCAL, "cannot write to %s: %s", sink->name,
				    strerror(errno));
	if (good)
		sink->offset += sink->out.len;
	sink->out.len = 0;
	return good;
}

static void write_entry(struct buffer *out, const char *ns, const struct merge_entry *entry)
{
	const struct cache_history *history = entry->item.history;
	int64_t now_us = cache_clock_now_us(&system_clock);
	struct cache_value *value = entry->item.value;
	struct cache_entry_info info = {
		.key = entry->item.key,
		.size_bytes = entry->item.size_bytes,
		.etag = value->etag,
		.frequency = history->frequency > 0 ? history->frequency : 1,
		.created_at_us = history->created_at_us > 0 ? history->created_at_us : now_us,
		.last_access_us = history->last_access_us > 0 ? history->last_access_us : now_us,
	};
	struct export_line line = {.ns = ns, .info = &info, .value = value};

	/* The times of the line; nobody else has the value. */
	value->expires_at_us = history->expires_at_us;
	value->modified_at_us = entry->modified_us;
	(void)export_line_append(out, &line, SIZE_MAX);
}

void line_sink_write_batch(struct buffer *out, const struct migrate_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->entries[i].outcome == MERGE_UNDECIDED)
			write_entry(out, batch->ns, &batch->entries[i]);
}

static bool put(struct migrate_sink *base, struct migrate_batch *batch,
		struct migrate_failure *failure)
{
	struct line_sink *sink = line_sink_of(base);

	if (!base->is_dry) {
		line_sink_write_batch(&sink->out, batch);
		if (!flush(sink, failure))
			return false;
	}
	for (size_t i = 0; i < batch->count; i++)
		batch->entries[i].outcome = MERGE_STORED;
	sink->entries += batch->count;
	batch->sink_mark = sink->offset;
	return true;
}

static bool settle(struct migrate_sink *base, struct migrate_failure *failure)
{
	struct line_sink *sink = line_sink_of(base);

	return sink->fd < 0 || sink->is_stdout || fsync(sink->fd) == 0 || errno == EINVAL ||
	       migrate_fail(failure, CLIENT_LOCAL, "cannot write to %s: %s", sink->name,
			    strerror(errno));
}

static bool finish(struct migrate_sink *base, struct migrate_failure *failure)
{
	struct line_sink *sink = line_sink_of(base);

	if (base->is_dry)
		return true;
	buffer_printf(&sink->out, "{\"complete\":true,\"entries\":%" PRIu64 "}\n", sink->entries);
	return flush(sink, failure) && settle(base, failure);
}

static void close_sink(struct migrate_sink *base)
{
	struct line_sink *sink = line_sink_of(base);

	if (sink->fd >= 0)
		(void)close(sink->fd);
	buffer_deinit(&sink->out);
	free(sink);
}

static const struct migrate_sink_ops sink_ops = {
	.put = put,
	.settle = settle,
	.finish = finish,
	.close = close_sink,
};

/* An export is as private as the cache. */
static bool open_file(struct line_sink *sink, const char *path, bool replaces, uint64_t mark,
		      struct migrate_failure *failure)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
	struct stat status;

	sink->is_stdout = strcmp(path, "-") == 0;
	if (sink->is_stdout) {
		sink->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		return sink->fd >= 0 ||
		       migrate_fail(failure, CLIENT_LOCAL,
				    "cannot write to the standard output: %s", strerror(errno));
	}
	if (mark == 0 && !replaces && stat(path, &status) == 0 && status.st_size > 0)
		return migrate_fail(failure, CLIENT_USAGE,
				    "%s is there already; remove it, name another file, or give "
				    "--overwrite",
				    path);
	sink->fd = open(path, flags, 0600);
	if (sink->fd >= 0 && fstat(sink->fd, &status) == 0 && S_ISREG(status.st_mode)) {
		if ((uint64_t)status.st_size < mark)
			return migrate_fail(failure, CLIENT_USAGE,
					    "%s is shorter than the state says; remove the state "
					    "file to begin again",
					    path);
		if (ftruncate(sink->fd, (off_t)mark) == 0 &&
		    lseek(sink->fd, (off_t)mark, SEEK_SET) >= 0)
			return true;
	} else if (sink->fd >= 0) {
		return true;
	}
	return migrate_fail(failure, CLIENT_LOCAL, "cannot write to %s: %s", path, strerror(errno));
}

struct migrate_sink *line_sink_open(const char *path, bool replaces, bool is_dry, uint64_t mark,
				    uint64_t entries, struct migrate_failure *failure)
{
	struct line_sink *sink = calloc(1, sizeof(*sink));

	if (!sink) {
		(void)migrate_fail(failure, CLIENT_LOCAL, "out of memory");
		return NULL;
	}
	sink->sink = (struct migrate_sink){.ops = &sink_ops, .lanes = 1, .is_dry = is_dry};
	sink->name = strcmp(path, "-") == 0 ? "the standard output" : path;
	sink->fd = -1;
	sink->offset = mark;
	sink->entries = entries;
	if (!is_dry && !open_file(sink, path, replaces, mark, failure)) {
		close_sink(&sink->sink);
		return NULL;
	}
	if (mark == 0)
		export_line_append_header(&sink->out, STEADYCACHE_VERSION,
					  cache_clock_now_us(&system_clock));
	return &sink->sink;
}
