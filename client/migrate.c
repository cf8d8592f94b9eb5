/* `migrate`: copies entries between any two of backends, export files and servers. The work is done
 * by client/migrate/; here are the order of its steps, and what is told. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/command.h"
#include "client/interrupt.h"
#include "client/migrate/again.h"
#include "client/migrate/compare.h"
#include "client/migrate/ends.h"
#include "client/migrate/engine.h"
#include "client/migrate/report.h"
#include "client/output.h"
#include "client/remote_open.h"

struct migration {
	const struct arguments *arguments;
	struct migrate_end from, to;
	struct migrate_selection selection;
	enum merge_policy policy;
	bool is_dry, is_quiet, has_state, has_compared;
	struct migrate_state state;
	struct migrate_source *source;
	struct migrate_sink *sink;
	struct migrate_totals copied, compared;
	uint64_t settings_failed;
	int64_t started_us;
	struct migrate_failure failure;
};

static bool has(const struct migration *migration, enum client_option_id id)
{
	return migration->arguments->options[id] != NULL;
}

static bool only_compares(const struct migration *migration)
{
	return migration->is_dry && has(migration, OPT_VERIFY);
}

/* ---- Preparing ---- */

static bool refuse(struct migration *migration, const char *sentence)
{
	return migrate_fail(&migration->failure, CLIENT_USAGE, "%s", sentence);
}

/* Overwrites the password of a URL in the command line, which lists of processes show. */
static void hide_password(const char *operand)
{
	char *text = (char *)(uintptr_t)operand;
	char *start = strstr(text, "://");
	char *at = start ? strrchr(start, '@') : NULL;

	char *settings = strncasecmp(text, "plugin:", 7) == 0 ? strchr(text, '?') : NULL;

	if (at)
		memset(start + 3, '*', (size_t)(at - start - 3));
	if (settings)
		memset(settings + 1, '*', strlen(settings + 1));
}

static bool read_ends(struct migration *migration)
{
	const struct arguments *arguments = migration->arguments;
	const char *texts[2] = {arguments->operands[0], arguments->operands[1]};
	long timeout_s = 0;

	if (!remote_open_timeout(arguments, &timeout_s))
		return refuse(migration, "--timeout is wrong");
	if (!migrate_end_read(&migration->from, texts[0], true, arguments->loan,
			      &migration->failure) ||
	    !migrate_end_read(&migration->to, texts[1], false, arguments->loan,
			      &migration->failure))
		return false;
	migration->from.large = arguments->options[OPT_FROM_LARGE_VALUES];
	migration->to.large = arguments->options[OPT_TO_LARGE_VALUES];
	if ((migration->from.large && migration->from.kind != MIGRATE_STORE) ||
	    (migration->to.large && migration->to.kind != MIGRATE_STORE))
		return refuse(migration, "--from-large-values and --to-large-values are for "
					 "backends; a server knows its own, and a file has them");
	if (migration->from.large && migration->to.large &&
	    strcmp(migration->from.large, migration->to.large) == 0)
		return refuse(migration, "FROM and TO need stores of their own for large values: "
					 "each would remove what only the other names");
	migration->from.timeout_s = timeout_s;
	migration->to.timeout_s = timeout_s;
	if (migrate_end_is_same(&migration->from, &migration->to))
		return refuse(migration, "FROM and TO are the same");
	for (size_t i = 0; i < 2; i++)
		hide_password(texts[i]);
	return true;
}

static bool check_options(struct migration *migration)
{
	bool to_stdout = migration->to.kind == MIGRATE_FILE && strcmp(migration->to.text, "-") == 0;
	bool from_stdin =
		migration->from.kind == MIGRATE_FILE && strcmp(migration->from.text, "-") == 0;

	if (has(migration, OPT_OVERWRITE) && has(migration, OPT_SKIP_EXISTING))
		return refuse(migration, "--overwrite and --skip-existing exclude each other");
	if (has(migration, OPT_STATE) && from_stdin)
		return refuse(migration, "--state needs a FROM that can be read from the middle; "
					 "the standard input cannot");
	if (has(migration, OPT_STATE) && to_stdout)
		return refuse(migration, "--state needs a TO that is there later; the standard "
					 "output is not");
	if (has(migration, OPT_STATE) && migration->is_dry)
		return refuse(migration, "--dry-run has no state; leave --state away");
	if (has(migration, OPT_JSON) && to_stdout && !migration->is_dry)
		return refuse(migration, "--json needs another TO: the standard output is the "
					 "export's");
	if (to_stdout && !migration->is_dry && isatty(STDOUT_FILENO))
		return refuse(migration, "an export is nothing for a terminal; give a file");
	if (from_stdin && isatty(STDIN_FILENO))
		return refuse(migration, "give a file, or pipe an export in");
	if (has(migration, OPT_VERIFY) && from_stdin)
		return refuse(migration, "--verify reads FROM again; the standard input cannot be");
	if (has(migration, OPT_VERIFY) && migration->to.kind == MIGRATE_FILE)
		return refuse(migration,
			      "--verify cannot look up keys in a file; compare the other "
			      "way round: migrate FILE FROM --dry-run --verify");
	return true;
}

static bool open_state(struct migration *migration)
{
	const char *path = migration->arguments->options[OPT_STATE];
	struct buffer what = {0};

	if (!path)
		return true;
	buffer_printf(&what, "%s to %s", migration->from.label, migration->to.label);
	for (size_t i = 0; i < migration->selection.glob_count; i++)
		buffer_printf(&what, ", %s", migration->selection.globs[i]);
	buffer_append_char(&what, '\0');
	bool good =
		!what.failed || migrate_fail(&migration->failure, CLIENT_LOCAL, "out of memory");
	good = good && migrate_state_open(&migration->state, path, what.data, &migration->failure);
	migration->has_state = good;
	if (!good)
		migrate_state_close(&migration->state);
	buffer_deinit(&what);
	return good;
}

static bool open_ends(struct migration *migration)
{
	const struct migrate_state *state = &migration->state;
	const char *place = state->is_resumed && state->place.len > 1 ? state->place.data : NULL;

	migration->source = migrate_end_source(&migration->from, &migration->selection, place,
					       &migration->failure);
	if (migration->source)
		migration->sink =
			migrate_end_sink(&migration->to, migration->policy, migration->is_dry,
					 place ? state->sink_mark : 0,
					 place ? state->totals.stored : 0, &migration->failure);
	return migration->sink != NULL;
}

/* ---- Steps ---- */

static bool copy_settings(struct migration *migration)
{
	const struct migrate_source *source = migration->source;
	struct migrate_sink *sink = migration->sink;

	if (!sink->ops->configure || has(migration, OPT_NO_SETTINGS))
		return true;
	for (size_t i = 0; i < source->namespace_count; i++) {
		const struct migrate_namespace *ns = &source->namespaces[i];
		struct migrate_failure failure = {0};

		if (ns->mask == 0 ||
		    sink->ops->configure(sink, ns, migration->policy == MERGE_REPLACE, &failure))
			continue;
		if (failure.code == CLIENT_UNREACHABLE) {
			migration->failure = failure;
			return false;
		}
		migration->settings_failed++;
		migrate_report_entry(ns->name, (struct slice){0}, failure.text);
	}
	return true;
}

static bool copy(struct migration *migration)
{
	struct migrate_job job = {
		.source = migration->source,
		.sink = migration->sink,
		.work = migration->sink->ops->put,
		.looks_again = migrate_again_is_needed(migration->source, migration->sink),
		.verb = migration->is_dry ? "would be copied" : "copied",
		.is_quiet = migration->is_quiet,
		.state = migration->has_state ? &migration->state : NULL,
		.stop = &interrupt_signal,
		.totals = migration->state.totals,
	};

	bool good = migrate_engine_run(&job, &migration->failure);
	migration->copied = job.totals;
	if (good && migration->sink->ops->finish)
		good = migration->sink->ops->finish(migration->sink, &migration->failure);
	if (good && migration->has_state)
		migrate_state_remove(&migration->state);
	return good;
}

/* From the beginning: also what an earlier run has copied. */
static bool compare(struct migration *migration)
{
	migration->source->ops->close(migration->source);
	migration->source = migrate_end_source(&migration->from, &migration->selection, NULL,
					       &migration->failure);
	if (!migration->source)
		return false;
	struct migrate_job job = {
		.source = migration->source,
		.sink = migration->sink,
		.work = migrate_compare_work,
		.verb = "compared",
		.is_quiet = migration->is_quiet,
		.stop = &interrupt_signal,
	};
	bool good = migrate_engine_run(&job, &migration->failure);
	migration->compared = job.totals;
	migration->has_compared = true;
	return good;
}

/* ---- Telling ---- */

static void tell_json(const struct migration *migration, bool is_complete)
{
	const struct migrate_totals *copied = &migration->copied;
	const struct migrate_totals *compared = &migration->compared;
	double seconds = (double)(monotonic_now_us() - migration->started_us) / US_PER_S;
	json_auto_t *line = json_pack(
		"{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}",
		"complete", is_complete, "dry_run", migration->is_dry, "copied",
		(json_int_t)copied->stored, "bytes", (json_int_t)copied->bytes, "kept",
		(json_int_t)copied->kept, "expired", (json_int_t)copied->expired, "gone",
		(json_int_t)copied->gone, "failed", (json_int_t)copied->failed, "history_left_out",
		(json_int_t)copied->history_lost, "changed", (json_int_t)copied->changed,
		"settings_failed", (json_int_t)migration->settings_failed, "same",
		(json_int_t)compared->stored, "different", (json_int_t)compared->failed, "seconds",
		seconds);

	output_json(line, JSON_COMPACT | JSON_REAL_PRECISION(4));
}

static void tell_copied(const struct migration *migration)
{
	const struct migrate_totals *copied = &migration->copied;
	double seconds = (double)(monotonic_now_us() - migration->started_us) / US_PER_S;
	char size[16];

	(void)fprintf(stderr, "%s %" PRIu64 " entries (%s) from %s to %s in %.1f s",
		      migration->is_dry ? "would copy" : "copied", copied->stored,
		      output_size((double)copied->bytes, size), migration->from.label,
		      migration->to.label, seconds);
	(void)fprintf(stderr, "; %" PRIu64 " kept in TO, %" PRIu64 " expired, %" PRIu64 " failed",
		      copied->kept, copied->expired, copied->failed);
	if (copied->gone > 0)
		(void)fprintf(stderr, ", %" PRIu64 " gone meanwhile", copied->gone);
	if (copied->history_lost > 0)
		(void)fprintf(stderr, ", %" PRIu64 " without their histories",
			      copied->history_lost);
	if (migration->settings_failed > 0)
		(void)fprintf(stderr, ", settings of %" PRIu64 " namespaces not taken",
			      migration->settings_failed);
	(void)fputc('\n', stderr);
	if (copied->changed > 0)
		(void)fprintf(stderr,
			      "%" PRIu64 " changed in FROM time and again while they were copied: "
			      "run it again with --overwrite when there are fewer writes\n",
			      copied->changed);
}

static void tell(const struct migration *migration)
{
	if (!only_compares(migration))
		tell_copied(migration);
	if (migration->has_compared)
		(void)fprintf(stderr, "verified: %" PRIu64 " the same, %" PRIu64 " different\n",
			      migration->compared.stored, migration->compared.failed);
}

static void tell_how_to_go_on(const struct migration *migration)
{
	if (migration->is_dry)
		return;
	if (migration->has_state)
		(void)fprintf(
			stderr,
			"steadycache: incomplete; give the same command to go on (its place is "
			"in %s)\n",
			migration->state.path);
	else if (migration->to.kind == MIGRATE_FILE)
		(void)fputs("steadycache: incomplete; with --state FILE it could go on\n", stderr);
	else
		(void)fputs("steadycache: incomplete; give the same command again: what is there "
			    "is not stored twice (with --state FILE it would not be read again "
			    "either)\n",
			    stderr);
}

static int report(const struct migration *migration, bool is_complete)
{
	uint64_t beyond = migrate_reported_beyond();
	int code = CLIENT_DONE;

	if (beyond > 0)
		(void)fprintf(stderr, "and %" PRIu64 " more\n", beyond);
	if (migration->sink && has(migration, OPT_JSON))
		tell_json(migration, is_complete);
	else if (migration->sink && !migration->is_quiet)
		tell(migration);
	if (!is_complete && migration->failure.code != CLIENT_DONE)
		code = client_fail(migration->failure.code, "%s", migration->failure.text);
	if (!is_complete && migration->sink)
		tell_how_to_go_on(migration);
	if (code == CLIENT_DONE &&
	    (migration->copied.failed > 0 || migration->compared.failed > 0 ||
	     migration->settings_failed > 0))
		code = CLIENT_REFUSED;
	int finished = output_finish();
	return code == CLIENT_DONE ? finished : code;
}

static void close_all(struct migration *migration)
{
	if (migration->source)
		migration->source->ops->close(migration->source);
	if (migration->sink)
		migration->sink->ops->close(migration->sink);
	migrate_end_close(&migration->from);
	migrate_end_close(&migration->to);
	if (migration->has_state)
		migrate_state_close(&migration->state);
}

int command_migrate(const struct arguments *arguments)
{
	struct migration migration = {
		.arguments = arguments,
		.selection = {.globs = arguments->namespaces,
			      .glob_count = arguments->namespace_count},
		.policy = arguments->options[OPT_OVERWRITE]       ? MERGE_REPLACE
			  : arguments->options[OPT_SKIP_EXISTING] ? MERGE_KEEP
								  : MERGE_NEWER,
		.is_dry = arguments->options[OPT_DRY_RUN] != NULL,
		.is_quiet = arguments->options[OPT_QUIET] != NULL,
		.started_us = monotonic_now_us(),
	};

	interrupt_catch();
	bool good = read_ends(&migration) && check_options(&migration) && open_state(&migration) &&
		    open_ends(&migration) && copy_settings(&migration);
	if (good && !only_compares(&migration))
		good = copy(&migration);
	if (good && arguments->options[OPT_VERIFY])
		good = compare(&migration);
	int code = report(&migration, good);
	close_all(&migration);
	if (!good)
		interrupt_finish();
	return code;
}
