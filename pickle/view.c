#include "pickle/view.h"

bool pickle_view(const struct pickle_node *node, struct pickle_view *view)
{
	(void)node;
	(void)view;
	return false;
}

bool pickle_view_value(struct slice value, struct pickle_view *view, struct pickle_error *error)
{
	(void)value;
	(void)view;
	*error = (struct pickle_error){.text = "not yet"};
	return false;
}
