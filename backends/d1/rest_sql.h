/* The SQL that the Worker and REST mode share: worker/sql/statements.sql and worker/migrations,
 * built into the program as they stand. */
#ifndef STEADYCACHE_D1_REST_SQL_H
#define STEADYCACHE_D1_REST_SQL_H

#include <stdbool.h>

#include "backends/base/buffer.h"

#define REST_STATEMENTS_MAX 64
#define REST_MIGRATIONS_MAX 64

struct d1_sql {
	/* Owned; statements without comments and without the semicolon at their end. */
	char *names[REST_STATEMENTS_MAX], *texts[REST_STATEMENTS_MAX];
	size_t count;
	/* What makes the tables, in order. */
	char *migrations[REST_MIGRATIONS_MAX];
	size_t migration_count;
	size_t first_migration_count; /* those of the first file, which make the tables */
};

/* False: out of memory (or more statements than there is room for, which tests would see). */
bool d1_sql_init(struct d1_sql *sql);
/* A zeroed one is fine. */
void d1_sql_deinit(struct d1_sql *sql);

/* The statement called `name`, or NULL. */
const char *d1_sql_find(const struct d1_sql *sql, const char *name);

#endif
