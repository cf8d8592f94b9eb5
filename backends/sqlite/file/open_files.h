/* The databases that this process has open.
 *
 * SQLite's locks are the kernel's record locks, which belong to a process and a file. A process
 * loses all that it has of a file when it closes any descriptor of it, and a child made by fork()
 * has none, while SQLite in its copied memory believes that it has those of the parent. Both would
 * let another process that closes the database remove the log that is in use here. So a descriptor
 * stays open until no store of the process has its file open, and a child does not open what its
 * parent had open.
 *
 * Any thread may call. */
#ifndef STEADYCACHE_SQLITE_OPEN_FILES_H
#define STEADYCACHE_SQLITE_OPEN_FILES_H

#include <stdbool.h>

struct open_file;

/* Whether the file at `path` was open in a process from which this one comes by fork(). */
bool open_files_are_of_parent(const char *path);
/* Opens the existing file at `path` to read; NULL with errno. */
struct open_file *open_files_add(const char *path);
/* Its descriptor. */
int open_files_fd(const struct open_file *file);
/* Call it after the last connection of the store is closed. NULL is allowed. */
void open_files_remove(struct open_file *file);

#endif
