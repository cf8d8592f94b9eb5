/* Watches code of a plugin, above all what runs while the server starts:
 *
 *  - A crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, also on a stack that is full)
 *    writes one sentence to the standard error that names the plugin, and goes on as it would
 *    without: to the handler that was there before (a sanitizer's), or to the end of the process by
 *    that signal. It is not survived: nobody knows what the plugin has left in memory, or locked.
 *  - An exit() by the plugin writes such a sentence, and the status becomes 2.
 *  - If it takes long, a notice says so, again and again.
 *
 * Signals' actions are those of the process, so one thread at a time has a guard; others wait. */
#ifndef STEADYCACHE_PLUGIN_GUARD_H
#define STEADYCACHE_PLUGIN_GUARD_H

#include "store/backend.h"

/* Begins; the same thread ends it. `label` names the plugin, `when` is what goes on, as "while it
 * was opened"; `config` says who is told. All stay until the end. */
void plugin_guard_begin(const char *label, const char *when, const struct backend_config *config);
void plugin_guard_end(void);

/* After it crashes and exits are told of, too, that happen between enter and leave: the plugin is
 * open. Between begin and end. Handlers that the program sets later replace these. */
void plugin_guard_stay(void);
/* This thread runs code of the plugin `name`, which stays. Takes no time. */
void plugin_guard_enter(const char *name);
void plugin_guard_leave(void);

#endif
