/* What a service manager such as systemd and the server tell each other: listening sockets that
 * the manager passes on (LISTEN_PID, LISTEN_FDS: sd_listen_fds(3)), and whether the server is ready
 * (NOTIFY_SOCKET: sd_notify(3)). Both protocols are an environment variable and a system call, so
 * they are implemented here, without libsystemd. */
#ifndef STEADYCACHE_SERVER_SERVICE_MANAGER_H
#define STEADYCACHE_SERVER_SERVICE_MANAGER_H

#include <stdbool.h>
#include <stddef.h>

/* The listening sockets, of TCP or Unix, that this process was started with: the first *ret_count
 * of `ret_fds`, close-on-exec, owned by the caller. Removes the variables, so that no child uses
 * them. False, with a sentence in `error`: what was passed on is anything else, or more than `max`.
 * Call it once, before threads start. */
bool service_manager_take_sockets(int *ret_fds, size_t max, size_t *ret_count, char *error,
				  size_t error_size);

/* Reports `state`, such as "READY=1". True: it was reported, or nobody asked for it. Any thread. */
bool service_manager_notify(const char *state);

#endif
