/* A running server as the place where SteadyText's caches go (steadytext/import.h), by its API. */
#ifndef STEADYCACHE_CLIENT_IMPORT_SINK_H
#define STEADYCACHE_CLIENT_IMPORT_SINK_H

#include "client/command.h"
#include "steadytext/sink.h"

struct import_sink;

/* Opens the server of the environment, and asks it whether it lets us in. CLIENT_DONE, or another
 * code after a line on stderr. */
int import_sink_open(const struct arguments *arguments, struct import_sink **ret);

/* For an import. It lives as long as the import_sink. */
struct steadytext_sink *import_sink_base(struct import_sink *sink);

/* The exit code that the first failure of the server means; CLIENT_DONE: it had none. */
int import_sink_code(const struct import_sink *sink);
/* Its URL; lives as long as the sink. */
const char *import_sink_url(const struct import_sink *sink);

/* NULL is allowed. */
void import_sink_close(struct import_sink *sink);

#endif
