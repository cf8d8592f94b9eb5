/* Connections that their event loop shall read from though the kernel reports nothing new, because
 * bytes of theirs were read before (guard.h). Each event loop has a list of its own, that of its
 * thread, and takes from it what it shall take for reported when it asks the kernel next. */
#ifndef STEADYCACHE_SERVER_WAKE_LIST_H
#define STEADYCACHE_SERVER_WAKE_LIST_H

#include <stdbool.h>
#include <sys/epoll.h>

struct wake_list;

/* One connection's place. All zeros but `connection` is one in no list. */
struct wake {
	void *connection;       /* what the event loop knows it by */
	struct wake_list *list; /* NULL: in none */
	struct wake *next, *previous;
};

/* Into the list of the calling thread; nothing happens where it is there. */
void wake_list_add(struct wake *wake);
/* Out of it again. Thread: that which added it, or any once that has ended. */
void wake_list_remove(struct wake *wake);

/* Whether the calling thread's list has any. */
bool wake_list_has_any(void);
/* Takes up to `room` off the list of the calling thread, as events that there is something to read.
 * How many. */
int wake_list_take(struct epoll_event *ret_events, int room);

#endif
