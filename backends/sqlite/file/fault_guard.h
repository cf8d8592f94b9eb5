/* Handles SIGBUS: memory mapped from a file that cannot be read, because the file was cut or its
 * disk fails.
 *
 * In a guarded range the page is replaced by zeros, and the fault is counted before anybody can
 * read them: the faulting thread and all others see the count change. Anywhere else the handler of
 * before is called, if there is one (the store may be in any program); else the process ends, with
 * one line on standard error, and at the next start SQLite recovers from its log. */
#ifndef STEADYCACHE_SQLITE_FAULT_GUARD_H
#define STEADYCACHE_SQLITE_FAULT_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Guards a range; its faults are counted in *faults and set *is_off. False: too many ranges, or no
 * handler. Both must live until fault_guard_remove. Any thread. */
bool fault_guard_add(char *bytes, size_t len, atomic_uint *faults, atomic_bool *is_off);
void fault_guard_remove(const char *bytes);

#endif
