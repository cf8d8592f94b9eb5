#include "steadytext/pkl_key.h"

#include "steadytext/spelling.h"

void steadytext_pkl_budget_use(uint64_t *left_bytes, uint64_t bytes)
{
	*left_bytes -= bytes < *left_bytes ? bytes : *left_bytes;
}

bool steadytext_pkl_key_print(const struct pickle_node *key, unsigned spelling,
			      struct steadytext_pkl_budget *budget, struct buffer *ret,
			      struct pickle_error *error)
{
	size_t max = budget->left_key_bytes < budget->key_max_bytes ? (size_t)budget->left_key_bytes
								    : budget->key_max_bytes;
	size_t before = ret->len;
	bool is_good = python_str(key, steadytext_spelling_release(spelling), max, ret, error);

	/* What was printed before the fault took its time too, as did all of a str with a lone
	 * surrogate. */
	uint64_t work = is_good                   ? ret->len - before
			: key->kind == PICKLE_STR ? key->bytes.len
						  : error->printed;
	steadytext_pkl_budget_use(&budget->left_key_bytes, work);
	return is_good;
}
