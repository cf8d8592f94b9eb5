#include "steadytext/pkl_key.h"

#include "steadytext/spelling.h"

void steadytext_pkl_budget_use(struct steadytext_pkl_budget *budget, uint64_t bytes)
{
	budget->left_bytes -= bytes < budget->left_bytes ? bytes : budget->left_bytes;
}

bool steadytext_pkl_key_print(const struct pickle_node *key, unsigned spelling,
			      struct steadytext_pkl_budget *budget, struct buffer *ret,
			      struct pickle_error *error)
{
	size_t max = budget->left_bytes < budget->key_max_bytes ? (size_t)budget->left_bytes
								: budget->key_max_bytes;
	size_t before = ret->len;
	bool is_good = python_str(key, steadytext_spelling_release(spelling), max, ret, error);

	/* A container may have been walked as far as that before it turned out to be too long. */
	steadytext_pkl_budget_use(budget,
				  is_good || key->kind < PICKLE_TUPLE ? ret->len - before : max);
	return is_good;
}
