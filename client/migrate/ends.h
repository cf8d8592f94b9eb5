/* The ends of a migration as users name them: the URL of a backend or of a server, or a file. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_ENDS_H
#define STEADYCACHE_CLIENT_MIGRATE_ENDS_H

#include "client/migrate/end.h"
#include "store/place.h"

enum migrate_end_kind { MIGRATE_FILE, MIGRATE_SERVER, MIGRATE_STORE };

struct migrate_end {
	enum migrate_end_kind kind;
	bool is_source;
	const char *text;  /* what the user wrote; the caller's */
	const char *label; /* without secrets */
	const struct client_loan *loan;
	long timeout_s;    /* of a server */
	const char *large; /* of a store: where it keeps large values; NULL: nowhere */
	/* of a store */
	struct backend_place place;
	struct backend *backend;
};

/* Reads `text` and opens nothing. migrate_end_close in any case. */
bool migrate_end_read(struct migrate_end *end, const char *text, bool is_source,
		      const struct client_loan *loan, struct migrate_failure *failure);

/* Whether two ends lead to the same entries, as far as that can be seen. */
bool migrate_end_is_same(const struct migrate_end *a, const struct migrate_end *b);

/* Opens the end as a source; again after that one was closed. NULL on failure. `place`: as in
 * backend_source_open. */
struct migrate_source *migrate_end_source(struct migrate_end *end,
					  const struct migrate_selection *selection,
					  const char *place, struct migrate_failure *failure);

/* Opens it as a sink. `mark` and `entries`: as in line_sink_open. */
struct migrate_sink *migrate_end_sink(struct migrate_end *end, enum merge_policy policy,
				      bool is_dry, uint64_t mark, uint64_t entries,
				      struct migrate_failure *failure);

void migrate_end_close(struct migrate_end *end);

#endif
