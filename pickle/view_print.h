/* Nodes as Python would print them. */
#ifndef STEADYCACHE_PICKLE_VIEW_PRINT_H
#define STEADYCACHE_PICKLE_VIEW_PRINT_H

#include "pickle/graph.h"
#include "pickle/view_out.h"

/* Deepest nesting that is shown. */
#define VIEW_DEPTH_MAX 50

struct view_print {
	struct view_out out;
	bool is_whole; /* long arrays with all their elements */
	unsigned depth;
	const struct pickle_node *path[VIEW_DEPTH_MAX]; /* what is being printed */
	struct buffer scratch;
};

/* repr(node), on several lines if it is long. */
void view_print_node(struct view_print *print, const struct pickle_node *node);

/* "collections.OrderedDict"; of the module of builtins only the name. What does not print is
 * escaped. */
void view_print_name(const struct pickle_global *global, struct buffer *ret);

#endif
