/* Connections that their event loop must read from although the kernel reports nothing new, because
 * their bytes were read before (guard.h). Each event loop has its own list, that of its thread, and
 * at its next wait takes from it the connections to be treated as reported. */
#ifndef STEADYCACHE_SERVER_WAKE_LIST_H
#define STEADYCACHE_SERVER_WAKE_LIST_H

#include <stdbool.h>
#include <sys/epoll.h>

struct wake_list;

/* One connection's place. All zeros but `connection`: in no list. */
struct wake {
	void *connection;       /* identifies it in the event loop */
	struct wake_list *list; /* NULL: in none */
	struct wake *next, *previous;
};

/* Adds it to the calling thread's list; does nothing if it is already there. */
void wake_list_add(struct wake *wake);
/* Removes it. From the thread that added it, or from any once that has ended. */
void wake_list_remove(struct wake *wake);

/* Whether the calling thread's list is not empty. */
bool wake_list_has_any(void);
/* Takes up to `room` entries off the calling thread's list, as events that there is something to
 * read. Returns how many. */
int wake_list_take(struct epoll_event *ret_events, int room);

#endif
