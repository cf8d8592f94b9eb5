/* `import-steadytext`: SteadyText's own caches into a running server. What is taken is decided in
 * steadytext/, where it goes in import_sink.c; here are the folders, and what is told. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/command.h"
#include "client/import_sink.h"
#include "client/interrupt.h"
#include "client/output.h"
#include "steadytext/import.h"

struct importing {
	bool is_quiet, is_json;
};

/* ---- Folders ---- */

static bool is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Where SteadyText itself has its caches. CLIENT_DONE, or another code after a line on stderr. */
static int default_folder(char ret[PATH_MAX])
{
	const char *cache_home = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	int len;

	if (cache_home && *cache_home)
		len = snprintf(ret, PATH_MAX, "%s/steadytext", cache_home);
	else if (home && *home)
		len = snprintf(ret, PATH_MAX, "%s/.cache/steadytext", home);
	else
		return client_fail(CLIENT_USAGE, "neither HOME nor XDG_CACHE_HOME is set: give "
						 "the folder of SteadyText's caches");
	if (len >= PATH_MAX)
		return client_fail(CLIENT_USAGE, "the path of SteadyText's folder is too long: "
						 "give the folder of its caches");
	return CLIENT_DONE;
}

/* The folder to read, which is there. */
static int find_folder(const struct arguments *arguments, char ret[PATH_MAX])
{
	const char *operand = arguments->operands[0];
	char caches[2][PATH_MAX + 20];

	if (operand) {
		struct stat status;

		if (stat(operand, &status) != 0)
			return client_fail(errno == ENOENT ? CLIENT_NOT_FOUND : CLIENT_LOCAL,
					   "cannot read %s: %s", operand, strerror(errno));
		if (!S_ISDIR(status.st_mode))
			return client_fail(CLIENT_USAGE,
					   "%s is no folder: give the one that it is in", operand);
		(void)snprintf(ret, PATH_MAX, "%s", operand);
		return CLIENT_DONE;
	}
	int code = default_folder(ret);
	if (code != CLIENT_DONE)
		return code;
	(void)snprintf(caches[0], sizeof(caches[0]), "%s/models/caches", ret);
	(void)snprintf(caches[1], sizeof(caches[1]), "%s/caches", ret);
	if (!is_folder(caches[0]) && !is_folder(caches[1]))
		return client_fail(CLIENT_NOT_FOUND,
				   "SteadyText has no caches here: there is neither %s nor %s; "
				   "give the folder",
				   caches[0], caches[1]);
	return CLIENT_DONE;
}

/* ---- Telling ---- */

static void tell(void *user, enum steadytext_level level, const char *sentence)
{
	const struct importing *importing = user;
	FILE *out = level == STEADYTEXT_INFO && !importing->is_json ? stdout : stderr;

	if (level == STEADYTEXT_INFO && (importing->is_quiet || importing->is_json))
		return;
	if (out == stderr)
		(void)fputs("steadycache: ", stderr);
	output_escaped(out, slice_of(sentence));
	(void)fputc('\n', out);
	/* What is told of one file stays together. */
	(void)fflush(out);
}

static bool is_over(void *user)
{
	(void)user;
	return interrupt_signal != 0;
}

static void tell_json(const struct steadytext_import *import, bool is_complete)
{
	json_auto_t *line = json_pack(
		"{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "complete", is_complete, "dry_run",
		import->is_dry, "files", (json_int_t)import->files, "files_before",
		(json_int_t)import->files_before, "files_failed", (json_int_t)import->files_failed,
		"imported", (json_int_t)import->entries, "kept", (json_int_t)import->kept,
		"skipped", (json_int_t)import->skipped, "evicted", (json_int_t)import->evicted);

	output_json(line, CLIENT_JSON);
}

/* What SteadyText needs to use the server. */
static void tell_next(const char *url)
{
	(void)fputs("SteadyText uses this server, and no longer these files, with:\n"
		    "  export STEADYTEXT_CACHE_BACKEND=d1\n  export STEADYTEXT_D1_API_URL=",
		    stdout);
	output_escaped(stdout, slice_of(url));
	(void)fputs("\n  export STEADYTEXT_D1_API_KEY=the-token-of-the-server\n", stdout);
}

static const char *files(uint64_t count)
{
	return count == 1 ? "file" : "files";
}

static int report(const struct importing *importing, const struct steadytext_import *import,
		  bool is_complete, const struct import_sink *sink)
{
	int code = CLIENT_DONE;

	if (importing->is_json) {
		tell_json(import, is_complete);
	} else if (!importing->is_quiet && !import->found_none) {
		(void)printf("%s %" PRIu64 " %s of %" PRIu64 " %s; %" PRIu64
			     " %s there already, %" PRIu64 " skipped; %" PRIu64
			     " %s imported before, %" PRIu64 " failed\n",
			     import->is_dry ? "would import" : "imported", import->entries,
			     import->entries == 1 ? "entry" : "entries", import->files,
			     files(import->files), import->kept, import->kept == 1 ? "was" : "were",
			     import->skipped, import->files_before, files(import->files_before),
			     import->files_failed);
		if (is_complete && !import->is_dry && import->files + import->files_before > 0)
			tell_next(import_sink_url(sink));
	}
	if (!is_complete)
		code = import_sink_code(sink) != CLIENT_DONE ? import_sink_code(sink)
							     : CLIENT_REFUSED;
	else if (import->skipped + import->evicted > 0)
		code = CLIENT_REFUSED;
	else if (import->found_none)
		code = CLIENT_NOT_FOUND;
	int finished = output_finish();
	return code == CLIENT_DONE ? finished : code;
}

int command_import_steadytext(const struct arguments *arguments)
{
	struct importing importing = {
		.is_quiet = arguments->options[OPT_QUIET] != NULL,
		.is_json = arguments->options[OPT_JSON] != NULL,
	};
	char dir[PATH_MAX];
	struct steadytext_import import = {
		.dir = dir,
		.keeps = arguments->options[OPT_KEEP] != NULL,
		.is_dry = arguments->options[OPT_DRY_RUN] != NULL,
		.again = arguments->options[OPT_AGAIN] != NULL,
		.shows_keys = true,
		.tell = tell,
		.is_over = is_over,
		.user = &importing,
	};
	struct import_sink *sink = NULL;

	interrupt_catch();
	int code = find_folder(arguments, dir);
	if (code == CLIENT_DONE)
		code = import_sink_open(arguments, &sink);
	if (code != CLIENT_DONE)
		return code;
	import.sink = import_sink_base(sink);
	bool is_complete = steadytext_import_run(&import);
	code = report(&importing, &import, is_complete, sink);
	import_sink_close(sink);
	if (!is_complete)
		interrupt_finish();
	return code;
}
