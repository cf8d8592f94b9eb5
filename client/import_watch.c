#include "client/import_watch.h"

#include <jansson.h>
#include <stdlib.h>

#include "client/output.h"

struct import_watched {
	char ns[NAMESPACE_MAX_LEN + 1];
	json_int_t entries, evictions; /* when it was asked about first */
	json_int_t stored;             /* since then */
	struct import_watched *next;
};

static struct import_watched *find(const struct import_watch *watch, const char *ns)
{
	struct import_watched *watched = watch->first;

	while (watched && strcmp(watched->ns, ns) != 0)
		watched = watched->next;
	return watched;
}

/* False: out of memory. */
static bool begin(struct import_watch *watch, const char *ns, json_int_t entries,
		  json_int_t evictions)
{
	struct import_watched *watched = calloc(1, sizeof(*watched));

	if (!watched)
		return false;
	(void)snprintf(watched->ns, sizeof(watched->ns), "%s", ns);
	watched->entries = entries;
	watched->evictions = evictions;
	watched->next = watch->first;
	watch->first = watched;
	return true;
}

static json_int_t number(const json_t *stats, const char *name)
{
	return json_integer_value(json_object_get(stats, name));
}

/* NULL: the failure says why. */
static json_t *read_stats(struct import_server *server, const char *ns)
{
	struct remote_request request = {.method = "GET"};
	struct remote_answer answer = {0};
	bool is_missing = false;
	json_t *stats = NULL;

	buffer_printf(&request.target, "/stats/%s", ns);
	if (import_server_ask(server, &request, &answer, &is_missing)) {
		stats = is_missing ? json_object()
				   : json_loadb(answer.body.data ? answer.body.data : "",
						answer.body.len, 0, NULL);
		if (!stats)
			(void)migrate_fail(&server->failure, CLIENT_UNREACHABLE,
					   "%s sent statistics that are no JSON",
					   server->remote.url);
	}
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return stats;
}

bool import_watch_evicted(struct import_watch *watch, struct import_server *server, const char *ns,
			  uint64_t *ret)
{
	struct import_watched *watched = find(watch, ns);
	json_auto_t *stats = read_stats(server, ns);
	json_int_t entries = number(stats, "entry_count");
	json_int_t evictions = number(stats, "evictions");

	if (!stats)
		return false;
	if (!watched && !begin(watch, ns, entries, evictions))
		return migrate_fail(&server->failure, CLIENT_LOCAL, "out of memory");
	if (watched) {
		json_int_t missing = watched->entries + watched->stored - entries;

		if (missing > evictions - watched->evictions)
			evictions = watched->evictions + missing;
	}
	*ret = evictions > 0 ? (uint64_t)evictions : 0;
	return true;
}

void import_watch_add(struct import_watch *watch, const char *ns, size_t count)
{
	struct import_watched *watched = find(watch, ns);

	if (watched)
		watched->stored += (json_int_t)count;
}

/* Whether a line of /readyz, "ok [BACKEND] memory", is of a memory that has no line "... copy". */
static bool is_forgetful(const char *lines, const char *line, size_t len)
{
	static const char memory[] = " memory";
	size_t prefix = len - (sizeof(memory) - 1);
	char copy[200];

	if (len < sizeof(memory) - 1 || memcmp(line + prefix, memory, sizeof(memory) - 1) != 0)
		return false;
	(void)snprintf(copy, sizeof(copy), "%.*s copy", (int)prefix, line);
	return strstr(lines, copy) == NULL;
}

bool import_watch_survives(struct import_server *server, bool *ret)
{
	struct remote_request request = {.method = "GET"};
	struct remote_answer answer = {0};

	buffer_append(&request.target, SLICE("/readyz"));
	bool good = import_server_ask(server, &request, &answer, NULL);
	*ret = good;
	/* Not everybody may ask that: a proxy stands before it. */
	if (!good && answer.status >= 400 && answer.status < 500) {
		server->failure = (struct migrate_failure){0};
		remote_answer_deinit(&answer);
		good = true;
	}
	buffer_append_char(&answer.body, '\0');
	if (good && answer.body.failed)
		good = migrate_fail(&server->failure, CLIENT_LOCAL, "out of memory");
	*ret &= good && strncmp(answer.body.data, "ok", 2) == 0; /* else it is another's page */
	for (const char *line = answer.body.data; good && *line;) {
		size_t len = strcspn(line, "\n");

		*ret &= !is_forgetful(answer.body.data, line, len);
		line += len + (line[len] == '\n');
	}
	remote_answer_deinit(&answer);
	buffer_deinit(&request.target);
	return good;
}

void import_watch_deinit(struct import_watch *watch)
{
	while (watch->first) {
		struct import_watched *watched = watch->first;

		watch->first = watched->next;
		free(watched);
	}
}
