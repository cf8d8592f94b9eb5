/* libmicrohttpd (0.9.75) takes up to 128 events of its epoll set in one call. When it has got as
 * many as it asked for it asks once more before it looks at any of them, with the time-out of the
 * first call: where just 128 requests have come and no further one does, they lie there until a
 * connection times out, which takes a minute.
 *
 * So the library's calls come here (a program's own function goes before that of libc; nothing else
 * in the process uses epoll), and are asked for one event less than it has room for. It then never
 * sees a full batch; what did not fit stays in the kernel's list and comes with the next call. */
#include <stddef.h>
#include <sys/epoll.h>

/* libc's names are reserved. NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int epoll_wait(int epoll_fd, struct epoll_event *events, int max_events, int timeout_ms)
{
	return epoll_pwait(epoll_fd, events, max_events > 1 ? max_events - 1 : max_events,
			   timeout_ms, NULL);
}
