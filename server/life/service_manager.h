/* What a service manager such as systemd says to the server and hears from it: a listening socket
 * that it hands over (LISTEN_PID, LISTEN_FDS: sd_listen_fds(3)), and whether the server is ready
 * (NOTIFY_SOCKET: sd_notify(3)). Both protocols are an environment variable and a system call, so
 * they are spoken here, without libsystemd. */
#ifndef STEADYCACHE_SERVER_SERVICE_MANAGER_H
#define STEADYCACHE_SERVER_SERVICE_MANAGER_H

#include <stdbool.h>
#include <stddef.h>

/* The listening socket that this process was started with: in `ret_fd`, close-on-exec, the caller's
 * to close; -1 where there is none. The variables are removed, so that no child takes them for its
 * own. False, with a sentence in `error`: what was handed over is not one listening TCP socket.
 * To be called once, before threads start. */
bool service_manager_take_socket(int *ret_fd, char *error, size_t error_size);

/* Tells `state`, such as "READY=1". True: it was told, or nobody wants to know. Any thread. */
bool service_manager_notify(const char *state);

#endif
