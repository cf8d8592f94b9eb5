/* The tables of the database (schema.c explains them). */
#ifndef STEADYCACHE_SQLITE_SCHEMA_H
#define STEADYCACHE_SQLITE_SCHEMA_H

#include <sqlite3.h>

/* Creates the tables of a new file, or what an older one lacks. SQLITE_OK, or an error and nothing
 * is changed. The caller holds the lock of the folder. */
int schema_create(sqlite3 *db);
int schema_complete(sqlite3 *db);

/* How many columns of this name a table `namespaces` has: a query. */
#define SCHEMA_HAS_COLUMN(name)                                                                    \
	"SELECT count(*) FROM pragma_table_info('namespaces') WHERE name = '" name "'"
/* The last column that was added: who has it lacks none. */
#define SCHEMA_LAST_COLUMN "put_status"

#endif
