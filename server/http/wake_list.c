#include "server/http/wake_list.h"

#include <pthread.h>
#include <stdlib.h>

struct wake_list {
	struct wake *first;
	bool ends_with_thread;
};

static _Thread_local struct wake_list own;
static pthread_key_t end_key;
static pthread_once_t end_once = PTHREAD_ONCE_INIT;

/* The list's memory is freed with its thread. */
static void empty_list(void *arg)
{
	struct wake_list *list = arg;

	while (list->first)
		wake_list_remove(list->first);
}

static void make_end_key(void)
{
	if (pthread_key_create(&end_key, empty_list) != 0)
		abort();
}

void wake_list_add(struct wake *wake)
{
	if (wake->list)
		return;
	if (!own.ends_with_thread) {
		(void)pthread_once(&end_once, make_end_key);
		own.ends_with_thread = pthread_setspecific(end_key, &own) == 0;
	}
	wake->list = &own;
	wake->previous = NULL;
	wake->next = own.first;
	if (wake->next)
		wake->next->previous = wake;
	own.first = wake;
}

void wake_list_remove(struct wake *wake)
{
	if (!wake->list)
		return;
	if (wake->next)
		wake->next->previous = wake->previous;
	if (wake->previous)
		wake->previous->next = wake->next;
	else
		wake->list->first = wake->next;
	wake->list = NULL;
}

bool wake_list_has_any(void)
{
	return own.first != NULL;
}

int wake_list_take(struct epoll_event *ret_events, int room)
{
	int taken = 0;

	for (; taken < room && own.first; taken++) {
		ret_events[taken] =
			(struct epoll_event){.events = EPOLLIN, .data.ptr = own.first->connection};
		wake_list_remove(own.first);
	}
	return taken;
}
