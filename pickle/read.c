#include "pickle/read.h"

struct pickle *pickle_read(struct slice bytes, const struct pickle_limits *limits, size_t *ret_len,
			   struct pickle_error *error)
{
	(void)bytes;
	(void)limits;
	(void)ret_len;
	*error = (struct pickle_error){.text = "not yet"};
	return NULL;
}
