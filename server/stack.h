/* The backend that the options choose: one or several (--route), and the layers in front of it. */
#ifndef STEADYCACHE_SERVER_STACK_H
#define STEADYCACHE_SERVER_STACK_H

#include "backends/routed/routed.h"
#include "server/config/options.h"

/* What was chosen. It must stay, where it is, as long as the backend is open. */
struct stack {
	struct options *options;
	struct backend_place places[BACKEND_BRANCHES_MAX];
	char *texts[BACKEND_BRANCHES_MAX]; /* that named them while they were read; else NULL */
	struct routed_rule rules[OPTION_LIST_MAX + 1];
	struct routed_config routed;
	/* Whatever the layers are in front of. */
	const struct backend_ops *ops;
	struct backend_config config;
};

/* Reads and checks what the options choose, and makes the directories that it wants. `base` is a
 * backends_config, completed. False with a sentence that names what to change. */
bool stack_read(struct stack *stack, struct options *options, const struct backend_config *base,
		char *error, size_t error_size);
/* NULL with a sentence. */
struct backend *stack_open(struct stack *stack, char *error, size_t error_size);
/* After the backend was closed. A zeroed one is allowed. */
void stack_deinit(struct stack *stack);

#endif
