#include "library/completion.h"

#include <stddef.h>

static _Thread_local struct {
	bool is_running;
	struct library_completion *first, *last; /* those that wait */
} here;

bool library_completion_is_running(void)
{
	return here.is_running;
}

void library_completion_run(struct library_completion *completion)
{
	if (here.is_running) {
		completion->next = NULL;
		if (here.first)
			here.last->next = completion;
		else
			here.first = completion;
		here.last = completion;
		return;
	}
	here.is_running = true;
	while (completion) {
		completion->run(completion);
		completion = here.first;
		if (completion)
			here.first = completion->next;
	}
	here.is_running = false;
}
