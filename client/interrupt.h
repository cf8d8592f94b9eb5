/* Signals that end a long command in order. */
#ifndef STEADYCACHE_CLIENT_INTERRUPT_H
#define STEADYCACHE_CLIENT_INTERRUPT_H

#include <signal.h>

/* The signal that came; 0: none. */
extern volatile sig_atomic_t interrupt_signal;

/* SIGINT, SIGTERM and SIGHUP set interrupt_signal, the second of a kind ends the process. A file
 * that grows beyond a limit is an error of the write. */
void interrupt_catch(void);

/* Ends the process by the signal that came, as whoever sent it expects. Returns if none did. */
void interrupt_finish(void);

#endif
