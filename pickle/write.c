#include "pickle/write.h"

bool pickle_write(const struct pickle *pickle, const struct pickle_node *node, struct buffer *ret,
		  struct pickle_error *error)
{
	(void)pickle;
	(void)node;
	(void)ret;
	*error = (struct pickle_error){.text = "not yet"};
	return false;
}
