#include "store/policy/check.h"

#include "store/policy/victims.h"

/* How long after a block became known it is checked for the second time, microseconds. */
#define FAR_US (INT64_C(1) << 50)

/* What was found on the way through an order. */
struct sums {
	uint64_t node_count, frequency_sum;        /* of nodes in lists */
	uint64_t class_count, class_frequency_sum; /* according to the classes */
};

/* ---- Lists ---- */

static bool is_sorted(enum eviction_policy policy, const struct order_node *a,
		      const struct order_node *b)
{
	if (policy == EVICT_FRECENCY || policy == EVICT_LRU)
		return a->last_access_us <= b->last_access_us;
	return a->stamp <= b->stamp;
}

/* As classes_find, which relies on what is checked here. */
static bool has_class(const struct order *order, uint32_t frequency)
{
	const struct class_block *block = classes_block(&order->classes, frequency);

	for (uint16_t i = 0; i < block->count; i++)
		if (block->classes[i].frequency == frequency)
			return true;
	return false;
}

static const char *check_list(const struct order *order, const struct order_list *list,
			      bool must_be_sorted, struct sums *sums)
{
	const struct order_node *before = NULL;

	for (const struct order_node *node = list->head; node; before = node, node = node->next) {
		if (node->prev != before)
			return "a node's prev is not the node before it";
		if (node->frequency == 0)
			return "a node has the frequency 0";
		if (before && must_be_sorted && !is_sorted(order->policy, before, node))
			return "a list is not sorted";
		if (!has_class(order, node->frequency))
			return "a node's frequency has no class";
		sums->node_count++;
		sums->frequency_sum += node->frequency;
	}
	return list->tail == before ? NULL : "a list's tail is not its last node";
}

/* ---- Classes ---- */

static const char *check_class(const struct order *order, const struct frequency_class *class,
			       bool must_be_sorted, struct sums *sums)
{
	uint64_t count_before = sums->node_count;
	uint64_t sum_before = sums->frequency_sum;
	const char *broken = check_list(order, &class->list, must_be_sorted, sums);

	sums->class_count += class->entry_count;
	sums->class_frequency_sum += (uint64_t) class->frequency * class->entry_count;
	if (broken)
		return broken;
	if (order->policy != EVICT_FRECENCY)
		return class->list.head ? "a class has a list, but not under frecency" : NULL;
	if (sums->node_count - count_before != class->entry_count)
		return "a class does not count the nodes of its list";
	if (sums->frequency_sum - sum_before != (uint64_t) class->frequency * class->entry_count)
		return "a node is in the list of another frequency";
	return NULL;
}

/* `earlier`: the highest frequency of the blocks before it. */
static const char *check_block(const struct class_block *block, uint32_t earlier)
{
	if (block->count == 0 || block->count > block->capacity)
		return "a block has no class, or more than it has room for";
	if (block->classes->frequency < block->least || (earlier > 0 && earlier >= block->least))
		return "a class is below the least of its block, or one of an earlier block is not";
	for (uint16_t i = 1; i < block->count; i++)
		if (block->classes[i - 1].frequency >= block->classes[i].frequency)
			return "the frequencies of a block do not rise";
	return NULL;
}

/* ---- What is known of a block ---- */

static const char *check_known_at(const struct class_block *block, int64_t now_us)
{
	const struct order_node *first = block->first;
	bool is_head = !first;

	for (uint16_t i = block->classes->frequency == 1; i < block->count; i++) {
		const struct order_node *head = block->classes[i].list.head;

		is_head = is_head || head == first;
		if (!head || head == first)
			continue;
		int order = first ? victims_compare(head, first, now_us) : -1;
		if (order < 0 || (order == 0 && head->last_access_us < first->last_access_us))
			return "a head goes before the one that is known to be the first";
	}
	return is_head ? NULL : "the first of a block is the head of no class";
}

static const char *check_known(const struct class_block *block)
{
	int64_t from_us = block->known_from_us;
	int64_t last_us = block->known_until_us - 1;
	const char *broken;

	if (block->known_from_us >= block->known_until_us)
		return NULL;
	if (!block->first) /* of no block with a head, at any time */
		return check_known_at(block, 0);
	broken = check_known_at(block, from_us);
	if (last_us - from_us > FAR_US)
		last_us = from_us + FAR_US;
	return broken ? broken : check_known_at(block, last_us);
}

/* ---- All of it ---- */

static const char *check_classes(const struct order *order, bool must_be_sorted, struct sums *sums)
{
	const struct classes *classes = &order->classes;
	uint32_t earlier = 0;

	if (classes->block_count == 0)
		return order->list.head ? "there are nodes, but no class" : NULL;
	if (classes->blocks->count > 0 && classes->blocks->classes->frequency != 1)
		return "the first class is not that of frequency 1";
	for (uint32_t i = 0; i < classes->block_count; i++) {
		const struct class_block *block = &classes->blocks[i];
		const char *broken = check_block(block, earlier);

		for (uint16_t j = 0; j < block->count && !broken; j++)
			broken = check_class(order, &block->classes[j], must_be_sorted, sums);
		if (!broken && classes->is_searched)
			broken = check_known(block);
		if (broken)
			return broken;
		earlier = block->classes[block->count - 1].frequency;
	}
	return NULL;
}

const char *policy_order_check(const struct order *order, bool clock_rose)
{
	bool must_be_sorted = clock_rose && !order->unsorted;
	struct sums sums = {0};
	const char *broken = check_classes(order, must_be_sorted, &sums);

	if (!broken)
		broken = check_list(order, &order->list, must_be_sorted, &sums);
	if (broken)
		return broken;
	if (order->policy == EVICT_FRECENCY && order->list.head)
		return "there is a list of all nodes under frecency";
	if (sums.node_count != sums.class_count)
		return "the classes do not count the nodes";
	if (sums.frequency_sum != sums.class_frequency_sum ||
	    sums.frequency_sum != order->frequency_sum)
		return "the sum of the frequencies is another";
	return NULL;
}

const char *policy_expiry_check(const struct expiry *expiry)
{
	if (expiry->count > expiry->capacity)
		return "the heap is fuller than it has room";
	for (size_t i = 0; i < expiry->count; i++) {
		const struct expiry_slot *slot = &expiry->slots[i];

		if (slot->node->index != i)
			return "a node's index is not its slot's";
		if (i > 0 && slot->expires_at_us < expiry->slots[(i - 1) / 2].expires_at_us)
			return "a slot expires before its parent";
	}
	return NULL;
}
