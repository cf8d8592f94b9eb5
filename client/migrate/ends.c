#include "client/migrate/ends.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include "client/migrate/backend_read.h"
#include "client/migrate/backend_sink.h"
#include "client/migrate/backend_source.h"
#include "client/migrate/line_sink.h"
#include "client/migrate/line_source.h"
#include "client/migrate/server_end.h"
#include "client/migrate/server_sink.h"
#include "client/migrate/server_source.h"
#include "store/find.h"

/* ---- Reading ---- */

static bool begins(const char *text, const char *start)
{
	return strncasecmp(text, start, strlen(start)) == 0;
}

/* Nobody's defaults may evict what is being copied: a sink has none. Its servers have theirs. */
static void set_no_limits(void *user, struct slice ns, struct namespace_settings *ret)
{
	(void)user;
	(void)ns;
	ret->max_size_bytes = 0;
	ret->capacity = CAPACITY_UNLIMITED;
}

/* Which of two strange defaults a store of a source has now: what differs between them in its
 * answers was set by nobody. */
static bool uses_second_defaults;

static void set_strange_defaults(void *user, struct slice ns, struct namespace_settings *ret)
{
	(void)user;
	(void)ns;
	ret->max_size_bytes = UINT64_C(1) << (uses_second_defaults ? 51 : 50);
	ret->capacity = INT64_C(1) << (uses_second_defaults ? 51 : 50);
	ret->default_ttl_s = uses_second_defaults ? 2 : 1;
	ret->policy = uses_second_defaults ? EVICT_FIFO : EVICT_LRU;
}

static void print_notice(void *user, enum notice_level level, const char *sentence)
{
	const struct migrate_end *end = user;

	if (level >= NOTICE_WARN)
		(void)fprintf(stderr, "%s: %s\n", end->label, sentence);
}

static bool read_store(struct migrate_end *end, struct migrate_failure *failure)
{
	char error[500] = "";
	struct backend_config base = {
		.defaults = end->is_source ? set_strange_defaults : set_no_limits,
		.notice = print_notice,
		.notice_user = end,
		.is_alone = !end->is_source,
	};

	if (!end->loan->place(&end->place, &base, end->text, error, sizeof(error)))
		return migrate_fail(failure, CLIENT_USAGE, "%s", error);
	end->label = end->place.label;
	if (end->place.ops->bits & BACKEND_KEEPS_NOTHING)
		return migrate_fail(failure, CLIENT_USAGE, "%s keeps nothing", end->label);
	/* Without a file, nothing was there before this process, and nothing is left after it. */
	if (!(end->place.ops->bits & (BACKEND_PERSISTS | BACKEND_REMOTE)))
		return migrate_fail(failure, CLIENT_USAGE,
				    "%s: a memory of this process has nothing to give or to keep; "
				    "use the URL of its server (http://host:port)",
				    end->label);
	return true;
}

bool migrate_end_read(struct migrate_end *end, const char *text, bool is_source,
		      const struct client_loan *loan, struct migrate_failure *failure)
{
	*end = (struct migrate_end){
		.is_source = is_source,
		.text = text,
		.label = text,
		.loan = loan,
	};
	if (begins(text, "http://") || begins(text, "https://")) {
		end->kind = MIGRATE_SERVER;
		if (strcspn(text, "@?#") != strlen(text))
			return migrate_fail(failure, CLIENT_USAGE,
					    "the URL of a server is http://host:port; a token is "
					    "given by STEADYCACHE_%s_API_KEY",
					    is_source ? "FROM" : "TO");
		return true;
	}
	if (backend_scheme_len(text) > 0) {
		end->kind = MIGRATE_STORE;
		return read_store(end, failure);
	}
	end->kind = MIGRATE_FILE;
	if (*text == '\0')
		return migrate_fail(failure, CLIENT_USAGE, "an operand is empty");
	return true;
}

/* ---- Comparing ---- */

static bool is_same_file(const char *a, const char *b)
{
	struct stat left, right;

	return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
	       left.st_ino == right.st_ino;
}

bool migrate_end_is_same(const struct migrate_end *a, const struct migrate_end *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == MIGRATE_FILE && strcmp(a->text, "-") == 0)
		return false; /* one is the input, the other the output */
	if (strcasecmp(a->text, b->text) == 0)
		return true;
	if (a->kind == MIGRATE_FILE)
		return is_same_file(a->text, b->text);
	return a->kind == MIGRATE_STORE && a->place.wants_dir && b->place.wants_dir &&
	       !a->place.ops->shares_dir && !b->place.ops->shares_dir &&
	       is_same_file(a->place.config.data_dir, b->place.config.data_dir);
}

/* ---- Opening ---- */

/* Puts the layers around a backend, or closes it: NULL, with a sentence. */
static struct backend *wrap(const struct migrate_end *end, struct backend *backend, char *error,
			    size_t error_size)
{
	struct backend *outer = backend;

	if (end->large)
		outer = end->loan->large(backend, end->large, &end->place.config, error,
					 error_size);
	if (!outer) {
		backend->ops->close(backend);
		return NULL;
	}
	struct backend *packed = end->loan->packed(outer);
	if (!packed) {
		(void)snprintf(error, error_size, "out of memory");
		outer->ops->close(outer);
	}
	return packed;
}

static bool open_store(struct migrate_end *end, bool only_reads, struct migrate_failure *failure)
{
	char error[800] = "";

	if (end->backend)
		return true;
	/* It is not made, and another process may use it. */
	if (only_reads && end->place.ops->reading)
		end->place.ops = end->place.ops->reading;
	bool is_ready = only_reads ? backend_place_check(&end->place, error, sizeof(error))
				   : end->loan->prepare(&end->place, error, sizeof(error));
	if (!is_ready)
		return migrate_fail(failure, CLIENT_USAGE, "%s", error);
	struct backend *backend = backend_place_open(&end->place, error, sizeof(error));
	end->backend = backend ? wrap(end, backend, error, sizeof(error)) : NULL;
	if (!end->backend)
		(void)migrate_fail(failure, CLIENT_UNREACHABLE, "%s", error);
	return end->backend != NULL;
}

/* Whether nothing could be there yet: no directory, or an empty one. */
static bool is_unused(const struct migrate_end *end)
{
	DIR *folder = end->place.wants_dir ? opendir(end->place.config.data_dir) : NULL;
	size_t count = 0;

	if (!folder)
		return end->place.wants_dir && errno == ENOENT;
	while (readdir(folder))
		count++;
	(void)closedir(folder);
	return count <= 2; /* "." and ".." */
}

/* What two statistics agree on although the defaults have changed in between. */
static unsigned configured(const struct namespace_settings *a, const struct namespace_settings *b,
			   unsigned bits)
{
	unsigned mask = 0;

	if (bits & BACKEND_LIMITS && a->max_size_bytes == b->max_size_bytes)
		mask |= SETTING_MAX_SIZE;
	if (bits & BACKEND_LIMITS && a->capacity == b->capacity)
		mask |= SETTING_CAPACITY;
	if (a->default_ttl_s == b->default_ttl_s)
		mask |= SETTING_DEFAULT_TTL;
	if (bits & BACKEND_EXACT_EVICTION && a->policy == b->policy)
		mask |= SETTING_POLICY;
	if (a->stale_ttl_s > 0)
		mask |= SETTING_STALE_TTL;
	if (a->max_idle_s > 0)
		mask |= SETTING_MAX_IDLE;
	if (a->compression != COMPRESSION_NONE)
		mask |= SETTING_COMPRESSION;
	if (a->put_status > 0)
		mask |= SETTING_PUT_STATUS;
	return mask;
}

static struct migrate_namespace *note_namespaces(const struct cache_op *op, unsigned bits,
						 const struct cache_op *again,
						 const struct migrate_selection *selection,
						 size_t *ret_count)
{
	struct migrate_namespace *ret = calloc(op->stats_count + 1, sizeof(*ret));

	*ret_count = 0;
	for (size_t i = 0; ret && i < op->stats_count; i++) {
		const struct namespace_stats *stats = &op->stats[i];
		struct migrate_namespace *ns = &ret[*ret_count];

		if (!migrate_selects(selection, stats->name))
			continue;
		memcpy(ns->name, stats->name, sizeof(ns->name));
		ns->settings = stats->settings;
		ns->entries = stats->entry_count;
		ns->bytes = stats->total_size_bytes;
		for (size_t j = 0; j < again->stats_count; j++)
			if (strcmp(again->stats[j].name, ns->name) == 0)
				ns->mask =
					configured(&ns->settings, &again->stats[j].settings, bits);
		(*ret_count)++;
	}
	return ret;
}

/* The namespaces of a source, by name; NULL on failure. */
static struct migrate_namespace *list_namespaces(struct backend *backend,
						 const struct migrate_selection *selection,
						 size_t *ret_count, struct migrate_failure *failure)
{
	struct migrate_namespace *ret = NULL;
	struct cache_op first, second;

	cache_op_init(&first, CACHE_OP_STATS);
	cache_op_init(&second, CACHE_OP_STATS);
	uses_second_defaults = false;
	enum cache_status status = backend_call(backend, &first);
	const struct cache_op *failed = &first;
	if (status == CACHE_OK) {
		uses_second_defaults = true;
		status = backend_call(backend, &second);
		failed = &second;
	}
	if (status != CACHE_OK)
		(void)migrate_fail_op(failure, "cannot list the namespaces", status, failed->detail,
				      0);
	else if (!(ret = note_namespaces(&first, backend->ops->bits, &second, selection,
					 ret_count)))
		(void)migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	cache_op_deinit(&first);
	cache_op_deinit(&second);
	return ret;
}

struct migrate_source *migrate_end_source(struct migrate_end *end,
					  const struct migrate_selection *selection,
					  const char *place, struct migrate_failure *failure)
{
	size_t count = 0;

	if (end->kind == MIGRATE_FILE)
		return line_source_open_file(end->text, selection, place, failure);
	if (end->kind == MIGRATE_SERVER)
		return server_source_open(end->text, end->timeout_s, selection, place, failure);
	if (!open_store(end, true, failure))
		return NULL;
	struct migrate_namespace *namespaces =
		list_namespaces(end->backend, selection, &count, failure);
	return namespaces ? backend_source_open(end->backend, namespaces, count, place, failure)
			  : NULL;
}

struct migrate_sink *migrate_end_sink(struct migrate_end *end, enum merge_policy policy,
				      bool is_dry, uint64_t mark, uint64_t entries,
				      struct migrate_failure *failure)
{
	struct migrate_sink *sink = NULL;

	if (end->kind == MIGRATE_FILE || (is_dry && is_unused(end)))
		sink = line_sink_open(end->text, policy == MERGE_REPLACE, is_dry, mark, entries,
				      failure);
	else if (end->kind == MIGRATE_SERVER)
		sink = server_sink_open(end->text, SERVER_TO, policy, end->timeout_s, failure);
	else if (open_store(end, is_dry, failure))
		sink = backend_sink_open(end->backend, !(end->place.ops->bits & BACKEND_REMOTE),
					 failure);
	if (!sink)
		return NULL;
	sink->policy = policy;
	sink->is_dry = is_dry;
	return sink;
}

void migrate_end_close(struct migrate_end *end)
{
	if (end->backend)
		end->backend->ops->close(end->backend);
	end->backend = NULL;
	backend_place_deinit(&end->place);
}
