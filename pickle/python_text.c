#include "pickle/python_text.h"

const char python_unicode_version[] = "14.0";

void python_repr_of_str(struct buffer *ret, struct slice text)
{
	buffer_append(ret, text);
}

bool python_str(const struct pickle_node *value, size_t max_bytes, struct buffer *ret,
		struct pickle_error *error)
{
	(void)value;
	(void)max_bytes;
	(void)ret;
	*error = (struct pickle_error){.text = "not yet"};
	return false;
}
