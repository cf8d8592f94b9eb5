/* Completions: which thread runs one, and which come after it. */
#ifndef STEADYCACHE_LIBRARY_COMPLETION_H
#define STEADYCACHE_LIBRARY_COMPLETION_H

#include <stdbool.h>

/* What is to be run. */
struct library_completion {
	struct library_completion *next;
	void (*run)(struct library_completion *completion); /* may free it */
};

/* Runs it; but within another completion of this thread it waits for the end of that one, so that a
 * completion that submits again, to a backend which is done at once, does not grow the stack. */
void library_completion_run(struct library_completion *completion);

/* Whether this thread runs one now, and so must not wait. */
bool library_completion_is_running(void);

#define LIBRARY_COMPLETION_REFUSAL                                                                 \
	"a completion must not wait: use steadycache_submit() there, and close elsewhere"

#endif
