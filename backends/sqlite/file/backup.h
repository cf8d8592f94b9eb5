/* Copies the database file of a server, running or not, without that server. */
#ifndef STEADYCACHE_SQLITE_BACKUP_H
#define STEADYCACHE_SQLITE_BACKUP_H

#include "base/backup.h"

enum backup_result sqlite_backup(struct backup_job *job); /* a backup_function */

#endif
